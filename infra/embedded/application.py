"""The WSGI application behind the port: routes of our own first, then moto's backends."""

from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from moto.core.request import Request
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

from infra.embedded.dispatch import Reply, answer

__all__ = ["application"]


class ServerRequest(Request):
    from_wsgi_server = True


def application(routes: Mapping[str, WSGIApplication]) -> WSGIApplication:
    """`routes` maps a path to what answers it; it is consulted at each request, so it may grow."""
    services: Any = DomainDispatcherApplication(lambda service: service)  # type: ignore[arg-type,return-value]
    services.get_backend_for_host = cache(services.get_backend_for_host)

    def respond(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        route = routes.get(environ["PATH_INFO"])
        if route is not None:
            return route(environ, start_response)
        reply = answer(services.get_application(environ), ServerRequest(environ))
        start_response(f"{reply.status} {HTTPStatus(reply.status).phrase}", _headers(environ, reply))
        return [reply.body]

    return respond


def _headers(environ: WSGIEnvironment, reply: Reply) -> list[tuple[str, str]]:
    """The answer to HEAD says how long the body would be that it doesn't have."""
    headers = {name.lower(): value for name, value in reply.headers.items()}
    if environ["REQUEST_METHOD"] != "HEAD" or "content-length" not in headers:
        headers["content-length"] = str(len(reply.body))
    return list(headers.items())
