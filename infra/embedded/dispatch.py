"""One request to moto's backends: found by service and path, without Flask and its routing.

Flask and moto's search through every service's URL patterns take longer than the work that they lead to.
"""

import json
import logging
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

from botocore.exceptions import HTTPClientError
from moto import backends
from moto.core.base_backend import BackendDict
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.request import Request
from werkzeug.exceptions import HTTPException

__all__ = ["Reply", "answer", "forget_routes"]

log = logging.getLogger(__name__)

Handler = Callable[[Request, str, Any], tuple[int, Mapping[str, Any], str | bytes]]


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def answer(service: str, request: Request) -> Reply:
    """What moto's backend of that name replies; an exception in it is a 500, as from AWS."""
    handler = _handler(service, request.raw_path)
    if handler is None:
        return Reply(404, {}, b"Not yet implemented")
    try:
        status, headers, body = handler(request, request.raw_url, request.headers)
    except HTTPException as error:
        status, headers, body = error.code or 500, dict(error.get_headers()), error.get_body()
    except HTTPClientError:  # a connection that breaks, as far as the client can tell
        raise
    except Exception as error:
        log.exception("%s %s of %s failed", request.method, request.raw_path, service)
        return Reply(500, {"x-amzn-errortype": "InternalFailure"}, _failure(error))
    return Reply(
        int(status),
        {name: str(value) for name, value in headers.items()},
        body.encode() if isinstance(body, str) else bytes(body),
    )


def forget_routes() -> None:
    """For when paths have been added to a service."""
    _routes.cache_clear()


def _handler(service: str, path: str) -> Handler | None:
    return next((handler for pattern, handler in _routes(service) if pattern.match(path)), None)


@cache
def _routes(service: str) -> list[tuple[re.Pattern[str], Handler]]:
    return [(re.compile(path), handler) for path, handler in _backend(service).url_paths.items()]


def _backend(service: str) -> Any:
    """Any region's and account's: they share their paths."""
    found: Any = backends.get_backend(service)  # type: ignore[call-overload]
    if not isinstance(found, BackendDict):
        return found["global"]
    regions = found[DEFAULT_ACCOUNT_ID]
    return regions["us-east-1" if "us-east-1" in regions else "aws"]


def _failure(error: Exception) -> bytes:
    return json.dumps({"__type": "InternalFailure", "message": f"{type(error).__name__}: {error}"}).encode()
