"""Mails that failed, and the id under which each is asked for again."""

from typing import NamedTuple

from pipeline import ids
from pipeline.log import Place
from projections.status import STATUS
from projections.tracking import Mail

__all__ = ["Failure", "failure_of"]


class Failure(NamedTuple):
    """Why and when a mail failed is one event, `event_id`; `place` is that of its request."""

    time: str
    email_id: str
    event_id: str
    place: Place | None

    @property
    def new_id(self) -> str:
        """The same however often one failure is resent, and another once that fails, too."""
        return f"resend-{ids.derived_id('resend', self.email_id, self.event_id)}"


def failure_of(mail: Mail) -> Failure:
    """Of a mail that failed."""
    failed = [slot.first for name, slot in mail.slots.items() if STATUS.get(name) == "failed"]
    first = min(failed, key=lambda known: (known.time, known.id))
    place = mail.outcome.says.get("place") if mail.outcome else None
    return Failure(first.time, mail.email_id, first.id, Place(**place) if place else None)
