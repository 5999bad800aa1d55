"""The sender: requests of one shard, and deferred requests that came due, become tasks of the sending."""

import time
from collections.abc import Callable, Sequence
from functools import partial

from consumers.delivery import Task
from consumers.handler import Handler, Watermark
from consumers.sending import Sending
from pipeline import ids
from pipeline.codec import Event, Request, Unreadable, decode
from pipeline.events import SendDue
from pipeline.log import Log, Record

__all__ = ["Sender"]


class Sender(Handler):
    def __init__(self, sending: Sending, log: Log) -> None:
        self._sending, self._log = sending, log
        self._watermark = Watermark()

    def process(self, records: Sequence[Record]) -> None:
        for record in records:
            task = self._task(record)
            if self._watermark.accept(record.sequence):
                if task:
                    self._sending.submit(task)
                else:
                    self._watermark.finish(record.sequence)

    def durable(self) -> int | None:
        return self._watermark.durable

    def drain(self, deadline: float) -> None:
        self._sending.stop(max(0.0, deadline - time.monotonic()))

    def _task(self, record: Record) -> Task | None:
        """What a record asks to be sent, if anything."""
        finish = partial(self._watermark.finish, record.sequence)
        try:
            event = decode(record.data)
        except Unreadable:
            return None
        match event.body:
            case Request() as request:
                email_id, place = request.email_id, record.place
                return Task(email_id, email_id, 0, event.id, place, request, record, finish)
            case SendDue() as due:
                return self._deferred(due, record, finish)
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
        )

    def _request_at(self, due: SendDue) -> Event | None:
        record = self._log.fetch(due.place)
        return decode(record.data) if record else None
