"""A DuckDB connection on an archive: a bucket (`s3://…`) or a folder.

S3 is read through DuckDB's `httpfs` extension, which comes with the package, never from the network.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import duckdb

from pipeline.errors import UserError

__all__ = ["S3Access", "connect", "local_access", "opened", "question"]

S3Access = Mapping[str, str]
"""Options of DuckDB's S3 secret: KEY_ID, SECRET, SESSION_TOKEN, REGION, and ENDPOINT, URL_STYLE, USE_SSL for another
endpoint."""


def connect(archive: str, s3: S3Access | None = None) -> duckdb.DuckDBPyConnection:
    """Times are UTC. Raises UserError when the archive can't be read or is still empty."""
    connection = opened((s3 or {}) if archive.startswith("s3://") else None)
    connection.execute("SET VARIABLE archive = $archive", {"archive": archive.rstrip("/")})
    try:
        connection.execute(_sql("events"))
    except duckdb.IOException as error:
        raise UserError(
            f"the archive {archive} holds no file yet: wait for the archiver's first flush"
        ) from error
    return connection


def opened(s3: S3Access | None = None) -> duckdb.DuckDBPyConnection:
    """A connection that looks at nothing yet. Times are UTC; S3 is read where access to it is given."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    if s3 is not None:
        _read_s3(connection, s3)
    return connection


def question(connection: duckdb.DuckDBPyConnection, name: str, **parameters: Any) -> list[dict[str, Any]]:
    """The answer to one of the questions in `analytics/sql/`, a dict a row."""
    answer = connection.execute(_sql(name), parameters)
    columns = [column[0] for column in answer.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]


def local_access(endpoint: str, region: str) -> S3Access:
    """For an endpoint on this machine that takes any credentials."""
    return {
        "KEY_ID": "local",
        "SECRET": "local",
        "REGION": region,
        "ENDPOINT": urlsplit(endpoint).netloc,
        "URL_STYLE": "path",
        "USE_SSL": "false",
    }


def _read_s3(connection: duckdb.DuckDBPyConnection, s3: S3Access) -> None:
    try:
        connection.execute(f"LOAD '{_httpfs()}'")
    except (duckdb.Error, ModuleNotFoundError) as error:
        raise UserError(
            f"DuckDB's httpfs extension can't be loaded ({error}); install this package again"
        ) from error
    options = ", ".join(f"{name} '{value.replace(chr(39), chr(39) * 2)}'" for name, value in s3.items())
    connection.execute(
        f"CREATE SECRET (TYPE s3, {options})" if options else "CREATE SECRET (TYPE s3, PROVIDER config)"
    )


def _httpfs() -> str:
    """The extension's file as the package brings it: loaded from there, nothing is installed into a home directory."""
    version = f"v{duckdb.__version__}"
    return str(files("duckdb_extension_httpfs").joinpath("extensions", version, "httpfs.duckdb_extension"))


def _sql(name: str) -> str:
    return files("analytics").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
