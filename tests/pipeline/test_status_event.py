"""The model for subscribers reads what the guide shows and what the engine says."""

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from pipeline.codec import decode
from pipeline.status_event import Status, StatusChanged
from projections.effects import Announcement, due
from projections.status import STATUS
from projections.tracking import fold
from tests.builders import ANA, NINE, ORDER, feedback, mail_failed, mail_sent

GUIDE: dict[str, Any] = {
    "source": "sesmailengine",
    "detail-type": "Email Status Changed",
    "detail": {
        "eventId": "9c6b9a40-2f64-5b0c-8a43-1d6a4b7d2b10",
        "emailId": "email-abc123",
        "status": "delivered",
        "toEmail": "recipient@example.com",
        "timestamp": "2024-12-14T10:31:00Z",
        "originalSource": "my.application",
        "templateName": "welcome",
        "subject": "Welcome to Our Service",
        "sesMessageId": "0000014a-f896-4c47-b8da-f6f2e7b2c19a-000000",
        "metadata": {"campaignId": "welcome-2024", "userId": "user-456"},
    },
}
STATUSES = get_args(Status)
FACTS = {"sent": mail_sent(), "failed": mail_failed()}
FEEDBACK = {
    "delivered": feedback("Delivery"),
    "opened": feedback("Open"),
    "bounced": feedback("Bounce"),
    "soft_bounced": feedback("Bounce", bounceType="Transient", bounceSubType="MailboxFull"),
    "complained": feedback("Complaint"),
}


def announced(status: str) -> StatusChanged:
    """What the engine says of a mail with this status."""
    outcome = FACTS.get(status, mail_sent()).envelope("id-1", NINE)
    records = [outcome, *([FEEDBACK[status]] if status in FEEDBACK else [])]
    mail = fold(decode(each.to_bytes()) for each in records)[ORDER]
    (said,) = (effect for effect in due(mail, {status}) if isinstance(effect, Announcement))
    return StatusChanged.of(said.envelope.model_dump(by_alias=True))


def changed(**fields: Any) -> StatusChanged:
    return StatusChanged.of(GUIDE | {"detail": GUIDE["detail"] | fields})


def test_the_event_of_the_guide_is_read_whole() -> None:
    assert changed().model_dump(by_alias=True, exclude_unset=True) == GUIDE["detail"]


def test_the_statuses_are_those_the_engine_knows() -> None:
    assert set(STATUSES) == set(STATUS.values())


@pytest.mark.parametrize("status", STATUSES)
def test_what_the_engine_announces_is_read(status: str) -> None:
    found = announced(status)
    assert (found.status, found.email_id, found.to_email) == (status, ORDER, ANA)
    assert (found.original_source, found.metadata) == ("my.application", {"campaignId": "welcome-2026"})


def test_a_bounce_says_what_kind() -> None:
    found = announced("soft_bounced")
    assert (found.bounce_type, found.bounce_sub_type) == ("Transient", "MailboxFull")


def test_a_complaint_says_what_kind() -> None:
    assert announced("complained").complaint_feedback_type == "abuse"


def test_a_failure_says_why() -> None:
    assert announced("failed").error_code == "TEMPLATE_NOT_FOUND"


def test_fields_of_a_later_version_are_ignored() -> None:
    assert changed(brandNew=1) == changed()


@pytest.mark.parametrize("required", ["eventId", "emailId", "status", "timestamp"])
def test_what_every_announcement_has_is_required(required: str) -> None:
    with pytest.raises(ValidationError, match=required):
        changed(**{required: None})


def test_a_status_nobody_knows_is_refused() -> None:
    with pytest.raises(ValidationError, match="status"):
        changed(status="levitated")
