"""Settling outcomes in groups: close the claims, append the facts, and only then call a task finished."""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from consumers.ledger import Claim, Ledger
from consumers.patience import Patience, Stopped
from pipeline.envelope import Envelope
from pipeline.log import Log

__all__ = ["Outcome", "Settler"]

GROUP = 100

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A fact to be appended, and the closed claim that holds it (None where none is to be written)."""

    fact: Envelope
    claim: Claim | None
    finish: Callable[[], None]


class Settler:
    def __init__(self, ledger: Ledger, log: Log, patience: Patience) -> None:
        self._ledger, self._log, self._patience = ledger, log, patience
        self._outcomes: queue.Queue[Outcome | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="settle", daemon=True)
        self._thread.start()

    def put(self, outcome: Outcome) -> None:
        self._outcomes.put(outcome)

    def stop(self, timeout: float) -> None:
        """Settle what has been put, until the timeout."""
        self._outcomes.put(None)
        self._thread.join(timeout)
        self._patience.stopping.set()

    def _run(self) -> None:
        try:
            while group := self._next():
                self._settled(group)
        except Stopped:
            return

    def _settled(self, group: Sequence[Outcome]) -> None:
        """An outcome at fault must not take the others with it: its task stays unfinished, and comes again."""
        try:
            self._settle(group)
        except Stopped:
            raise
        except Exception:  # noqa: BLE001  the outcome at fault is found by settling each alone
            if len(group) == 1:
                _log.exception("%s could not be settled", group[0].fact.id)
                return
            for outcome in group:
                self._settled([outcome])

    def _next(self) -> Sequence[Outcome]:
        """Empty once there is nothing more to come."""
        first = self._outcomes.get()
        group = [first] if first else []
        while group and len(group) < GROUP and not self._outcomes.empty():
            another = self._outcomes.get()
            if another is None:
                self._outcomes.put(None)
                break
            group.append(another)
        return group

    def _settle(self, group: Sequence[Outcome]) -> None:
        claims = [outcome.claim for outcome in group if outcome.claim]
        self._patience.call(lambda: self._ledger.close(claims))
        self._patience.call(lambda: self._log.append([outcome.fact for outcome in group]))
        for outcome in group:
            outcome.finish()
