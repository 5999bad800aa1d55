"""Whether a retry is still of use: an out-of-office reply looks like a soft bounce, and the mail has arrived."""

from collections.abc import Collection, Mapping
from typing import Protocol

from consumers.tasks import Task
from pipeline.events import RetryNotNeeded
from projections.store import Stored
from projections.tracking import Mail

__all__ = ["Mails", "needless"]

ARRIVED = {"delivered", "opened"}


class Mails(Protocol):
    """The rows of mails, as the log has been folded so far."""

    def load(self, keys: Collection[str]) -> Mapping[str, Stored[Mail]]: ...


def needless(task: Task, mails: Mails) -> RetryNotNeeded | None:
    """The fact that says why a retry isn't sent; None for what is to be sent. Raises Unavailable."""
    if not task.retry_attempt:
        return None
    original = mails.load([task.original_email_id]).get(task.original_email_id)
    if original is None or original.state.status not in ARRIVED:
        return None
    reason = f"the mail was {original.state.status} after all, so it is not sent a second time"
    bounced = original.state.slots.get("soft_bounced")
    message_id = bounced.first.says["sesMessageId"] if bounced else None
    return RetryNotNeeded(**task.known(), reason=reason, ses_message_id=message_id)
