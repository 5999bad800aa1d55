"""What becomes of a mail: AWS's mailbox simulator, its extensions here, and a population of ordinary people.

Pure: the recipient, the tags and a seed decide everything, so that a run repeats. A `+label` that the
table doesn't know behaves as the bare address; further labels only tell addresses apart. Case doesn't matter.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from infra.embedded.ses.bounce_types import BOUNCES, COMPLAINTS, OUT_OF_OFFICE
from infra.embedded.ses.dice import between, chance
from infra.embedded.ses.mail import SIMULATOR

__all__ = ["ON_ACCOUNT_LIST", "Happening", "Step", "behaviour", "steps"]


class Happening(NamedTuple):
    """An SES `eventType` and what is particular to this one."""

    kind: str
    details: Mapping[str, Any] = MappingProxyType({})


class Step(NamedTuple):
    """A happening, so many seconds after SES took the mail."""

    delay: float
    kind: str
    details: Mapping[str, Any]


Happenings = tuple[Happening, ...]
Branches = tuple[tuple[float, Happenings], ...]


def bounce(sub_type: str) -> Happening:
    return Happening("Bounce", BOUNCES[sub_type].details())


def complaint(feedback_type: str) -> Happening:
    return Happening("Complaint", {"complaintFeedbackType": feedback_type})


SENT = Happening("Send")
DELIVERED = Happening("Delivery")
DELAYED = Happening("DeliveryDelay", {"delayType": "TransientCommunicationFailure"})
REJECTED = Happening("Reject", {"reason": "Bad content"})
OPENED = Happening("Open", {"isBotEvent": "Unlikely"})
OPENED_BY_BOT = Happening("Open", {"isBotEvent": "Likely"})
CLICKED = Happening("Click", {"isBotEvent": "Unlikely"})
AUTO_REPLIED = Happening("Bounce", OUT_OF_OFFICE.details())
ON_ACCOUNT_LIST = (bounce("OnAccountSuppressionList"),)

MAILBOXES: dict[str, Happenings] = {
    "success": (DELIVERED,),
    "success+open": (DELIVERED, OPENED),
    "success+click": (DELIVERED, OPENED, CLICKED),
    "success+botopen": (DELIVERED, OPENED_BY_BOT),
    "success+delay": (DELAYED, DELIVERED),
    "success+reject": (REJECTED,),
    "bounce": (bounce("General"),),
    "bounce+soft": (bounce("MailboxFull"),),
    "bounce+softonce": (bounce("MailboxFull"),),
    **{f"bounce+{sub_type.lower()}": (bounce(sub_type),) for sub_type in BOUNCES},
    "ooto": (DELIVERED, AUTO_REPLIED),
    "complaint": (DELIVERED, complaint("abuse")),
    **{f"complaint+{kind}": (DELIVERED, complaint(kind)) for kind in COMPLAINTS},
    "suppressionlist": (bounce("Suppressed"),),
}
MAILBOXES_AT_RETRY = MAILBOXES | {"bounce+softonce": (DELIVERED,)}
NO_SUCH_MAILBOX = MAILBOXES["bounce"]

# One draw for each group; the first branch whose (cumulative) share exceeds it is taken.
FATE: Branches = (
    (0.015, (bounce("General"),)),
    (0.027, (bounce("MailboxFull"),)),
    (0.031, (AUTO_REPLIED,)),
    (0.035, (bounce("CustomTimeoutExceeded"),)),
)
IF_DELIVERED: tuple[Branches, ...] = (
    ((0.01, (DELAYED,)),),
    ((1.0, (DELIVERED,)),),
    ((0.08, (OPENED_BY_BOT,)),),
    ((0.40 * 0.12, (OPENED, CLICKED)), (0.40, (OPENED,))),
    ((0.001, (complaint("abuse"),)),),
)


def behaviour(recipient: str, tags: Mapping[str, str], seed: int) -> list[Step]:
    """All that SES will report of a mail to this recipient, in the order in which it happens."""
    key = (seed, tags.get("emailId", ""), recipient)
    local, _, domain = recipient.lower().rpartition("@")
    named = {SIMULATOR: _simulated(local, tags), "example.com": (DELIVERED,)}
    return steps(named[domain] if domain in named else _ordinary(key), key)


def steps(happenings: Happenings, key: tuple[object, ...]) -> list[Step]:
    """The happenings after SES's own `Send`, each some 10 to 100 ms after the one before."""
    at, result = 0.0, []
    for number, (kind, details) in enumerate((SENT, *happenings)):
        at += between(0.01, 0.1, *key, "gap", number)
        result.append(Step(at, kind, details))
    return result


def _simulated(local: str, tags: Mapping[str, str]) -> Happenings:
    table = MAILBOXES if tags.get("retryAttempt", "0") == "0" else MAILBOXES_AT_RETRY
    name, *labels = local.split("+")
    labelled = "+".join([name, *labels[:1]])
    return table.get(labelled) or table.get(name, NO_SUCH_MAILBOX)


def _ordinary(key: tuple[object, ...]) -> Happenings:
    bounced = _branch(FATE, chance(*key, "fate"))
    if bounced:
        return bounced
    drawn = (_branch(group, chance(*key, number)) for number, group in enumerate(IF_DELIVERED))
    return tuple(happening for happenings in drawn for happening in happenings)


def _branch(branches: Branches, draw: float) -> Happenings:
    return next((happenings for share, happenings in branches if draw < share), ())
