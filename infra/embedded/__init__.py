"""An AWS in this process: moto's backends on one local port, with what moto lacks beside them.

    with EmbeddedAws() as aws:
        deploy(aws.client("cloudformation"), "mystack", {...})
        boto3.client("events", endpoint_url=aws.endpoint)

Each behaviour that moto lacks has a file named after it, and is driven by what is deployed.
"""

from contextlib import AbstractContextManager
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.sqs.models import sqs_backends

from infra.embedded import (
    atomic_requests,
    bounded_memory,
    cheap_transactions,
    cloudformation,
    dispatch,
    in_process,
    kinesis_records,
    kinesis_streams,
    known_backends,
    partiql,
    plain_results,
    put_events_size,
    rule_delivery,
    ses,
    sqs_counting,
)
from infra.embedded.application import application
from infra.embedded.patches import Patches
from infra.embedded.pipes import Pipes
from infra.embedded.server import PortInUse, Server, listen
from infra.embedded.sqs_waiting import Waiting

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

__all__ = ["ACCOUNT", "EmbeddedAws", "PortInUse"]

ACCOUNT = "123456789012"

BEHAVIOURS = (
    known_backends,
    bounded_memory,
    plain_results,
    put_events_size,
    rule_delivery,
    kinesis_records,
    kinesis_streams,
    partiql,
    cheap_transactions,
    sqs_counting,
    cloudformation,
    atomic_requests,  # last: its locks go around everything
)

# moto's backends belong to the process, so there is one embedded AWS in it at a time.
_occupied = Lock()


class EmbeddedAws(AbstractContextManager["EmbeddedAws"]):
    """Open from construction until `close`; begins empty and keeps nothing.

    Raises PortInUse before anything has been started, RuntimeError if another one is open in this process.
    `ses` is its simulated SES; `routes` maps further paths of the port to WSGI applications; it may be added to at any time.
    """

    def __init__(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        region: str = "us-east-1",
        ses_config: ses.SesConfig | None = None,
    ) -> None:
        listener = listen(host, port)
        if not _occupied.acquire(blocking=False):
            listener.close()
            raise RuntimeError("there is an embedded AWS in this process already: close it first")
        self.region = region
        self.endpoint = f"http://{host}:{listener.getsockname()[1]}"
        self.routes: dict[str, WSGIApplication] = {}
        self._closed = False
        self._patches = Patches()
        self._pipes, self._waiting = Pipes(), Waiting()
        _forget_everything()
        self._install()
        self.ses = ses.install(ses_config)
        self.routes.update(ses.routes(self.ses))
        self._server = Server(application(self.routes), listener)

    def client(self, service: str, config: Config | None = None) -> Any:
        """A boto3 client that calls the backends in this process; for the region, whatever the environment says."""
        return in_process.client(service, self.region, config, closed=lambda: self._closed)

    def close(self) -> None:
        """Stops at once: requests in flight get a fraction of a second. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        ses.uninstall()
        self._pipes.stop()
        self._waiting.release(_queues())
        self._server.stop()
        self._patches.undo()
        _forget_everything()
        _occupied.release()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _install(self) -> None:
        self._pipes.install(self._patches)
        self._waiting.install(self._patches)
        for behaviour in BEHAVIOURS:
            behaviour.install(self._patches)
        dispatch.forget_routes()


def _queues() -> list[Any]:
    regions = [region for account in sqs_backends.values() for region in account.values()]
    return [queue for region in regions for queue in region.queues.values()]


def _forget_everything() -> None:
    BackendDict.reset()
    reset_model_data()
