"""Requests as WSGI environments, which is what moto's backends read; from a boto3 client or from hypercorn."""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Executor
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIApplication, WSGIEnvironment

from moto.core.request import (
    PRESERVED_HEADER_NAMES_ENVIRON_KEY,
    environ_key_for_header,
    should_preserve_original_header_name,
)

__all__ = ["Sent", "environ", "in_threads"]

Message = Mapping[str, Any]
AsgiApp = Callable[
    [dict[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


class Response(NamedTuple):
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Sent(NamedTuple):
    """A request. `target` is path and query as they were sent: S3 keys must be read before they are decoded."""

    method: str
    scheme: str
    host: str
    target: str
    headers: Iterable[tuple[str, str]]
    body: bytes


def environ(sent: Sent) -> WSGIEnvironment:
    path, _, query = sent.target.partition("?")
    name, _, port = sent.host.partition(":")
    names: dict[str, str] = {}
    made: WSGIEnvironment = {
        "REQUEST_METHOD": sent.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "RAW_URI": sent.target,
        "QUERY_STRING": query,
        "SERVER_NAME": name,
        "SERVER_PORT": port or ("443" if sent.scheme == "https" else "80"),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": sent.host,
        "CONTENT_LENGTH": str(len(sent.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": sent.scheme,
        "wsgi.input": io.BytesIO(sent.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        PRESERVED_HEADER_NAMES_ENVIRON_KEY: names,
    }
    for header, value in sent.headers:
        key = environ_key_for_header(header)
        if key not in made and key != "HTTP_TRANSFER_ENCODING":
            made[key] = value
            if should_preserve_original_header_name(header):
                names[key] = header
    return made


def in_threads(app: WSGIApplication, threads: Executor) -> AsgiApp:
    """An ASGI application that answers each request on a thread, as hypercorn's own wrapper does.

    That one loses the encoded path and answers nothing where the body is empty (HEAD, 204), and goes back
    and forth between the threads for each part of a response.
    """

    async def serve(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":  # the server's start and stop, of which a WSGI application hears nothing
            return
        request = _environ_of(scope, await _body(receive))
        found = await asyncio.get_running_loop().run_in_executor(threads, _respond, app, request)
        await send({"type": "http.response.start", "status": found.status, "headers": found.headers})
        await send({"type": "http.response.body", "body": found.body, "more_body": False})

    return serve


async def _body(receive: Callable[[], Awaitable[Message]]) -> bytes:
    parts = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _environ_of(scope: dict[str, Any], body: bytes) -> WSGIEnvironment:
    target = scope["raw_path"].decode("ascii")
    if scope["query_string"]:
        target += "?" + scope["query_string"].decode("ascii")
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    address, port = scope["server"]
    host = dict(headers).get("host", f"{address}:{port}")
    return environ(Sent(scope["method"], scope["scheme"], host, target, headers, body))


def _respond(app: WSGIApplication, request: WSGIEnvironment) -> Response:
    started: list[tuple[int, list[tuple[bytes, bytes]]]] = []
    chunks_written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], object]:
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        started.append((int(status.split(" ", 1)[0]), encoded))
        return chunks_written.append

    chunks = app(request, start_response)
    try:
        body = b"".join([*chunks_written, *chunks])
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    return Response(*started[-1], body)
