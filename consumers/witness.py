"""What SES reports of a mail proves that it took it: whoever reads that closes a claim that is still open.

    feedback ─► read the claims ─┬► closed, or none ─► finish
                                 └► open ─► the request, from the log ─► settle as sent ─► finish

Delivery guarantee: a record is finished once no open claim is left under what it says. Sending waits for
nothing here, but for a place in a long queue.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from functools import partial

from consumers.carrying import Desk
from consumers.gates import valid
from consumers.groups import InGroups
from consumers.ledger import Claim, Ledger
from consumers.mail import Refusal
from consumers.settling import Outcome
from consumers.tasks import Task
from pipeline.codec import Logged, Request, decode
from pipeline.events import MailSent
from pipeline.feedback import Feedback
from pipeline.log import Log, Record

__all__ = ["Heard", "Witness"]

MOST_WAITING = 5000
ATTEMPTS = 2  # among others, and alone
GATHER_SECONDS = 0.2  # for others, and for the owner, who mostly closes his claim himself

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """Feedback about a mail of this engine, and the record it came in."""

    email_id: str
    feedback: Feedback
    event: Logged
    record: Record
    finish: Callable[[], None]


class Witness:
    """One for all shards of a process."""

    def __init__(self, desk: Desk, ledger: Ledger, log: Log, gather: float = GATHER_SECONDS) -> None:
        self._desk, self._ledger, self._log = desk, ledger, log
        self._unheard: set[Heard] = set()
        self._lock = threading.Lock()
        self._groups: InGroups[Heard] = InGroups("witness", self._hear, self._fault, gather=gather)

    def put(self, heard: Heard) -> None:
        """Raises Stopped."""
        while self._groups.waiting >= MOST_WAITING:
            self._desk.patience.pause(0.1)
        with self._lock:
            self._unheard.add(heard)
        self._groups.put(heard)

    @property
    def unheard(self) -> frozenset["Heard"]:
        with self._lock:
            return frozenset(self._unheard)

    def stop(self, timeout: float) -> None:
        """Hear what has been put, until the timeout."""
        self._groups.stop(timeout)

    def _hear(self, group: Sequence[Heard]) -> None:
        ids = {heard.email_id for heard in group}
        claims = self._desk.patience.call(lambda: self._ledger.still_open(ids))
        for heard in group:
            claim = claims.get(heard.email_id)
            fact = self._sent(heard, claim) if claim else None
            if claim and fact:
                closed = self._desk.clerk.closed(claim, fact)
                self._desk.settler.put(Outcome.of(closed, heard.record, partial(self._finish, heard)))
            else:
                self._finish(heard)

    def _finish(self, heard: Heard) -> None:
        with self._lock:
            self._unheard.discard(heard)
        heard.finish()

    def _sent(self, heard: Heard, claim: Claim) -> MailSent | None:
        """What the owner of the claim would have said; from the feedback alone where the request is gone."""
        task = self._task(heard, claim)
        feedback, known = heard.feedback, task.known()
        known |= {"to_email": next(iter(feedback.recipients), task.to)}
        try:
            request = valid(task)
            known |= {"to_email": request.to, "unknown_fields": request.unknown_fields}
        except Refusal:
            _log.warning("the request of %s can't be read any more; SES has sent it", task.place)
        if known["to_email"] is None:
            return None
        return MailSent(**known | {"subject": _subject(heard)}, ses_message_id=feedback.message_id)

    def _task(self, heard: Heard, claim: Claim) -> Task:
        feedback, place = heard.feedback, claim.place or heard.record.place
        return Task(
            heard.email_id,
            feedback.original_email_id or heard.email_id,
            feedback.retry_attempt,
            claim.event_id,
            place,
            self._request(claim),
            heard.record,
            heard.finish,
        )

    def _request(self, claim: Claim) -> Request | None:
        place = claim.place
        record = self._desk.patience.call(lambda: self._log.fetch(place)) if place else None
        body = decode(record.data).body if record else None
        return body if isinstance(body, Request) else None

    def _fault(self, heard: Heard, error: Exception) -> None:
        desk = self._desk
        desk.patience.call(lambda: desk.parking.park(heard.record, error, ATTEMPTS))
        self._finish(heard)


def _subject(heard: Heard) -> str | None:
    """As people read it; SES may repeat it as it stood in the header."""
    headers = heard.event.envelope.detail["mail"].get("commonHeaders")
    subject = headers.get("subject") if isinstance(headers, dict) else None
    if not isinstance(subject, str):
        return None
    try:
        return str(make_header(decode_header(subject)))
    except (HeaderParseError, LookupError, ValueError):
        return subject
