"""A DuckDB connection on an archive: a bucket (`s3://…`) or a folder.

S3 is read through DuckDB's `httpfs` extension, which comes with the package, never from the network.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import duckdb

from pipeline.errors import UserError

__all__ = ["S3Access", "connect", "local_access", "opened", "question", "readable", "rows", "view"]

ROWS = 10_000  # a batch

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


@contextmanager
def readable() -> Iterator[None]:
    """DuckDB's errors as UserError: a file that is gone or was cut short, a bucket that may not be read, a full disk."""
    try:
        yield
    except duckdb.Error as error:
        raise UserError(f"the archive could not be read: {str(error).splitlines()[0]}") from error


def view(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Create what one of the files in `analytics/sql/` defines."""
    connection.execute(_sql(name))


def question(connection: duckdb.DuckDBPyConnection, name: str, **parameters: Any) -> list[dict[str, Any]]:
    """The answer to one of the questions in `analytics/sql/`, a dict a row."""
    answer = connection.execute(_sql(name), parameters)
    columns = [column[0] for column in answer.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]


def rows(connection: duckdb.DuckDBPyConnection, name: str) -> Iterator[dict[str, Any]]:
    """The answer to a question that may be long, a dict a row; read it before the connection is asked for more."""
    for batch in connection.execute(_sql(name)).to_arrow_reader(ROWS):
        yield from batch.to_pylist()


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
