"""Engines in an AWS account (or behind `AWS_ENDPOINT_URL`), with credentials and region from the usual chain."""

import os
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.stack import configuration
from pipeline.engine import Engine
from pipeline.errors import UserError
from pipeline.settings import Settings

__all__ = ["client", "engine_of"]

REMEDY = "set AWS_REGION and credentials, or AWS_ENDPOINT_URL for an engine on this machine"


def engine_of(stack: str) -> Engine:
    """Nothing is called before settings or a client are asked for."""
    cached = cache(client)
    return Engine(cached, lambda: _settings(cached, stack))


def client(service: str, **options: Any) -> Any:
    """boto3 itself reads AWS_DEFAULT_REGION alone. Raises UserError."""
    try:
        return boto3.client(service, region_name=os.environ.get("AWS_REGION") or None, **options)  # type: ignore[call-overload]
    except BotoCoreError as error:
        raise UserError(f"no client for AWS can be made: {error}; {REMEDY}") from error


def _settings(made: Any, stack: str) -> Settings:
    try:
        return Settings.from_mapping(configuration(made("cloudformation"), stack))
    except (BotoCoreError, ClientError) as error:
        raise UserError(f"AWS can't be asked about stack '{stack}': {error}; {REMEDY}") from error
