"""One frozen value that says how this engine is set up: the stack's parameters and outputs, typed.

The names on the outside are those of the CloudFormation stack; `from_mapping` takes its parameters and
outputs as they are read from it.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_pascal

from pipeline.errors import UserError
from pipeline.status_event import Status

__all__ = ["Settings"]

Statuses = Annotated[
    tuple[Status, ...],
    BeforeValidator(lambda v: tuple(part.strip() for part in v.split(",")) if isinstance(v, str) else v),
]
Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[int, Field(ge=0)]


class Settings(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_pascal,
        populate_by_name=True,
        extra="ignore",
        str_strip_whitespace=True,
    )

    stack_name: str
    default_sender_email: str
    default_sender_name: str = ""
    email_sender_concurrency: Positive = 14
    sends_in_flight: Positive = 16
    data_retention_days: Positive = 90
    soft_bounce_retry_delay_seconds: Seconds = 900
    paused_round_seconds: Annotated[int, Field(ge=1, le=900)] = 120
    open_claim_grace_seconds: Seconds = 600
    open_claim_policy: Literal["send", "fail"] = "send"
    max_request_age_hours: Positive = 72
    bounce_rate_threshold: Annotated[float, Field(gt=0, le=100)] = 5.0  # per cent
    bounce_rate_minimum_sends: Positive = 100
    count_simulator_mails: bool = False
    archive_flush_seconds: Seconds = 900
    retrieval_mode: Literal["POLLING", "FANOUT"] = "POLLING"
    notify_statuses: Statuses = ("delivered", "opened", "soft_bounced", "bounced", "complained", "failed")

    event_bus_name: str
    stream_name: str
    tracking_table_name: str
    suppression_table_name: str
    reputation_table_name: str
    send_ledger_table_name: str
    template_bucket_name: str
    archive_bucket_name: str
    configuration_set_name: str
    delay_queue_url: str
    request_dlq_url: str = Field(alias="RequestDLQUrl")
    feedback_dlq_url: str = Field(alias="FeedbackDLQUrl")
    delay_dlq_url: str = Field(alias="DelayDLQUrl")
    parked_queue_url: str = Field(alias="ParkedDLQUrl")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "Settings":
        """Raises UserError naming every value that is missing or wrong."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            faults = "; ".join(f"{fault['loc'][0]}: {fault['msg'].lower()}" for fault in error.errors())
            raise UserError(
                f"the stack's settings can't be used: {faults}; deploy the stack again"
            ) from error

    @property
    def retention(self) -> timedelta:
        return timedelta(days=self.data_retention_days)
