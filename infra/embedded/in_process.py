"""boto3 clients whose requests go to the backends in this process, without a socket: several times as fast."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from moto.core.botocore_stubber import MockRawResponse
from moto.core.request import Request

from infra.embedded.dispatch import answer
from infra.embedded.wsgi import Sent, environ

__all__ = ["client"]

MOTO_NAMES = {"lambda": "awslambda"}  # elsewhere moto only drops the hyphens
SIGNED = {"s3", "s3control"}  # moto takes an unsigned request to S3 for an anonymous one


def client(service: str, region: str, config: Config | None = None, closed: Callable[[], bool] = bool) -> Any:
    """A client of one service. After `closed` is true its calls raise RuntimeError."""
    made = boto3.Session(
        aws_access_key_id="embedded",
        aws_secret_access_key="embedded",  # noqa: S106  nobody checks it
        region_name=region,
    ).client(service, config=_config(service, config))
    backend = MOTO_NAMES.get(service, service.replace("-", ""))

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        if closed():
            raise RuntimeError("the embedded AWS is closed")
        return _send(backend, request)

    made.meta.events.register("before-send", send)
    return made


def _config(service: str, config: Config | None) -> Config:
    cheap = Config() if service in SIGNED else Config(signature_version=UNSIGNED)
    return cheap.merge(config) if config is not None else cheap


def _send(backend: str, request: AWSPreparedRequest) -> AWSResponse:
    url = urlsplit(request.url)
    target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    headers = [(name, _text(value)) for name, value in request.headers.items()]
    body = _bytes(request.body)
    made = Request(environ(Sent(request.method, url.scheme, url.netloc, target, headers, body)))
    reply = answer(backend, made)
    return AWSResponse(request.url, reply.status, reply.headers, MockRawResponse(reply.body))


def _text(value: str | bytes) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else value


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    if hasattr(body, "read"):
        body = body.read()
    return body.encode("utf-8") if isinstance(body, str) else bytes(body)
