from collections import Counter
from typing import Any

import pytest

from infra.embedded.ses.behaviour import behaviour
from infra.embedded.ses.bounce_types import BOUNCES, COMPLAINTS

BOUNCED = ("Send", "Bounce")
DELIVERED = ("Send", "Delivery")
COMPLAINED = ("Send", "Delivery", "Complaint")

KINDS = {
    "success": DELIVERED,
    "success+anything": DELIVERED,
    "success+open": ("Send", "Delivery", "Open"),
    "success+click": ("Send", "Delivery", "Open", "Click"),
    "success+botopen": ("Send", "Delivery", "Open"),
    "success+delay": ("Send", "DeliveryDelay", "Delivery"),
    "success+reject": ("Send", "Reject"),
    "bounce": BOUNCED,
    "bounce+open": BOUNCED,
    "bounce+soft": BOUNCED,
    "bounce+softonce": BOUNCED,
    "ooto": ("Send", "Delivery", "Bounce"),
    "complaint": COMPLAINED,
    "complaint+unheard-of": COMPLAINED,
    "suppressionlist": BOUNCED,
    "suppressionlist+x": BOUNCED,
    "nobody": BOUNCED,
}

BOUNCE_TYPES = {
    "bounce": ("Permanent", "General"),
    "bounce+label": ("Permanent", "General"),
    "bounce+soft": ("Transient", "MailboxFull"),
    "bounce+softonce": ("Transient", "MailboxFull"),
    "ooto": ("Transient", "General"),
    "suppressionlist": ("Permanent", "Suppressed"),
    "bounce+General": ("Permanent", "General"),
    "bounce+NoEmail": ("Permanent", "NoEmail"),
    "bounce+Suppressed": ("Permanent", "Suppressed"),
    "bounce+OnAccountSuppressionList": ("Permanent", "OnAccountSuppressionList"),
    "bounce+OnTenantSuppressionList": ("Permanent", "OnTenantSuppressionList"),
    "bounce+EmailValidationSuppressed": ("Permanent", "EmailValidationSuppressed"),
    "bounce+UnsubscribedRecipient": ("Permanent", "UnsubscribedRecipient"),
    "bounce+Undetermined": ("Undetermined", "Undetermined"),
    "bounce+MailboxFull": ("Transient", "MailboxFull"),
    "bounce+MessageTooLarge": ("Transient", "MessageTooLarge"),
    "bounce+CustomTimeoutExceeded": ("Transient", "CustomTimeoutExceeded"),
    "bounce+ContentRejected": ("Transient", "ContentRejected"),
    "bounce+AttachmentRejected": ("Transient", "AttachmentRejected"),
}

PEOPLE = [f"person{number}@customer.example" for number in range(20_000)]


def simulated(local: str) -> str:
    return f"{local}@simulator.amazonses.com"


def kinds(recipient: str, tags: dict[str, str] | None = None, seed: int = 0) -> tuple[str, ...]:
    return tuple(step.kind for step in behaviour(recipient, tags or {}, seed))


@pytest.mark.parametrize(("local", "expected"), KINDS.items())
def test_each_simulator_address_has_its_events(local: str, expected: Any) -> None:
    assert kinds(simulated(local)) == expected


@pytest.mark.parametrize(("local", "expected"), BOUNCE_TYPES.items())
def test_each_bounce_address_has_its_type(local: str, expected: Any) -> None:
    details = behaviour(simulated(local), {}, 0)[-1].details
    assert (details["bounceType"], details["bounceSubType"]) == expected


def test_every_bounce_sub_type_has_an_address() -> None:
    assert {f"bounce+{sub_type}" for sub_type in BOUNCES} <= BOUNCE_TYPES.keys()


@pytest.mark.parametrize("kind", COMPLAINTS)
def test_each_complaint_address_has_its_feedback_type(kind: str) -> None:
    last = behaviour(simulated(f"complaint+{kind}"), {}, 0)[-1]
    assert (last.kind, last.details["complaintFeedbackType"]) == ("Complaint", kind)


@pytest.mark.parametrize("local", ["SUCCESS+OPEN", "Success+Open", "success+open+17"])
def test_labels_ignore_case_and_further_labels(local: str) -> None:
    assert kinds(simulated(local).upper().replace("SIMULATOR", "Simulator")) == KINDS["success+open"]


@pytest.mark.parametrize(("attempt", "expected"), [("0", BOUNCED), ("1", DELIVERED), ("2", DELIVERED)])
def test_softonce_is_delivered_at_a_retry(attempt: str, expected: Any) -> None:
    assert kinds(simulated("bounce+softonce"), {"retryAttempt": attempt}) == expected


def test_soft_bounces_at_every_attempt() -> None:
    assert kinds(simulated("bounce+soft"), {"retryAttempt": "1"}) == BOUNCED


@pytest.mark.parametrize(("local", "expected"), [("success+open", "Unlikely"), ("success+botopen", "Likely")])
def test_opens_say_whether_a_bot_did_it(local: str, expected: Any) -> None:
    assert behaviour(simulated(local), {}, 0)[-1].details["isBotEvent"] == expected


def test_example_com_is_delivered_and_nothing_more() -> None:
    assert {kinds(f"person{number}@Example.com") for number in range(500)} == {DELIVERED}


def test_the_same_seed_and_id_have_the_same_fate() -> None:
    tags = {"emailId": "order-1"}
    assert behaviour(PEOPLE[0], tags, 7) == behaviour(PEOPLE[0], tags, 7)


@pytest.mark.parametrize("varied", ["seed", "emailId"])
def test_another_seed_or_id_has_another_fate(varied: str) -> None:
    given = [{"seed": 0, "emailId": 0} | {varied: number} for number in range(100)]
    fates = {str(behaviour(PEOPLE[0], {"emailId": str(it["emailId"])}, it["seed"])) for it in given}
    assert len(fates) == 100


def test_ordinary_people_behave_at_realistic_rates() -> None:
    steps = [step for person in PEOPLE for step in behaviour(person, {}, 3)]
    seen = Counter(
        (step.kind, step.details.get("bounceType") or step.details.get("isBotEvent")) for step in steps
    )
    shares = {
        ("Bounce", "Permanent"): 0.015,
        ("Bounce", "Transient"): 0.02,
        ("Complaint", None): 0.001,
        ("DeliveryDelay", None): 0.01,
        ("Open", "Unlikely"): 0.386,
        ("Open", "Likely"): 0.077,
        ("Click", "Unlikely"): 0.046,
    }
    for what, share in shares.items():
        assert seen[what] / len(PEOPLE) == pytest.approx(share, rel=0.35), what


def test_steps_happen_one_after_the_other_in_fractions_of_a_second() -> None:
    delays = [step.delay for step in behaviour(simulated("success+click"), {}, 0)]
    assert delays == sorted(delays)
    assert 0 < delays[0] < delays[-1] < 1
