"""boto3 clients whose requests go to the backends in this process, without a socket: several times as fast."""

from collections.abc import Callable
from functools import cache
from threading import Lock
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
# A signature takes as long as a backend, which reads no more of it than this.
SCOPE = "AWS4-HMAC-SHA256 Credential=embedded/20260101/{region}/{service}/aws4_request"

_making = Lock()  # a session makes clients for one thread at a time


def client(service: str, region: str, config: Config | None = None, closed: Callable[[], bool] = bool) -> Any:
    """A client of one service. After `closed` is true its calls raise RuntimeError."""
    with _making:
        made: Any = _session(region).client(service, config=_config(config))  # type: ignore[call-overload]
    scope = SCOPE.format(region=region, service=service)
    backend = MOTO_NAMES.get(service, service.replace("-", ""))

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        if closed():
            raise RuntimeError("the embedded AWS is closed")
        return _send(backend, request, scope)

    made.meta.events.register("before-send", send)
    return made


@cache
def _session(region: str) -> boto3.Session:
    """One, since it keeps the service models, which take longer to load than all the rest."""
    return boto3.Session("embedded", "embedded", region_name=region)


def _config(config: Config | None) -> Config:
    # boto3 puts its long user agent together anew for each request, unless it is given.
    cheap = Config(  # type: ignore[call-arg]
        ignore_configured_endpoint_urls=True, signature_version=UNSIGNED, user_agent="sesmailengine"
    )
    return cheap.merge(config) if config is not None else cheap


def _send(backend: str, request: AWSPreparedRequest, scope: str) -> AWSResponse:
    url = urlsplit(request.url)
    target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    headers = [("Authorization", scope), *((n, _text(value)) for n, value in request.headers.items())]
    body = _bytes(request.body)
    made = Request(environ(Sent(request.method, url.scheme, url.netloc, target, headers, body)))
    reply = answer(backend, made)
    reply_headers: Any = reply.headers
    return AWSResponse(request.url, reply.status, reply_headers, MockRawResponse(reply.body))


def _text(value: str | bytes) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else value


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    if hasattr(body, "read"):
        body = body.read()
    return body.encode("utf-8") if isinstance(body, str) else bytes(body)
