"""The sender: requests of one shard, and deferred requests that came due, become tasks of the sending."""

import time
from collections.abc import Callable, Sequence
from functools import partial

from consumers.handler import Handler, Watermark
from consumers.hearing import Ear
from consumers.lanes import Lane
from consumers.sending import Sending
from consumers.tasks import Task
from consumers.witness import Heard, Witness
from pipeline import ids
from pipeline.codec import Event, Request, Unreadable, decode
from pipeline.events import SendDue
from pipeline.feedback import Feedback
from pipeline.log import Log, Record

__all__ = ["Sender"]


class Sender(Handler):
    """For one shard; without a lane it takes every request, without a witness no feedback.

    `ear` notes how far the witness has heard the shard.
    """

    def __init__(
        self,
        sending: Sending,
        log: Log,
        lane: Lane | None = None,
        witness: Witness | None = None,
        ear: Ear | None = None,
    ) -> None:
        self._sending, self._log, self._lane, self._witness, self._ear = sending, log, lane, witness, ear
        self._watermark = Watermark()

    def process(self, records: Sequence[Record]) -> None:
        """Accepts a record once nothing can be at fault any more."""
        for record in records:
            begin = self._begun(record)
            if self._watermark.accept(record.sequence):
                begin()
        for task in self._lane.overlooked() if self._lane else ():
            self._sending.submit(task)
        if self._ear:
            self._ear.reached(records[-1].sequence if records else None)

    def _begun(self, record: Record) -> Callable[[], None]:
        """What is to be done with a record, once it is accepted."""
        match self._asked(record):
            case Task() as task if self._lane is None or self._lane.is_mine(task):
                return partial(self._sending.submit, task)
            case Task() as task if self._lane:
                return partial(self._lane.leave, task)
            case Heard() as heard if self._witness:
                return partial(self._witness.put, heard)
        return partial(self._watermark.finish, record.sequence)

    def durable(self) -> int | None:
        return self._watermark.durable

    def settle(self, deadline: float) -> None:
        if self._lane:
            self._lane.settle()
        if self._watermark.wait(deadline - time.monotonic()) and self._ear:
            self._ear.finished()

    def drain(self, deadline: float) -> None:
        if self._witness:
            self._witness.stop(max(0.0, deadline - time.monotonic()))
        self._sending.stop(max(0.0, deadline - time.monotonic()))

    def _asked(self, record: Record) -> Task | Heard | None:
        """What a record asks to be sent, or says of a mail of ours, if anything."""
        finish = partial(self._watermark.finish, record.sequence)
        try:
            event = decode(record.data)
        except Unreadable:
            return None
        match event.body:
            case Request() as request:
                email_id, place = request.email_id, record.place
                return Task(email_id, email_id, 0, event.id, place, request, record, finish, event.time)
            case SendDue() as due:
                return self._deferred(due, record, finish)
            case Feedback(email_id=str() as email_id) as feedback:
                return Heard(email_id, feedback, event, record, finish)
        return None

    def _deferred(self, due: SendDue, record: Record, finish: Callable[[], None]) -> Task:
        """The request that a `Send Due` points to, read from the log again."""
        event = self._request_at(due)
        request = event.body if event and isinstance(event.body, Request) else None
        event_id = event.id if event else ids.derived_id("gone", due.original_email_id)
        return Task(
            due.email_id,
            due.original_email_id,
            due.retry_attempt,
            event_id,
            due.place,
            request,
            record,
            finish,
            event.time if event else None,
            due.deferrals,
            due.reason,
        )

    def _request_at(self, due: SendDue) -> Event | None:
        record = self._log.fetch(due.place)
        return decode(record.data) if record else None
