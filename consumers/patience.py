"""Waiting for a service that is down: without limit, with jitter, until the process is asked to stop."""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential_jitter

from consumers import pulse
from consumers.metrics import Metrics, silent
from pipeline.errors import Misconfigured, Unavailable
from pipeline.logs import brief

__all__ = ["Patience", "Stopped"]

LONGEST_WAIT = 20.0

_log = logging.getLogger(__name__)
Result = TypeVar("Result")


class Stopped(Exception):
    """The process is stopping; what was not finished comes again after the next start."""


class Patience:
    """Each wait is logged and counted, by what is waited for."""

    def __init__(self, name: str, stopping: threading.Event, metrics: Metrics | None = None) -> None:
        self._name, self.stopping = name, stopping
        self._metrics = metrics or silent()

    def call(self, action: Callable[[], Result]) -> Result:
        """The action's result, however long its services are Unavailable.

        Raises:
            Stopped: while waiting.
        """
        pulse.sign()  # many short calls are no hanging one
        patient = Retrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_exponential_jitter(multiplier=0.1, max=LONGEST_WAIT),
            sleep=self.pause,
            before_sleep=self._alert,
            reraise=True,
        )
        return patient(action)

    def pause(self, seconds: float) -> None:
        pulse.rest(seconds)
        if self.stopping.wait(seconds):
            raise Stopped
        pulse.sign()

    def _alert(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        level = logging.ERROR if isinstance(error, Misconfigured) else logging.WARNING
        _log.log(level, "%s waits for a service: %s", self._name, brief(error))
        self._metrics.count("Waiting", Reason=brief(error))
