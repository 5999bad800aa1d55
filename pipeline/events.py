"""The kinds of events in the log, as they are stored: literal names, a schema version in each detail.

Facts of our own are frozen models in camelCase on the wire. To add a kind, write its model here; to
change one, raise its `schemaVersion` and lift the older form in the codec.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from pipeline import addresses
from pipeline.envelope import OUR_SOURCE, Envelope
from pipeline.log import Place

__all__ = [
    "EMAIL_REQUEST",
    "FACTS",
    "STATUS_CHANGED",
    "AddressReleased",
    "AddressSuppressed",
    "Fact",
    "MailDuplicate",
    "MailFact",
    "MailFailed",
    "MailSent",
    "RecordParked",
    "RetryNotNeeded",
    "SendDue",
    "SendingFact",
    "SendingPaused",
    "SendingResumed",
]

EMAIL_REQUEST = "Email Request"
STATUS_CHANGED = "Email Status Changed"

LONGEST_REASON = 256

Attempt = Annotated[int, Field(ge=0, le=1000)]


class Fact(BaseModel):
    """The detail of an event that the engine itself writes."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    detail_type: ClassVar[str]
    schema_version: Literal[1] = 1

    def envelope(self, event_id: str, time: str) -> Envelope:
        detail = self.model_dump(by_alias=True, exclude_none=True)
        return Envelope(
            id=event_id, source=OUR_SOURCE, detail_type=self.detail_type, time=time, detail=detail
        )


class MailFact(Fact):
    """What is known of a mail once its request has been decided on."""

    email_id: str
    original_email_id: str
    retry_attempt: Attempt = 0
    to_email: str | None = None
    original_source: str | None = None
    template_name: str | None = None
    subject: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    event_id: str
    place: Place | None = None
    unknown_fields: list[str] = Field(default_factory=list)


class MailSent(MailFact):
    detail_type: ClassVar[str] = "Mail Sent"

    to_email: str
    ses_message_id: str


class MailFailed(MailFact):
    detail_type: ClassVar[str] = "Mail Failed"

    error_code: str
    error_message: str


class RetryNotNeeded(MailFact):
    """The retry of a mail that arrived after all was not sent; the soft bounce of `ses_message_id` was none."""

    detail_type: ClassVar[str] = "Retry Not Needed"

    reason: str
    ses_message_id: str | None = None


class MailDuplicate(Fact):
    """A second request with an `emailId` that was spent: nothing was sent for it."""

    detail_type: ClassVar[str] = "Mail Duplicate"

    email_id: str
    original_source: str | None = None
    event_id: str
    first_event_id: str


class SendDue(Fact):
    """A deferred request comes back: a pointer to it, never its content."""

    detail_type: ClassVar[str] = "Send Due"

    email_id: str
    original_email_id: str
    retry_attempt: Attempt
    place: Place
    reason: str
    deferrals: int = 0


Address = Annotated[str, Field(min_length=3, max_length=addresses.LONGEST)]


class AddressSuppressed(Fact):
    detail_type: ClassVar[str] = "Address Suppressed"

    email: Address
    reason: Annotated[str, Field(max_length=LONGEST_REASON)]


class AddressReleased(Fact):
    detail_type: ClassVar[str] = "Address Released"

    email: Address
    reason: Annotated[str, Field(max_length=LONGEST_REASON)]


class SendingFact(Fact):
    """Which requests it is about: those that all given parts match; without any part, all requests."""

    source: Annotated[str, Field(max_length=256)] | None = None
    template_name: Annotated[str, Field(max_length=128)] | None = None
    metadata: dict[Annotated[str, Field(max_length=256)], Annotated[str, Field(max_length=1024)]] = Field(
        default_factory=dict, max_length=20
    )
    reason: Annotated[str, Field(max_length=LONGEST_REASON)]


class SendingPaused(SendingFact):
    """Matching requests wait from now on."""

    detail_type: ClassVar[str] = "Sending Paused"


class SendingResumed(SendingFact):
    """The pause of exactly these requests is over."""

    detail_type: ClassVar[str] = "Sending Resumed"


class RecordParked(Fact):
    detail_type: ClassVar[str] = "Record Parked"

    consumer: str
    place: Place
    error: str
    attempts: int


FACTS: dict[str, type[Fact]] = {
    fact.detail_type: fact
    for fact in (
        MailSent,
        MailFailed,
        RetryNotNeeded,
        MailDuplicate,
        SendDue,
        AddressSuppressed,
        AddressReleased,
        SendingPaused,
        SendingResumed,
        RecordParked,
    )
}
