"""HTTP on one local port: HTTP/1.1, and HTTP/2 without TLS with prior knowledge, by hypercorn in a thread."""

import asyncio
import errno
import logging
import socket
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import Any
from wsgiref.types import WSGIApplication

from hypercorn.asyncio import serve
from hypercorn.config import Config

from infra.embedded.wsgi import in_threads

__all__ = ["PortInUse", "Server", "listen"]

WAITING = 100  # a long poll occupies a thread for up to 20 s
GRACE = 0.3  # seconds that requests in flight get when the server stops


class PortInUse(Exception):
    """Another process listens there: choose another port, or 0 for a free one."""


def listen(host: str, port: int) -> socket.socket:
    """A socket to which clients can connect at once. Raises PortInUse; any other OSError as it is."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just left may be taken again
        listener.bind((host, port))
        listener.listen(WAITING)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"port {port} on {host} is in use") from error
        raise
    return listener


class Server:
    """Serves from construction until `stop`; several requests at a time."""

    def __init__(self, app: WSGIApplication, listener: socket.socket) -> None:
        self._threads = ThreadPoolExecutor(WAITING, thread_name_prefix="embedded-aws")
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = Thread(target=self._run, args=(app, listener), name="embedded-aws-http", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuses new requests, gives those in flight a moment, and leaves no thread behind."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._threads.shutdown(cancel_futures=True)

    def _run(self, app: WSGIApplication, listener: socket.socket) -> None:
        config = _config(listener)
        served: Any = in_threads(app, self._threads)
        serving = serve(served, config, shutdown_trigger=self._stopping.wait, mode="asgi")
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(_to_the_end(serving))


async def _to_the_end(serving: Awaitable[None]) -> None:
    await serving
    # A connection accepted in the last moment has a task that hasn't begun. Cancelled now, it would leave the
    # socket open and its client waiting; once begun it closes it.
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        if (await asyncio.wait(others, timeout=GRACE))[1]:
            return


def _config(listener: socket.socket) -> Config:
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.errorlog = logging.getLogger(__name__)
    config.graceful_timeout = GRACE
    config.include_server_header = False
    config.keep_alive_timeout = 600
    config.keep_alive_max_requests = 2**31
    return config
