"""Engines in an AWS account (or behind `AWS_ENDPOINT_URL`), with credentials and region from the usual chain."""

from functools import cache
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.stack import configuration
from pipeline.engine import Engine
from pipeline.errors import UserError
from pipeline.settings import Settings

__all__ = ["engine_of"]


def engine_of(stack: str) -> Engine:
    """Nothing is called before settings or a client are asked for."""
    client = cache(boto3.client)
    return Engine(client, lambda: _settings(client, stack))


def _settings(client: Any, stack: str) -> Settings:
    try:
        return Settings.from_mapping(configuration(client("cloudformation"), stack))
    except (BotoCoreError, ClientError) as error:
        remedy = "set AWS_REGION and credentials, or AWS_ENDPOINT_URL for an engine on this machine"
        raise UserError(f"AWS can't be asked about stack '{stack}': {error}; {remedy}") from error
