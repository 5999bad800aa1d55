"""Events as they come into the log, and the records that carry them, for tests to vary.

SES's events are the documented samples; a change is given by keyword and replaces the field as a whole.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline import ids, times
from pipeline.envelope import Envelope
from pipeline.events import (
    AddressReleased,
    AddressSuppressed,
    Fact,
    MailDuplicate,
    MailFailed,
    MailSent,
    RecordParked,
    RetryNotNeeded,
    SendDue,
    SendingPaused,
    SendingResumed,
)
from pipeline.log import Place, Record, sequence_text

Json = dict[str, Any]

ANA = "ana@customer.example"
ORDER = "order-42"
MESSAGE_ID = "0100019a1b2c3d4e-7f6a5b4c-0000-4e11-9a1b-0123456789ab-000000"
SHARD = "shardId-000000000000"
NINE = "2026-11-24T09:15:02.114Z"
MTA = "a8-70.smtp-out.amazonses.com"


def at(minutes: float = 0) -> str:
    """A time in the log's form, so many minutes after the mail of the samples."""
    return times.text(times.parse(NINE) + timedelta(minutes=minutes))


def envelope(detail_type: str = "Anything", detail: Json | None = None, **fields: Any) -> Envelope:
    known = {"id": "event-1", "source": "my.application", "time": NINE, "detail": detail or {}}
    return Envelope(detail_type=detail_type, **known | fields)


def envelopes(count: int, size: int = 0) -> list[Envelope]:
    """Distinct ones, of at least `size` bytes each."""
    return [envelope(id=f"event-{n}", detail={"n": n, "filling": "x" * size}) for n in range(count)]


def wire(content: Envelope | Json) -> bytes:
    return content.to_bytes() if isinstance(content, Envelope) else json.dumps(content).encode()


def record(content: Envelope | Json | bytes, sequence: int = 1, shard: str = SHARD) -> Record:
    data = content if isinstance(content, bytes) else wire(content)
    arrival = datetime(2026, 11, 24, 9, 15, tzinfo=UTC) + timedelta(milliseconds=sequence % 1_000_000)
    return Record(data, "key", shard, sequence, arrival)


def place(sequence: int = 1, shard: str = SHARD) -> Place:
    return Place(shard=shard, sequence=sequence_text(sequence))


# ── Requests ──────────────────────────────────────────────────────────────────────────────────────────────


def request(**fields: Any) -> Json:
    """The detail of an `Email Request`; a field that is None is left out."""
    known = {"to": ANA, "templateName": "welcome", "templateData": {"userName": "Ana"}, "emailId": ORDER}
    return {name: value for name, value in (known | fields).items() if value is not None}


def requested(detail: Json | None = None, **fields: Any) -> Envelope:
    return envelope("Email Request", request() if detail is None else detail, **fields)


# ── Facts of our own ──────────────────────────────────────────────────────────────────────────────────────


def mail_sent(email_id: str = ORDER, **fields: Any) -> MailSent:
    return MailSent(**_mail_fact(email_id) | {"ses_message_id": MESSAGE_ID} | fields)


def mail_failed(email_id: str = ORDER, **fields: Any) -> MailFailed:
    failure = {"error_code": "TEMPLATE_NOT_FOUND", "error_message": "there is no template 'welcome'"}
    return MailFailed(**_mail_fact(email_id) | failure | fields)


def retry_not_needed(email_id: str = ORDER, **fields: Any) -> RetryNotNeeded:
    """Of the retry of the mail."""
    retry = {"email_id": ids.retry_id(email_id, 1), "original_email_id": email_id, "retry_attempt": 1}
    told = {"reason": "the mail was delivered after all", "ses_message_id": MESSAGE_ID}
    return RetryNotNeeded(**_mail_fact(email_id) | retry | told | fields)


def _mail_fact(email_id: str) -> Json:
    return {
        "email_id": email_id,
        "original_email_id": email_id,
        "to_email": ANA,
        "original_source": "my.application",
        "template_name": "welcome",
        "subject": "Welcome, Ana",
        "metadata": {"campaignId": "welcome-2026"},
        "event_id": "event-1",
        "place": place(),
    }


SELECTED: Json = {
    "source": "my.application",
    "template_name": "newsletter",
    "metadata": {"campaignId": "spring"},
}


def facts() -> Sequence[Fact]:
    """One of every kind."""
    mail = {"email_id": ORDER, "original_email_id": ORDER}
    return (
        mail_sent(),
        mail_failed(),
        MailDuplicate(
            email_id=ORDER, original_source="my.application", event_id="event-2", first_event_id="event-1"
        ),
        SendDue(**mail, retry_attempt=1, place=place(), reason="soft bounce"),
        AddressSuppressed(email=ANA, reason="asked by phone"),
        AddressReleased(email=ANA, reason="asked by phone"),
        SendingPaused(**SELECTED, reason="a wrong price"),
        SendingResumed(**SELECTED, reason="the price is right"),
        RecordParked(consumer="projector", place=place(), error="ValueError: no", attempts=3),
        retry_not_needed(),
    )


# ── Feedback ──────────────────────────────────────────────────────────────────────────────────────────────


