"""Generated histories: records about a few mails, their retries, foreign mail, and two addresses.

Few mails, few addresses and times that often agree, so that events meet.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hypothesis import strategies as st

from pipeline import ids
from tests.builders import SES_EVENTS, recipient
from tests.projections import builders
from tests.projections.builders import again, at, failed, feedback, sent, unknown

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


class Brief(bytes):
    """A record that a report on a failure shows in one line."""

    def __repr__(self) -> str:
        told = json.loads(self)
        detail = told["detail"]
        own = (
            detail.get(SES_EVENTS[detail["eventType"]][0])
            if detail.get("eventType") in SES_EVENTS
            else detail
        )
        names = ("emailId", "email", "bounceType", "bounceSubType", "complaintFeedbackType", "isBotEvent")
        said = {name: own[name] for name in names if name in (own or {})}
        mail = detail.get("mail", {"messageId": detail.get("sesMessageId"), "timestamp": ""})
        kind = detail.get("eventType", told["detail-type"])
        return f"<{kind} {told['time']} {mail['messageId']} {mail['timestamp']} {said}>"


class About(NamedTuple):
    """A mail that the history tells of. Mail that isn't ours has no emailId."""

    email_id: str | None
    to: str
    original: str | None
    attempt: int

    @property
    def tags(self) -> dict[str, Any]:
        return {"to": self.to, "original": self.original, "attempt": self.attempt}


ADDRESSES = ("ana@customer.example", "Ben@CUSTOMER.example")
ORIGINALS = [About(key, ADDRESSES[n % 2], key, 0) for n, key in enumerate(("order-1", "größe-2", "email-3"))]
RETRIES = [About(ids.retry_id(mail.email_id or "", 1), mail.to, mail.email_id, 1) for mail in ORIGINALS[:2]]
FOREIGN = [About(None, to, None, 0) for to in ADDRESSES]
OURS = [*ORIGINALS, *RETRIES]

SUB_TYPES = {
    "Permanent": ("General", "NoEmail", "OnAccountSuppressionList", "UnsubscribedRecipient", "New2027"),
    "Transient": ("General", "MailboxFull", "MessageTooLarge", "ContentRejected"),
    "Undetermined": ("Undetermined",),
}
BOUNCES = [(kind, sub_type) for kind, sub_types in SUB_TYPES.items() for sub_type in sub_types]
BOUNCES += [("Transient", "MailboxFull")] * 4
COMPLAINTS = (None, "abuse", "auth-failure", "fraud", "not-spam", "other", "virus")

milliseconds = st.one_of(
    st.sampled_from([0, 1, MINUTE, HOUR, DAY, 29 * DAY, 30 * DAY, 30 * DAY + 1, 2000 * DAY]),
    st.integers(0, 5 * MINUTE),
    st.integers(0, 40).map(lambda days: days * DAY),
)
times = milliseconds.map(lambda ms: at(milliseconds=ms))


@st.composite
def outcomes(draw: st.DrawFn) -> bytes:
    """`Mail Sent` or `Mail Failed`; a mail has more than one where senders took over from each other."""
    mail, number = draw(st.sampled_from(OURS)), draw(st.integers(1, 2))
    common = {
        "originalEmailId": mail.original,
        "retryAttempt": mail.attempt,
        "toEmail": mail.to,
        "subject": f"Subject {number}",
        "metadata": draw(
            st.sampled_from([{}, {"campaignId": f"spring-{number}", "depth": {"a": [1.5, None]}}])
        ),
    }
    if draw(st.booleans()):
        told = {"sesMessageId": f"ses-{mail.email_id}-{number}"}
        return sent(mail.email_id or "", draw(times), **common, **told)
    error = {"errorCode": f"CODE_{number}", "errorMessage": f"message {number}"}
    return failed(mail.email_id or "", draw(times), **common, **error)


def _bounce(draw: st.DrawFn, recipients: list[str]) -> dict[str, Any]:
    kind, sub_type = draw(st.sampled_from(BOUNCES))
    bounced = [recipient(each, diagnosticCode=f"smtp; {sub_type}") for each in recipients]
    return {"bounceType": kind, "bounceSubType": sub_type, "bouncedRecipients": bounced}


def _complaint(draw: st.DrawFn, recipients: list[str]) -> dict[str, Any]:
    complained = [recipient(each) for each in recipients]
    return {"complainedRecipients": complained, "complaintFeedbackType": draw(st.sampled_from(COMPLAINTS))}


