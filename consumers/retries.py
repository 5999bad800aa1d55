"""Whether a retry is still of use: an out-of-office reply looks like a soft bounce, and the mail has arrived."""

from collections.abc import Collection, Mapping
from typing import Protocol

from consumers.tasks import Task
from pipeline.events import MailFailed
from projections.store import Stored
from projections.tracking import Mail

__all__ = ["Mails", "needless"]

ARRIVED = {"delivered", "opened"}


class Mails(Protocol):
    """The rows of mails, as the log has been folded so far."""

    def load(self, keys: Collection[str]) -> Mapping[str, Stored[Mail]]: ...


def needless(task: Task, mails: Mails) -> MailFailed | None:
    """The fact that says why a retry isn't sent; None for what is to be sent. Raises Unavailable."""
    if not task.retry_attempt:
        return None
    original = mails.load([task.original_email_id]).get(task.original_email_id)
    status = original.state.status if original else None
    if status not in ARRIVED:
        return None
    sentence = f"the mail was {status} after all, so it is not sent a second time"
    return MailFailed(**task.known(), error_code="RETRY_NOT_NEEDED", error_message=sentence)
