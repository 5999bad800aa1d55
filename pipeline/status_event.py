"""`Email Status Changed`, for subscribers: what a rule on the bus hands to your handler.

    from pipeline.status_event import StatusChanged

    def handler(event, context):
        change = StatusChanged.of(event)
        if change.status == "bounced": …

Delivery guarantee: at least once, unordered. One `eventId` for a mail and a status: use it to tell repetitions.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

__all__ = ["Status", "StatusChanged"]

Status = Literal["sent", "failed", "soft_bounced", "complained", "bounced", "delivered", "opened"]


class StatusChanged(BaseModel):
    """The detail of an `Email Status Changed` event; fields that don't apply are left out."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")

    event_id: str = Field(description="The same for every repetition of this announcement.")
    email_id: str
    status: Status
    timestamp: str = Field(description="When it happened, ISO 8601 in UTC.")
    to_email: str | None = None
    original_source: str | None = Field(None, description="The source of the request.")
    template_name: str | None = None
    subject: str | None = None
    ses_message_id: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict, description="As the request had it.")
    original_email_id: str | None = Field(
        None, description="The first attempt's emailId; its own for a first attempt."
    )
    retry_attempt: int = Field(0, description="0 for a first attempt, 1 for the retry of a soft bounce.")
    bounce_type: str | None = None
    bounce_sub_type: str | None = None
    bounce_reason: str | None = None
    complaint_feedback_type: str | None = None
    error_code: str | None = None
    error_message: str | None = None

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> "StatusChanged":
        """From an EventBridge event as a Lambda function or a queue receives it. Raises ValidationError."""
        return cls.model_validate(event["detail"])