def _open(draw: st.DrawFn, _: list[str]) -> dict[str, Any]:
    return {"isBotEvent": draw(st.sampled_from(["Likely", "Unlikely"]))}


_PART: dict[str, Callable[[st.DrawFn, list[str]], dict[str, Any]]] = {
    "Bounce": _bounce,
    "Complaint": _complaint,
    "Open": _open,
    "Delivery": lambda draw, recipients: {"recipients": recipients},
}
KINDS = [*SES_EVENTS, "Bounce", "Bounce", "Complaint", "Open", "Delivery"]


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """One of SES's events, about a mail of ours or another."""
    if draw(st.integers(0, 30)) == 30:
        return unknown("order-1", draw(times))
    mail, number = draw(st.sampled_from([*OURS, *OURS, *FOREIGN])), draw(st.integers(1, 2))
    kind = draw(st.sampled_from(KINDS))
    recipients = draw(st.sampled_from([[mail.to], [mail.to], list(ADDRESSES)]))
    part = _PART[kind](draw, recipients) if kind in _PART else {}
    return feedback(
        kind,
        mail.email_id,
        draw(times),
        part=part,
        message_id=f"ses-{mail.email_id}-{number}",
        mail_time=draw(times),
        **mail.tags,
    )


@st.composite
def retries_not_needed(draw: st.DrawFn) -> bytes:
    """The retry of a mail of ours that arrived after all; of one whose bounce nobody knows, too."""
    mail, number = draw(st.sampled_from(ORIGINALS)), draw(st.integers(1, 2))
    return builders.needless(
        mail.email_id or "", draw(times), f"ses-{mail.email_id}-{number}", toEmail=mail.to
    )


@st.composite
def interventions(draw: st.DrawFn) -> bytes:
    """A person suppresses or releases an address."""
    act = draw(st.sampled_from([builders.suppress, builders.release]))
    return act(draw(st.sampled_from(ADDRESSES)), draw(times))


@st.composite
def wear(draw: st.DrawFn) -> list[bytes]:
    """Soft bounces of one address, about as many, by about as many mails, in about as many days as matter."""
    to, mails = draw(st.sampled_from(ADDRESSES)), draw(st.sampled_from([14, 15, 15, 16]))
    days, slack = draw(st.sampled_from([1, 30, 30, 30, 60])), draw(st.integers(0, 1))
    moments = [
        days * DAY * number // 14 + slack * (number == 14) for number in range(draw(st.integers(14, 16)))
    ]
    bounces: list[bytes] = [
        Brief(builders.soft_bounce(None, at(milliseconds=ms), to=to, message_id=f"foreign-{number % mails}"))
        for number, ms in enumerate(moments)
    ]
    arrived = draw(st.sampled_from([None, None, 0, 7, 14]))
    if arrived is None:
        return bounces
    message_id = f"foreign-{arrived}"
    return [*bounces, Brief(builders.needless("order-1", draw(times), message_id, toEmail=to))]


def histories(largest: int) -> st.SearchStrategy[list[bytes]]:
    outcome, response, intervention = outcomes(), responses(), interventions()
    rare = st.one_of(intervention, intervention, retries_not_needed())
    event = st.one_of(outcome, outcome, response, response, response, rare, rare).map(Brief)
    plain = _up_to(largest, event)
    worn = st.tuples(_up_to(largest - 17, event), wear()).map(lambda parts: parts[0] + parts[1])
    return st.one_of(plain, plain, worn)


def _up_to(largest: int, event: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[bytes]]:
    """Of every length alike; left alone, lists are mostly short."""
    return st.integers(0, largest).flatmap(lambda size: st.lists(event, min_size=size, max_size=size))


@dataclass(frozen=True)
class Arrival:
    """How a history comes: order, repetitions, batches, and which of them come between a read and a write."""

    seed: int
    batches: int

    def of(self, history: Sequence[bytes]) -> list[list[bytes]]:
        chance = random.Random(self.seed)
        repeated = [again(record, chance.randint(1, 3)) for record in history if chance.random() < 0.3]
        come = [*history, *repeated]
        chance.shuffle(come)
        batches: list[list[bytes]] = [[] for _ in range(self.batches)]
        for record in come:
            chance.choice(batches).append(record)
        return batches

    @property
    def rivals(self) -> set[int]:
        return {number for number in range(self.batches) if number * self.seed % 3 == 1}


arrivals = st.builds(Arrival, st.integers(0, 10_000), st.integers(1, 8))
