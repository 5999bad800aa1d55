"""Histories written by hand, with what must stand after them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline import ids
from tests.projections.builders import (
    ANA,
    again,
    at,
    bounced,
    complaint,
    delivered,
    failed,
    feedback,
    hard_bounce,
    needless,
    opened,
    release,
    sent,
    soft_bounce,
    suppress,
    unknown,
)

__all__ = ["STORIES", "Story"]

M = "order-1"
RETRY = ids.retry_id(M, 1)
OF_RETRY: dict[str, Any] = {"original": M, "attempt": 1}
BEN = "ben@customer.example"


@dataclass(frozen=True)
class Story:
    """`rows` names the attributes that matter, None those that must be missing; everything else is exact."""

    claim: str
    records: Sequence[bytes]
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    suppressed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    announced: frozenset[tuple[str, str]] = frozenset()
    retried: frozenset[str] = frozenset()


def story(
    claim: str,
    records: Sequence[bytes],
    rows: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    suppressed: Mapping[str, tuple[str, str]] | None = None,
    announced: str = "",
    of: str = M,
    retried: Sequence[str] = (),
) -> Story:
    """`announced` lists statuses of the mail `of`."""
    statuses = frozenset((of, status) for status in announced.split())
    return Story(claim, records, rows or {}, suppressed or {}, statuses, frozenset(retried))


def soft_bounces(number: int, days: float, extra: int = 0, **more: Any) -> list[bytes]:
    """Of as many mails that aren't ours, evenly over the days; the last `extra` milliseconds later."""
    gaps = number - 1
    return [
        soft_bounce(
            None,
            at(days=days * n / gaps, milliseconds=extra if n == gaps else 0),
            message_id=f"foreign-{n}",
            **more,
        )
        for n in range(number)
    ]


