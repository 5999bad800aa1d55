"""Engines in an AWS account (or behind `AWS_ENDPOINT_URL`), with credentials and region from the usual chain."""

import os
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.stack import configuration
from pipeline.codec import Event
from pipeline.engine import About, Engine
from pipeline.errors import UserError
from pipeline.settings import Settings

__all__ = ["client", "engine_of", "s3_access"]

REMEDY = "set AWS_REGION and credentials, or AWS_ENDPOINT_URL for an engine on this machine"


def engine_of(stack: str) -> Engine:
    """Nothing is called before settings or a client are asked for."""
    cached = cache(client)
    return Engine(cached, lambda: _settings(cached, stack), _past)


def client(service: str, **options: Any) -> Any:
    """boto3 itself reads AWS_DEFAULT_REGION alone. Raises UserError."""
    try:
        return boto3.client(service, region_name=os.environ.get("AWS_REGION") or None, **options)  # type: ignore[call-overload]
    except BotoCoreError as error:
        raise UserError(f"no client for AWS can be made: {error}; {REMEDY}") from error


def s3_access() -> dict[str, str]:
    """What DuckDB needs to read S3 as boto3 does. Raises UserError."""
    session = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
    credentials = session.get_credentials()
    if credentials is None:
        raise UserError(f"no credentials for AWS are found; {REMEDY}")
    known = credentials.get_frozen_credentials()
    access = {
        "KEY_ID": str(known.access_key),
        "SECRET": str(known.secret_key),
        "REGION": session.region_name or "",
    }
    if known.token:
        access["SESSION_TOKEN"] = known.token
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        parts = urlsplit(endpoint)
        access |= {"ENDPOINT": parts.netloc, "URL_STYLE": "path", "USE_SSL": str(parts.scheme == "https")}
    return access


def _past(engine: Engine, about: About, moment: datetime) -> Iterable[Event]:
    from infra.past import past  # noqa: PLC0415  DuckDB is heavy, other commands aren't

    return past(engine, about, moment)


def _settings(made: Any, stack: str) -> Settings:
    try:
        return Settings.from_mapping(configuration(made("cloudformation"), stack))
    except (BotoCoreError, ClientError) as error:
        raise UserError(f"AWS can't be asked about stack '{stack}': {error}; {REMEDY}") from error
