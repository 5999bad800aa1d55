"""One SES: takes mails, keeps them, and reports what becomes of them."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import count
from threading import Lock
from typing import Any

from infra.embedded.ses.account import Account
from infra.embedded.ses.config import SesConfig
from infra.embedded.ses.configuration_sets import check_sending, suppressed_reasons
from infra.embedded.ses.errors import ConnectionLost, SesError
from infra.embedded.ses.events import Occurrence
from infra.embedded.ses.faults import AFTER, BEFORE, strike
from infra.embedded.ses.feedback import Planned, plan
from infra.embedded.ses.identities import Identities
from infra.embedded.ses.mail import Mail, ses_id
from infra.embedded.ses.message import Stamp, read_mail
from infra.embedded.ses.publishing import publish
from infra.embedded.ses.rules import check
from infra.embedded.ses.scheduler import Scheduler
from infra.embedded.ses.suppression_list import SuppressedDestination, SuppressionList, reason_of

__all__ = ["SimulatedSes"]

LOG = logging.getLogger(__name__)
MOST_ATTEMPTS = 3
RETRY_AFTER = 1.0


class SimulatedSes:
    """Thread-safe; `clock` gives seconds since the epoch.

    Events are published at least once by a thread of its own, unordered, until `close`.
    """

    def __init__(self, config: SesConfig, clock: Callable[[], float] = time.time) -> None:
        self.config = config
        self.account = Account(config, clock)
        self.suppression = SuppressionList()
        self._clock = clock
        self._identities = Identities(config.verified)
        self._calls = count()
        self._mails: list[Mail] = []
        self._counters: Counter[str] = Counter()
        self._lock = Lock()
        self._scheduler: Scheduler[Planned] = Scheduler(self._publish)

    @property
    def counters(self) -> Mapping[str, int]:
        """Calls by how they ended, and events by what became of them; absent names read as 0.

        accepted, throttled, over_quota, paused, refused, lost; published, undeliverable.
        """
        with self._lock:
            return Counter(self._counters)

    def mails(self) -> tuple[Mail, ...]:
        """Every accepted mail, newest last."""
        with self._lock:
            return tuple(self._mails)

    def forget(self, gone: Callable[[Mail], bool]) -> None:
        """Drop mails from the outbox; their feedback still comes."""
        with self._lock:
            self._mails = [mail for mail in self._mails if not gone(mail)]

    def pending(self) -> int:
        """Events that are still to be published."""
        return self._scheduler.pending()

    def settle(self, timeout: float | None = None) -> bool:
        """Wait until no event is pending; False when the time ran out first."""
        return self._scheduler.settle(timeout)

    def close(self) -> None:
        """Stop at once; pending events are dropped."""
        self._scheduler.close()

    def send(self, request: Mapping[str, Any], account: str, region: str) -> str:
        """A SendEmail request; returns its MessageId. Raises `SesError` or `ConnectionLost`."""
        call = next(self._calls)
        try:
            strike(self.config, call, BEFORE)
            mail = self._accept(dict(request), self._stamp(call, account, region))
            strike(self.config, call, AFTER)
        except (SesError, ConnectionLost) as error:
            self._count(error.counted)
            raise
        return mail.message_id

    def emit(
        self, mail: Mail, kind: str, details: Mapping[str, Any] | None = None, wait: float = 0.0
    ) -> None:
        """Have SES report something more about the mail's first recipient, of any `eventType`."""
        occurrence = Occurrence(mail, mail.recipients[0], kind, self.now(), details or {})
        self._scheduler.schedule(wait, Planned(wait, occurrence))

    def _accept(self, request: dict[str, Any], stamp: Stamp) -> Mail:
        mail = read_mail(request, stamp)
        for gate in (check, check_sending, self._identities.check, self.account.admit):
            gate(mail)
        with self._lock:
            self._mails.append(mail)
            self._counters["accepted"] += 1
        for planned in plan(mail, self.config, self.suppression.__contains__):
            self._scheduler.schedule(planned.wait, planned)
        return mail

    def _publish(self, planned: Planned) -> None:
        self._suppress(planned.occurrence)
        try:
            self._count("published", publish(planned.occurrence))
        except Exception as error:  # noqa: BLE001  (whatever a subscriber does, SES goes on)
            self._again(planned, error)

    def _again(self, planned: Planned, error: Exception) -> None:
        if planned.attempt + 1 < MOST_ATTEMPTS:
            wait = RETRY_AFTER * self.config.delay_scale
            self._scheduler.schedule(wait, planned._replace(attempt=planned.attempt + 1))
            return
        LOG.warning("SES gave up publishing %s", planned.occurrence.kind, exc_info=error)
        self._count("undeliverable")

    def _suppress(self, it: Occurrence) -> None:
        reason = reason_of(it.kind, it.recipient, it.details)
        if reason in suppressed_reasons(it.mail, self.suppression.reasons):
            ids = (it.mail.message_id, it.feedback_id)
            self.suppression.put(SuppressedDestination(it.recipient, str(reason), it.time, *ids))

    def _stamp(self, call: int, account: str, region: str) -> Stamp:
        now = self.now()
        return Stamp(ses_id(now, self.config.seed, call, account, region), now, account, region)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _count(self, name: str, by: int = 1) -> None:
        with self._lock:
            self._counters[name] += by