STORIES = [
    # Tracking
    story(
        "a mail that was sent is sent",
        [sent(M, at(seconds=1))],
        {M: {"status": "sent", "timestamp": at(seconds=1), "sesMessageId": "ses-order-1"}},
    ),
    story(
        "open before delivery before sent",
        [opened(M, at(minutes=3)), delivered(M, at(minutes=2)), sent(M, at(seconds=1))],
        {
            M: {
                "status": "opened",
                "timestamp": at(),
                "sentAt": at(seconds=1),
                "deliveredAt": at(minutes=2),
                "openedAt": at(minutes=3),
                "subject": "Welcome, Ana",
            }
        },
        announced="delivered opened",
    ),
    story(
        "complaint after delivery",
        [sent(M, at()), delivered(M, at(minutes=1)), complaint(M, at(days=1))],
        {M: {"status": "delivered", "complaintFeedbackType": "abuse", "complainedAt": at(days=1)}},
        suppressed={ANA: (at(days=1), "complaint")},
        announced="delivered complained",
    ),
    story(
        "out-of-office after delivery",
        [sent(M, at()), delivered(M, at(minutes=1)), soft_bounce(M, at(minutes=2), "General")],
        {M: {"status": "delivered", "bounceType": "Transient", "bounceSubType": "General"}},
        announced="delivered soft_bounced",
        retried=[M],
    ),
    story(
        "out-of-office, and the retry that is not needed",
        [
            sent(M, at()),
            delivered(M, at(minutes=1)),
            soft_bounce(M, at(minutes=2), "General"),
            needless(M, at(minutes=17)),
        ],
        {
            M: {
                "status": "delivered",
                "retryNotNeededAt": at(minutes=17),
                "errorCode": None,
                "retryAttempt": 0,
            }
        },
        announced="delivered soft_bounced",
        retried=[M],
    ),
    story(
        "soft bounce",
        [sent(M, at()), soft_bounce(M, at(minutes=2))],
        {M: {"status": "soft_bounced", "bounceReason": "MailboxFull", "errorCode": None}},
        announced="soft_bounced",
        retried=[M],
    ),
    story(
        "undetermined bounce",
        [sent(M, at()), bounced(M, at(minutes=2), "Undetermined", "Undetermined")],
        {M: {"status": "soft_bounced", "bounceType": "Undetermined"}},
        announced="soft_bounced",
        retried=[M],
    ),
    story(
        "retry that soft-bounces",
        [
            sent(RETRY, at(minutes=15), originalEmailId=M, retryAttempt=1),
            soft_bounce(RETRY, at(minutes=16), **OF_RETRY),
        ],
        {
            RETRY: {
                "status": "failed",
                "errorCode": "RETRY_EXHAUSTED",
                "errorMessage": "Retry exhausted: MailboxFull",
                "originalEmailId": M,
                "retryAttempt": 1,
                "bounceType": "Transient",
            }
        },
        announced="failed",
        of=RETRY,
    ),
    story(
        "retry that soft-bounces before its own fact",
        [soft_bounce(RETRY, at(minutes=16), **OF_RETRY)],
        {RETRY: {"status": "failed", "originalEmailId": M, "retryAttempt": 1, "templateName": None}},
    ),
    story(
        "retry that is delivered",
        [
            sent(RETRY, at(minutes=15), originalEmailId=M, retryAttempt=1),
            delivered(RETRY, at(minutes=16), **OF_RETRY),
        ],
        {RETRY: {"status": "delivered", "originalEmailId": M, "retryAttempt": 1}},
        announced="delivered",
        of=RETRY,
    ),
    story(
        "open by a machine",
        [sent(M, at()), delivered(M, at(minutes=1)), opened(M, at(minutes=1, seconds=1), "Likely")],
        {M: {"status": "delivered", "openedAt": None, "machineOpenedAt": at(minutes=1, seconds=1)}},
        announced="delivered",
    ),
    story(
        "open by a machine and then by a person",
        [sent(M, at()), opened(M, at(minutes=1), "Likely"), opened(M, at(minutes=2))],
        {M: {"status": "opened", "openedAt": at(minutes=2)}},
        announced="opened",
    ),
    story(
        "open of which SES doesn't say whose it is",
        [sent(M, at()), opened(M, at(minutes=1), None)],
        {M: {"status": "opened"}},
        announced="opened",
    ),
    story(
        "click without open",
        [sent(M, at()), feedback("Click", M, at(minutes=4), part={"link": "https://acme.example"})],
        {M: {"status": "sent", "clickedAt": at(minutes=4)}},
    ),
    story(
        "delay",
        [sent(M, at()), feedback("DeliveryDelay", M, at(minutes=30), part={"delayType": "General"})],
        {M: {"status": "sent", "delayedAt": at(minutes=30)}},
    ),
    story(
        "reject",
        [sent(M, at(seconds=1)), feedback("Reject", M, at(), part={"reason": "Bad content"})],
        {
            M: {
                "status": "failed",
                "errorCode": "SES_REJECTED",
                "errorMessage": "SES rejected the mail: Bad content",
            }
        },
        announced="failed",
    ),
    story(
        "rendering failure",
        [sent(M, at(seconds=1)), feedback("Rendering Failure", M, at(), part={"errorMessage": "no 'name'"})],
        {
            M: {
                "status": "failed",
                "errorCode": "SES_RENDERING_FAILED",
                "errorMessage": "SES could not render the mail: no 'name'",
            }
        },
        announced="failed",
    ),
    story(
        "refused request",
        [failed(M, at(), errorCode="INVALID_REQUEST", errorMessage="'to' is required", toEmail=None)],
        {M: {"status": "failed", "errorCode": "INVALID_REQUEST", "toEmail": None, "sesMessageId": None}},
        announced="failed",
    ),
    story(
        "mail that was given up and arrived after all",
        [failed(M, at(minutes=30), errorCode="SEND_OUTCOME_UNKNOWN"), delivered(M, at(minutes=1))],
        {M: {"status": "delivered", "errorCode": "SEND_OUTCOME_UNKNOWN", "sesMessageId": "ses-order-1"}},
        announced="delivered failed",
    ),
    story(
        "mail that was sent twice",
        [
            sent(M, at(minutes=20), sesMessageId="ses-b", subject="Second"),
            sent(M, at(seconds=1), sesMessageId="ses-a", subject="First"),
            delivered(M, at(minutes=21), message_id="ses-b", mail_time=at(minutes=20)),
            delivered(M, at(minutes=22), message_id="ses-a", mail_time=at()),
        ],
        {
            M: {
                "status": "delivered",
                "sesMessageId": "ses-a",
                "subject": "First",
                "timestamp": at(),
                "deliveredAt": at(minutes=21),
            }
        },
        announced="delivered",
    ),
    story(
        "feedback that comes first",
        [delivered(M, at(minutes=1))],
        {
            M: {
                "status": "delivered",
                "timestamp": at(),
                "toEmail": ANA,
                "originalEmailId": M,
                "retryAttempt": 0,
                "originalSource": None,
                "templateName": None,
                "metadata": None,
            }
        },
    ),
    story(
        "foreign feedback",
        [hard_bounce(None, at(minutes=1))],
        suppressed={ANA: (at(minutes=1), "bounce")},
    ),
    story("feedback of an unknown type", [unknown(M, at(minutes=1))]),
    story(
        "change of a subscription",
        [sent(M, at()), feedback("Subscription", M, at(hours=3), part={"contactList": "acme"})],
        {M: {"status": "sent", "subscriptionAt": at(hours=3)}},
    ),
    # Suppression
    story(
        "hard bounce",
        [sent(M, at()), hard_bounce(M, at(minutes=1))],
        {M: {"status": "bounced", "bounceType": "Permanent", "bounceSubType": "NoEmail", "errorCode": None}},
        suppressed={ANA: (at(minutes=1), "bounce")},
        announced="bounced",
    ),
    story(
        "hard bounce after a soft one",
        [sent(M, at()), soft_bounce(M, at(minutes=1)), hard_bounce(M, at(minutes=2))],
        {M: {"status": "bounced", "bounceSubType": "NoEmail", "softBouncedAt": at(minutes=1)}},
        suppressed={ANA: (at(minutes=2), "bounce")},
        announced="soft_bounced bounced",
        retried=[M],
    ),
    story(
        "hard bounce of an address that has unsubscribed",
        [sent(M, at()), hard_bounce(M, at(minutes=1), "UnsubscribedRecipient")],
        {M: {"status": "bounced", "bounceSubType": "UnsubscribedRecipient"}},
        announced="bounced",
    ),
    story(
        "hard bounce by SES's own suppression list",
        [sent(M, at()), hard_bounce(M, at(minutes=1), "OnAccountSuppressionList")],
        {M: {"status": "bounced"}},
        suppressed={ANA: (at(minutes=1), "bounce")},
        announced="bounced",
    ),
    story(
        "complaint that says not-spam",
        [sent(M, at()), complaint(M, at(minutes=9), "not-spam")],
        {M: {"status": "sent", "complaintFeedbackType": None, "notSpamAt": at(minutes=9)}},
    ),
    story(
        "complaint without a type",
        [sent(M, at()), complaint(M, at(minutes=9), None)],
        {M: {"status": "complained", "complaintFeedbackType": None}},
        suppressed={ANA: (at(minutes=9), "complaint")},
        announced="complained",
    ),
    story(
        "complaint years later",
        [sent(M, at()), delivered(M, at(minutes=1)), complaint(M, at(days=2000))],
        {M: {"status": "delivered", "timestamp": at()}},
        suppressed={ANA: (at(days=2000), "complaint")},
        announced="delivered complained",
    ),
    story(
        "bounce of two recipients",
        [hard_bounce(None, at(), recipients=[ANA, BEN])],
        suppressed={ANA: (at(), "bounce"), BEN: (at(), "bounce")},
    ),
    story(
        "bounce of an address in capitals",
        [hard_bounce(None, at(), to="ANA@Customer.Example")],
        suppressed={ANA: (at(), "bounce")},
    ),
    story(
        "two hard bounces",
        [hard_bounce(None, at(days=4)), hard_bounce(None, at(days=3))],
        suppressed={ANA: (at(days=3), "bounce")},
    ),
    story(
        "suppression by a person",
        [suppress(ANA, at())],
        suppressed={ANA: (at(), "manual")},
    ),
    story("release after the cause", [hard_bounce(None, at()), release(ANA, at(milliseconds=1))]),
    story(
        "release at the very time of the cause",
        [hard_bounce(None, at(days=1)), release(ANA, at(days=1))],
        suppressed={ANA: (at(days=1), "bounce")},
    ),
    story(
        "release between two causes",
        [hard_bounce(None, at()), release(ANA, at(days=1)), complaint(None, at(days=2))],
        suppressed={ANA: (at(days=2), "complaint")},
    ),
    story("two releases", [release(ANA, at(days=1)), suppress(ANA, at(days=2)), release(ANA, at(days=3))]),
    story("release of another address", [release(ANA, at(days=1))]),
    story("14 soft bounces", soft_bounces(14, days=1)),
    story(
        "15 soft bounces within 30 days",
        soft_bounces(15, days=28),
        suppressed={ANA: (at(days=28), "soft-bounces")},
    ),
    story(
        "the fifteenth soft bounce 30 days after the first",
        soft_bounces(15, days=30),
        suppressed={ANA: (at(days=30), "soft-bounces")},
    ),
    story("the fifteenth soft bounce a millisecond too late", soft_bounces(15, days=30, extra=1)),
    story(
        "15 soft bounces, one of them an out-of-office reply",
        [*soft_bounces(15, days=14), needless(M, at(days=15), "foreign-7")],
        {M: {"status": "sent", "timestamp": at(days=15), "toEmail": ANA}},
    ),
    story(
        "16 soft bounces, one of them an out-of-office reply",
        [*soft_bounces(16, days=15), needless(M, at(days=15), "foreign-0")],
        {M: {"status": "sent"}},
        suppressed={ANA: (at(days=15), "soft-bounces")},
    ),
    story(
        "15 soft bounces, and an out-of-office reply of another mail",
        [*soft_bounces(15, days=14), needless(M, at(days=15), "another")],
        {M: {"status": "sent"}},
        suppressed={ANA: (at(days=14), "soft-bounces")},
    ),
    story(
        "15 soft bounces with a back-dated release in between",
        [*soft_bounces(15, days=14), release(ANA, at(days=6, hours=12))],
    ),
    story(
        "15 soft bounces after a release",
        [*soft_bounces(15, days=14), release(ANA, at())],
        suppressed={ANA: (at(days=14), "soft-bounces")},
    ),
    story(
        "15 soft bounces of one mail",
        [soft_bounce(None, at(minutes=n), message_id="foreign") for n in range(15)],
    ),
    story(
        "one soft bounce that comes 15 times",
        [again(soft_bounce(None, at(), message_id="foreign"), n) for n in range(15)],
    ),
    story("15 soft bounces of two addresses", [*soft_bounces(8, days=2), *soft_bounces(7, days=2, to=BEN)]),
]
