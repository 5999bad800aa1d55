"""The tables of the status rules, against the guide's own words."""

from itertools import combinations

import pytest

from pipeline.codec import decode
from projections.status import RANK, STATUS, highest, slot_of
from tests.builders import requested, wire
from tests.projections.builders import (
    at,
    bounced,
    complaint,
    delivered,
    failed,
    feedback,
    hard_bounce,
    opened,
    sent,
    soft_bounce,
    unknown,
)

SEED_PRIORITY = "`opened` > `delivered` > `bounced` > `complained` > `soft_bounced` > `failed` > `sent`"
HIGHEST_FIRST = SEED_PRIORITY.replace("`", "").split(" > ")

SLOTS = {
    "Mail Sent": (sent("m", at()), "sent"),
    "Mail Failed": (failed("m", at()), "failed"),
    "Send": (feedback("Send", "m", at()), "accepted"),
    "Delivery": (delivered("m", at()), "delivered"),
    "permanent bounce": (hard_bounce("m", at()), "bounced"),
    "permanent bounce of a retry": (hard_bounce("m", at(), attempt=1), "bounced"),
    "bounce of one who unsubscribed": (hard_bounce("m", at(), "UnsubscribedRecipient"), "bounced"),
    "transient bounce": (soft_bounce("m", at()), "soft_bounced"),
    "transient bounce of a retry": (soft_bounce("m", at(), attempt=1), "retry_exhausted"),
    "undetermined bounce": (bounced("m", at(), "Undetermined", "Undetermined"), "soft_bounced"),
    "undetermined bounce of a retry": (bounced("m", at(), "Undetermined", "x", attempt=1), "retry_exhausted"),
    "bounce that says nothing of its type": (
        feedback("Bounce", "m", at(), part={"bounceType": None}),
        "soft_bounced",
    ),
    "complaint": (complaint("m", at(), "abuse"), "complained"),
    "complaint of no type": (complaint("m", at(), None), "complained"),
    "complaint that says not-spam": (complaint("m", at(), "not-spam"), "not_spam"),
    "open": (opened("m", at()), "opened"),
    "open by a machine": (opened("m", at(), "Likely"), "machine_opened"),
    "open that says nothing of machines": (opened("m", at(), None), "opened"),
    "click": (feedback("Click", "m", at()), "clicked"),
    "reject": (feedback("Reject", "m", at()), "rejected"),
    "rendering failure": (feedback("Rendering Failure", "m", at()), "rendering_failed"),
    "delay": (feedback("DeliveryDelay", "m", at()), "delayed"),
    "change of a subscription": (feedback("Subscription", "m", at()), "subscription"),
    "unknown type": (unknown("m", at()), None),
    "request": (wire(requested()), None),
}

IMPLIED = {
    "sent": "sent",
    "accepted": "sent",
    "failed": "failed",
    "rejected": "failed",
    "rendering_failed": "failed",
    "retry_exhausted": "failed",
    "soft_bounced": "soft_bounced",
    "complained": "complained",
    "bounced": "bounced",
    "delivered": "delivered",
    "opened": "opened",
    "machine_opened": None,
    "not_spam": None,
    "clicked": None,
    "delayed": None,
    "subscription": None,
}


def test_the_statuses_are_ranked_as_in_the_guide() -> None:
    assert sorted(RANK, key=RANK.__getitem__, reverse=True) == HIGHEST_FIRST


def test_no_two_statuses_share_a_rank() -> None:
    assert len(set(RANK.values())) == len(RANK)


@pytest.mark.parametrize(("higher", "lower"), list(combinations(HIGHEST_FIRST, 2)))
def test_a_higher_status_wins_over_a_lower_one(higher: str, lower: str) -> None:
    assert highest([lower, higher]) == highest([higher, lower]) == higher


@pytest.mark.parametrize(("record", "slot"), SLOTS.values(), ids=SLOTS)
def test_an_event_fills_its_slot(record: bytes, slot: str | None) -> None:
    assert slot_of(decode(record)) == slot


@pytest.mark.parametrize(("slot", "status"), IMPLIED.items())
def test_a_slot_implies_its_status(slot: str, status: str | None) -> None:
    assert highest([slot]) == status


def test_every_slot_is_judged_here() -> None:
    assert {slot for _, slot in SLOTS.values() if slot} == IMPLIED.keys()


def test_every_status_is_one_of_the_guide() -> None:
    assert set(STATUS.values()) == set(HIGHEST_FIRST)


def test_nothing_implies_nothing() -> None:
    assert highest([]) is None
