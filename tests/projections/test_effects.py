"""What a mail's state asks of the world: announcements and the retry, each once and under an id that repeats."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest

from pipeline import ids
from pipeline.events import SendDue
from projections.effects import Announcement, Effect, Retry, due, marked
from projections.tracking import Mail, fold, join
from tests.builders import ANA, place
from tests.projections.builders import (
    at,
    complaint,
    delivered,
    events,
    failed,
    feedback,
    hard_bounce,
    opened,
    sent,
    soft_bounce,
)
from tests.projections.world import NOTIFY

FEEDBACK = {
    "delivered": delivered("m", at(minutes=1)),
    "opened": opened("m", at(minutes=1)),
    "soft_bounced": soft_bounce("m", at(minutes=1)),
    "bounced": hard_bounce("m", at(minutes=1)),
    "complained": complaint("m", at(minutes=1)),
    "failed": feedback("Reject", "m", at(minutes=1)),
}


def mail(*records: bytes) -> Mail:
    (found,) = fold(events(records)).values()
    return found


def effects(*records: bytes, notify: Collection[str] = NOTIFY) -> list[Effect]:
    return list(due(mail(*records), notify))


def statuses(asked: Iterable[Effect]) -> list[str]:
    return [effect.status for effect in asked if isinstance(effect, Announcement)]


def announced(status: str, *records: bytes) -> dict[str, Any]:
    """The detail of the announcement of a status."""
    (found,) = (e for e in effects(*records) if isinstance(e, Announcement) and e.status == status)
    return found.envelope.detail


def retry(*records: bytes) -> SendDue | None:
    return next((effect.due for effect in effects(*records) if isinstance(effect, Retry)), None)


# When


@pytest.mark.parametrize("record", FEEDBACK.values(), ids=FEEDBACK)
def test_nothing_is_due_before_the_outcome_is_known(record: bytes) -> None:
    assert effects(record) == []


@pytest.mark.parametrize(("status", "record"), FEEDBACK.items())
def test_a_status_is_announced_once_the_outcome_is_known(status: str, record: bytes) -> None:
    assert statuses(effects(record, sent("m", at()))) == [status]


@pytest.mark.parametrize(("status", "record"), FEEDBACK.items())
def test_a_status_that_nobody_wants_is_not_announced(status: str, record: bytes) -> None:
    assert statuses(effects(record, sent("m", at()), notify=set(NOTIFY) - {status})) == []


def test_a_refusal_is_announced_at_once() -> None:
    assert statuses(effects(failed("m", at()))) == ["failed"]


def test_sent_is_announced_to_those_who_want_it() -> None:
    assert statuses(effects(sent("m", at()), notify=["sent"])) == ["sent"]


def test_each_status_is_announced_once_however_many_facts_bear_it() -> None:
    told = [failed("m", at()), feedback("Reject", "m", at()), feedback("Rendering Failure", "m", at())]
    assert statuses(effects(*told)) == ["failed"]


def test_a_status_is_announced_though_a_higher_one_is_there() -> None:
    told = [sent("m", at()), opened("m", at(minutes=1)), complaint("m", at(days=1))]
    assert statuses(effects(*told)) == ["complained", "opened"]


@pytest.mark.parametrize(
    "record",
    [
        opened("m", at(minutes=1), "Likely"),
        complaint("m", at(minutes=1), "not-spam"),
        feedback("DeliveryDelay", "m", at(minutes=1)),
        feedback("Click", "m", at(minutes=1)),
        feedback("Subscription", "m", at(minutes=1)),
    ],
)
def test_what_is_no_status_is_not_announced(record: bytes) -> None:
    assert effects(sent("m", at()), record) == []


# What


def test_an_announcement_is_complete() -> None:
    told = announced("delivered", delivered("m", at(minutes=1)), sent("m", at(seconds=1)))
    assert told == {
        "eventId": ids.derived_id("Email Status Changed", "m", "delivered"),
        "emailId": "m",
        "status": "delivered",
        "toEmail": ANA,
        "timestamp": at(minutes=1),
        "originalSource": "my.application",
        "templateName": "welcome",
        "subject": "Welcome, Ana",
        "sesMessageId": "ses-m",
        "metadata": {"campaignId": "welcome-2026"},
        "originalEmailId": "m",
        "retryAttempt": 0,
    }


def test_an_announcement_goes_out_as_the_guide_says() -> None:
    (found,) = (e for e in effects(failed("m", at(minutes=2))) if isinstance(e, Announcement))
    envelope = found.envelope
    assert (envelope.source, envelope.detail_type) == ("sesmailengine", "Email Status Changed")


def test_an_announcement_bears_its_event_id_and_time_outside_too() -> None:
    (found,) = (e for e in effects(failed("m", at(minutes=2))) if isinstance(e, Announcement))
    assert (found.envelope.id, found.envelope.time) == (found.envelope.detail["eventId"], at(minutes=2))


def test_an_announcement_tells_the_first_time_of_its_status() -> None:
    told = announced("opened", sent("m", at()), opened("m", at(minutes=9)), opened("m", at(minutes=3)))
    assert told["timestamp"] == at(minutes=3)


@pytest.mark.parametrize(
    ("status", "record", "kind", "sub_type"),
    [
        ("bounced", hard_bounce("m", at(minutes=1), "NoEmail"), "Permanent", "NoEmail"),
        ("soft_bounced", soft_bounce("m", at(minutes=1), "General"), "Transient", "General"),
    ],
)
def test_a_bounce_is_announced_with_its_types(status: str, record: bytes, kind: str, sub_type: str) -> None:
    told = announced(status, sent("m", at()), record)
    assert [told[name] for name in ("bounceType", "bounceSubType", "bounceReason")] == [
        kind,
        sub_type,
        sub_type,
    ]


def test_each_bounce_is_announced_with_its_own_types() -> None:
    told = [sent("m", at()), soft_bounce("m", at(minutes=1)), hard_bounce("m", at(minutes=2))]
    assert announced("soft_bounced", *told)["bounceType"] == "Transient"


def test_a_delivery_is_announced_without_the_bounce_beside_it() -> None:
    told = [sent("m", at()), delivered("m", at(minutes=1)), soft_bounce("m", at(minutes=2))]
    assert "bounceType" not in announced("delivered", *told)


def test_a_complaint_is_announced_with_its_type() -> None:
    told = announced("complained", sent("m", at()), complaint("m", at(minutes=1), "fraud"))
    assert told["complaintFeedbackType"] == "fraud"


def test_a_failure_is_announced_with_code_and_message() -> None:
    told = announced("failed", failed("m", at(), errorCode="CODE", errorMessage="why"))
    assert (told["errorCode"], told["errorMessage"]) == ("CODE", "why")


def test_a_failure_of_a_retry_is_announced_with_its_chain() -> None:
    told = announced(
        "failed",
        sent("retry", at(), originalEmailId="m", retryAttempt=1),
        soft_bounce("retry", at(minutes=1), original="m", attempt=1),
    )
    assert [told[name] for name in ("originalEmailId", "retryAttempt", "errorCode", "bounceType")] == [
        "m",
        1,
        "RETRY_EXHAUSTED",
        "Transient",
    ]


def test_what_is_not_known_is_left_out() -> None:
    told = announced("failed", failed("m", at(), toEmail=None, templateName=None, subject=None, metadata={}))
    assert not {"toEmail", "templateName", "subject", "metadata", "sesMessageId"} & told.keys()


@pytest.mark.parametrize("status", ["delivered", "opened"])
def test_event_ids_depend_on_mail_and_status_alone(status: str) -> None:
    records = {"delivered": delivered, "opened": opened}
    ids_ = {
        announced(status, sent("m", at(), subject=f"{minute}"), records[status]("m", at(minutes=minute)))[
            "eventId"
        ]
        for minute in (1, 2)
    }
    assert ids_ == {ids.derived_id("Email Status Changed", "m", status)}


# Retry


def test_a_soft_bounce_asks_for_a_retry() -> None:
    assert retry(sent("m", at()), soft_bounce("m", at(minutes=1))) == SendDue(
        email_id=ids.retry_id("m", 1),
        original_email_id="m",
        retry_attempt=1,
        place=place(),
        reason="soft bounce",
    )


def test_a_retry_waits_for_the_place_of_the_request() -> None:
    assert retry(soft_bounce("m", at(minutes=1))) is None


def test_a_soft_bounce_of_a_retry_asks_for_nothing() -> None:
    told = [
        sent("retry", at(), originalEmailId="m", retryAttempt=1),
        soft_bounce("retry", at(minutes=1), original="m", attempt=1),
    ]
    assert retry(*told) is None


def test_a_hard_bounce_asks_for_no_retry() -> None:
    assert retry(sent("m", at()), hard_bounce("m", at(minutes=1))) is None


def test_a_retry_is_asked_for_though_nobody_is_notified() -> None:
    told = effects(sent("m", at()), soft_bounce("m", at(minutes=1)), notify=[])
    assert [type(effect) for effect in told] == [Retry]


# Once


def test_what_is_marked_is_not_due_again() -> None:
    told = mail(sent("m", at()), soft_bounce("m", at(minutes=1)), opened("m", at(minutes=2)))
    done = marked(told, list(due(told, NOTIFY)))
    assert list(due(done, NOTIFY)) == []


def test_marking_changes_nothing_else() -> None:
    told = mail(sent("m", at()), opened("m", at(minutes=2)))
    done = marked(told, list(due(told, NOTIFY)))
    assert (done.email_id, done.slots, done.timestamp) == (told.email_id, told.slots, told.timestamp)


def test_marking_nothing_leaves_the_state_as_it_is() -> None:
    told = mail(sent("m", at()))
    assert marked(told, []) == told


def test_marks_survive_what_comes_later() -> None:
    told = mail(sent("m", at()), delivered("m", at(minutes=1)))
    done = marked(told, list(due(told, NOTIFY)))
    later = join(mail(opened("m", at(minutes=2)), delivered("m", at(seconds=1))), done)
    assert statuses(due(later, NOTIFY)) == ["opened"]


def test_effects_come_in_the_same_order_every_time() -> None:
    told = [sent("m", at()), *FEEDBACK.values()]
    assert [effect.mark for effect in effects(*told)] == [effect.mark for effect in effects(*reversed(told))]