def tags(email_id: str = ORDER, original: str | None = None, attempt: int = 0) -> dict[str, list[str]]:
    """As the sender puts them onto a mail, with some that SES adds."""
    return {
        "ses:operation": ["SendEmail"],
        "ses:source-ip": ["203.0.113.9"],
        "emailId": [ids.to_tag(email_id)],
        "originalEmailId": [ids.to_tag(original or email_id)],
        "retryAttempt": [str(attempt)],
    }


def mail(**fields: Any) -> Json:
    """The `mail` object of an SES event."""
    known = {
        "timestamp": NINE,
        "messageId": MESSAGE_ID,
        "source": "Acme <orders@mail.acme.example>",
        "sourceArn": "arn:aws:ses:us-east-1:111122223333:identity/mail.acme.example",
        "sendingAccountId": "111122223333",
        "destination": [ANA],
        "headersTruncated": False,
        "headers": [
            {"name": "From", "value": "Acme <orders@mail.acme.example>"},
            {"name": "To", "value": ANA},
            {"name": "Subject", "value": "Your order"},
        ],
        "commonHeaders": {
            "from": ["Acme <orders@mail.acme.example>"],
            "to": [ANA],
            "messageId": MESSAGE_ID,
            "subject": "Your order",
        },
        "tags": tags(),
    }
    return known | fields


def ses_event(kind: str, mail: Mapping[str, Any] | None = None, **fields: Any) -> Json:
    """What SES publishes; `mail` replaces fields of the mail object, the keywords those of the kind's own."""
    key, own = SES_EVENTS[kind]
    return {"eventType": kind, "mail": _mail(mail), key: dict(own) | fields}


def _mail(changes: Mapping[str, Any] | None) -> Json:
    return mail(**changes or {})


def feedback(kind: str, mail: Mapping[str, Any] | None = None, **fields: Any) -> Envelope:
    """An SES event as the pipe brings it into the log."""
    return piped(ses_event(kind, mail, **fields))


def piped(event: Json, detail_type: str = "SES Feedback", **fields: Any) -> Envelope:
    return envelope(detail_type, event, **{"id": "message-1", "source": "aws.ses", "time": at(1)} | fields)


def recipient(address: str = ANA, **fields: Any) -> Json:
    """One of `bouncedRecipients`, `complainedRecipients`, `delayedRecipients`."""
    return {"emailAddress": address, **fields}


_BOUNCED = recipient(action="failed", status="5.1.1", diagnosticCode="smtp; 550 5.1.1 user unknown")
_OPT_OUT = [{"topicName": "news", "subscriptionStatus": "OptOut"}]

SES_EVENTS: Mapping[str, tuple[str, Json]] = {
    "Send": ("send", {}),
    "Delivery": (
        "delivery",
        {
            "timestamp": "2026-11-24T09:15:03.510Z",
            "processingTimeMillis": 1396,
            "recipients": [ANA],
            "smtpResponse": "250 2.6.0 Message received",
            "reportingMTA": MTA,
            "remoteMtaIp": "198.51.100.20",
        },
    ),
    "Bounce": (
        "bounce",
        {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "timestamp": "2026-11-24T09:15:03.902Z",
            "feedbackId": "0100019a1b2c45aa-2b1f0c11-1111-4d2e-8c77-0123456789ab-000000",
            "reportingMTA": f"dns; {MTA}",
            "bouncedRecipients": [_BOUNCED],
        },
    ),
    "Complaint": (
        "complaint",
        {
            "timestamp": "2026-11-24T11:00:00.000Z",
            "feedbackId": "fb-3",
            "complaintSubType": None,
            "complainedRecipients": [recipient()],
            "userAgent": "ExampleFBL/1.0",
            "complaintFeedbackType": "abuse",
            "arrivalDate": "2026-11-24T10:59:41.000Z",
        },
    ),
    "Reject": ("reject", {"reason": "Bad content"}),
    "Open": (
        "open",
        {
            "timestamp": "2026-11-24T09:31:12.001Z",
            "ipAddress": "192.0.2.44",
            "userAgent": "Mozilla/5.0",
            "isBotEvent": "Unlikely",
        },
    ),
    "Click": (
        "click",
        {
            "timestamp": "2026-11-24T09:31:40.220Z",
            "ipAddress": "192.0.2.44",
            "userAgent": "Mozilla/5.0",
            "link": "https://acme.example/orders/42",
            "linkTags": {"cta": ["track"]},
            "isBotEvent": "Unlikely",
        },
    ),
    "Rendering Failure": (
        "failure",
        {
            "templateName": "order-shipped",
            "errorMessage": "Attribute 'name' is not present in the rendering data.",
        },
    ),
    "DeliveryDelay": (
        "deliveryDelay",
        {
            "timestamp": "2026-11-24T09:45:00.000Z",
            "delayType": "TransientCommunicationFailure",
            "expirationTime": "2026-11-24T21:15:02.000Z",
            "reportingMTA": MTA,
            "delayedRecipients": [
                recipient(status="4.4.1", diagnosticCode="smtp; 421 4.4.1 Unable to connect to remote host")
            ],
        },
    ),
    "Subscription": (
        "subscription",
        {
            "timestamp": "2026-11-24T12:00:00.000Z",
            "contactList": "acme",
            "source": "UnsubscribeHeader",
            "newTopicPreferences": {"unsubscribeAll": True, "topicSubscriptionStatus": _OPT_OUT},
            "oldTopicPreferences": {"unsubscribeAll": False, "topicSubscriptionStatus": []},
        },
    ),
}
