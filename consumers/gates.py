"""The gates a mail goes through before it is rendered. Each refuses with a code and a sentence with the remedy.

Order: validate → age → holds → suppression → bounce rate → (template → SES).
"""

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from consumers.mail import Postponed, Refusal
from consumers.tasks import Task
from pipeline import requests, times
from pipeline.requests import EmailRequest
from pipeline.times import Clock
from projections.holds import KEPT_SECONDS, Hold
from projections.reputation import Reputation

__all__ = [
    "BOUNCE_RATE",
    "PAUSED",
    "BounceRate",
    "Gates",
    "Holds",
    "Limits",
    "not_suppressed",
    "valid",
    "young_enough",
]

BOUNCE_RATE = "bounce rate"
PAUSED = "paused"
MOST_DEFERRALS = 3
DEFERRAL_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Limits:
    """`bounce_rate` as a share, above which mail is refused once `minimum_sends` were accepted that day."""

    age: timedelta = timedelta(hours=72)
    bounce_rate: float = 0.05
    minimum_sends: int = 100


def valid(task: Task) -> EmailRequest:
    if task.request is None:
        raise Refusal(
            "REQUEST_GONE", "the request has left the log before its time came; ask for the mail again"
        )
    if task.request.fault:
        raise Refusal("INVALID_REQUEST", f"the request can't be used: {task.request.fault}")
    try:
        return requests.parse(task.request.detail)
    except requests.InvalidRequest as error:
        raise Refusal("INVALID_REQUEST", f"the request can't be used: {error}") from error


def young_enough(task: Task, request: EmailRequest, now: Clock, limits: Limits) -> None:
    if request.is_expired(now()):
        raise Refusal("REQUEST_EXPIRED", f"expired: it was to be sent before {request.expires_at}")
    if task.requested and now() - times.parse(task.requested) > limits.age:
        hours = limits.age.total_seconds() / 3600
        sentence = f"expired: it could not be sent within {hours:g} hours; ask for the mail again if it is still of use"
        raise Refusal("REQUEST_EXPIRED", sentence)


def not_suppressed(row: Mapping[str, Any] | None) -> None:
    if row:
        sentence = (
            f"the recipient is suppressed since {row['addedToSuppressionDate']} ({row['reason']}); "
            "release the address if it may be mailed again"
        )
        raise Refusal("RECIPIENT_SUPPRESSED", sentence)


class Holds:
    """The standing pauses, looked up at most every few seconds. Thread-safe.

    A request that matches one comes back after `round_seconds`, as often as it takes, until it is too old.
    """

    def __init__(
        self,
        read: Callable[[], Collection[Hold]],
        now: Clock,
        round_seconds: float,
        keep_seconds: float = KEPT_SECONDS,
    ) -> None:
        self._read, self._now = read, now
        self._round, self._keep = round_seconds, timedelta(seconds=keep_seconds)
        self._known: Collection[Hold] = ()
        self._until = times.parse("1970-01-01")
        self._lock = threading.Lock()

    def check(self, task: Task, request: EmailRequest) -> None:
        """Raises Postponed."""
        asked = task.source, request.template_name, request.metadata
        if any(hold.selector.matches(*asked) for hold in self._standing()):
            raise Postponed(PAUSED, self._round)

    def _standing(self) -> Collection[Hold]:
        with self._lock:
            now = self._now()
            if now >= self._until:
                self._known = self._read()
                self._until = now + self._keep
            return self._known


class BounceRate:
    """The day's bounce rate, looked up at most every few seconds. Thread-safe."""

    def __init__(
        self, read: Callable[[str], Reputation], limits: Limits, now: Clock, keep_seconds: float = 10.0
    ) -> None:
        self._read, self._limits, self._now = read, limits, now
        self._keep = timedelta(seconds=keep_seconds)
        self._known = Reputation(0, 0)
        self._until = times.parse("1970-01-01")
        self._lock = threading.Lock()

    def check(self, task: Task) -> None:
        """Raises Refusal for a first attempt; a retry is Postponed some times before it is refused."""
        today, limits = self._today(), self._limits
        if today.accepted < limits.minimum_sends or today.rate <= limits.bounce_rate:
            return
        if task.retry_attempt and task.deferrals < MOST_DEFERRALS:
            raise Postponed(BOUNCE_RATE, DEFERRAL_SECONDS)
        raise Refusal(
            "BOUNCE_RATE_EXCEEDED",
            f"Email not sent: bounce rate exceeded ({today.rate:.1%} of {today.accepted} mails today, the limit is"
            f" {limits.bounce_rate:.1%}); find out who bounces, and ask for the mail again tomorrow",
        )

    def _today(self) -> Reputation:
        with self._lock:
            now = self._now()
            if now >= self._until or times.text(now)[:10] != times.text(self._until - self._keep)[:10]:
                self._known = self._read(times.text(now)[:10])
                self._until = now + self._keep
            return self._known


@dataclass(frozen=True, slots=True)
class Gates:
    """All of them but the first, in their order."""

    holds: Holds
    bounce_rate: BounceRate
    limits: Limits
    now: Clock

    def check(self, task: Task, request: EmailRequest, suppression: Mapping[str, Any] | None) -> None:
        """Raises Refusal: never. Postponed: not now."""
        young_enough(task, request, self.now, self.limits)
        self.holds.check(task, request)
        not_suppressed(suppression)
        self.bounce_rate.check(task)
