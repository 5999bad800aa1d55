"""What the projector finds in the log after ten minutes in which nobody read: all events of some mails, as they came."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from pipeline import times
from pipeline.envelope import OUR_SOURCE, Envelope
from tests.builders import mail_sent, piped, recipient, ses_event, tags

__all__ = ["Arriving", "arriving", "stages"]

START = times.parse("2026-03-01T09:00:00.000Z")
MAILS_A_SECOND = 5.0
OPENED, BOUNCED = 0.40, 0.02
MEAN_SECONDS_TO_OPEN = 600.0
AGENT = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


class Arriving(NamedTuple):
    """An event, how many seconds after the start it came, and of which kind and mail it is."""

    seconds: float
    kind: str
    mail: int
    envelope: Envelope


def arriving(mails: int) -> list[Arriving]:
    """In order of arrival. Each mail: sent, Send, Delivery, 40% an Open, 2% a Bounce."""
    dice = random.Random(1)
    return sorted(event for number in range(mails) for event in _of_mail(number, dice))


def stages(events: list[Arriving]) -> list[list[Arriving]]:
    """The same kind by kind, so that a batch has no two events of one mail."""
    kinds = ("sent", "Send", "Delivery", "Bounce", "Open")
    return [[event for event in events if event.kind == kind] for kind in kinds]


def _of_mail(number: int, dice: random.Random) -> Iterator[Arriving]:
    accepted = number / MAILS_A_SECOND
    delivered = accepted + dice.lognormvariate(0.7, 0.5)
    yield _sent(number, accepted + 0.1)
    yield _feedback("Send", number, accepted, accepted + 0.4)
    yield _feedback("Delivery", number, delivered, delivered + 0.4)
    if dice.random() < OPENED:
        opened = delivered + dice.expovariate(1 / MEAN_SECONDS_TO_OPEN)
        yield _feedback("Open", number, opened, opened + 0.4)
    if dice.random() < BOUNCED:
        bounced = delivered + dice.expovariate(1 / 30)
        yield _feedback("Bounce", number, bounced, bounced + 0.4)


def _at(seconds: float) -> str:
    return times.text(START + timedelta(seconds=seconds))


def _to(number: int) -> str:
    return f"person{number}@customer{number % 50}.example"


def _message_id(number: int) -> str:
    return f"0100019a1b2c3d4e-{number:08x}-0000-4e11-9a1b-0123456789ab-000000"


def _sent(number: int, seconds: float) -> Arriving:
    fact = mail_sent(
        f"order-{number}",
        to_email=_to(number),
        ses_message_id=_message_id(number),
        subject=f"Order {number} is on its way",
        event_id=f"7bf73129-1428-4cd3-a780-{number:012d}",
    )
    detail = fact.model_dump(by_alias=True, exclude_none=True)
    envelope = Envelope(
        id=f"sent-{number}", source=OUR_SOURCE, detail_type="Mail Sent", time=_at(seconds), detail=detail
    )
    return Arriving(seconds, "sent", number, envelope)


def _feedback(kind: str, number: int, happened: float, came: float) -> Arriving:
    to = _to(number)
    mail = {
        "timestamp": _at(number / MAILS_A_SECOND),
        "messageId": _message_id(number),
        "destination": [to],
        "tags": tags(f"order-{number}"),
    }
    own: dict[str, dict[str, Any]] = {
        "Send": {},
        "Delivery": {"timestamp": _at(happened), "recipients": [to]},
        "Open": {"timestamp": _at(happened), "userAgent": AGENT},
        "Bounce": {"timestamp": _at(happened), "bouncedRecipients": [recipient(to, status="5.1.1")]},
    }
    told = ses_event(kind, mail, **own[kind])
    return Arriving(came, kind, number, piped(told, id=f"{kind}-{number}", time=_at(came)))
