"""What the log says of a mail, joined into its row without an effect: nothing is announced or sent again.

All that is replayed was processed by the projector, which has carried out what it asked for. So what a fact asks for
that the row didn't know is marked as done. What the row knew and still owes stays owed:

    the row is lost ─► feedback comes: a row without its request, that can't be announced ─► replay brings the request

A row that is lost while it waits takes what it owed with it: nobody else knows that it was not announced.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from pipeline.envelope import Envelope
from pipeline.events import MailFact, MailFailed, MailSent
from projections.effects import Announcement, Effect, due, marked
from projections.status import STATUS
from projections.tracking import Mail, join

__all__ = ["owes", "rejoined", "reminder"]

_KINDS: Mapping[str, type[MailFact]] = {"sent": MailSent, "failed": MailFailed}


def rejoined(stored: Mail | None, said: Mail, notify: Collection[str]) -> Mail:
    """`said` by the log up to where the projector has come. Idempotent, and commutative with the projector's joins."""
    known = stored.slots.keys() if stored else ()
    joined = join(stored, replace(said, done=frozenset())) if stored else said
    return marked(joined, [effect for effect in due(joined, notify) if not _bearing(effect) & set(known)])


def owes(stored: Mail, joined: Mail, notify: Collection[str]) -> bool:
    """Whether the projector has to look at it once more: its request was not known, and something waited for it."""
    return stored.outcome is None and any(due(joined, notify))


def reminder(mail: Mail) -> Envelope:
    """The fact that bears the request, as it stands in the log: told again it changes nothing, but is looked at."""
    slot = "failed" if "failed" in mail.slots else "sent"
    known = mail.slots[slot].first
    fact = _KINDS[slot].model_validate({**known.says, "emailId": mail.email_id})
    return fact.envelope(known.id, known.time)


def _bearing(effect: Effect) -> set[str]:
    """The slots from which an effect follows."""
    if isinstance(effect, Announcement):
        return {slot for slot, status in STATUS.items() if status == effect.status}
    return {"soft_bounced"}
