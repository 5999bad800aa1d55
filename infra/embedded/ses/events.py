"""The JSON of an SES event, as SES publishes it to SNS; pure.

Source: "Contents of event data that Amazon SES publishes to Amazon SNS".
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape
from typing import Any

from infra.embedded.ses.event_types import EVENT_TYPES
from infra.embedded.ses.mail import Mail, bare, ses_id, stamp

__all__ = ["Occurrence", "event"]

Json = dict[str, Any]

HEADER_LIMIT = 10 * 1024
MTA = "a8-70.smtp-out.amazonses.com"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
BOT = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
USER_AGENTS = {"Likely": BOT, "Unlikely": BROWSER}
WITHOUT_HEADERS = {"DeliveryDelay", "Subscription"}


@dataclass(frozen=True)
class Occurrence:
    """Something that happened to a mail. `details` override what its kind would say by itself."""

    mail: Mail
    recipient: str
    kind: str
    time: datetime
    details: Mapping[str, Any]

    @property
    def feedback_id(self) -> str:
        return ses_id(self.time, self.mail.message_id, self.recipient, self.kind, stamp(self.time))


def event(occurrence: Occurrence) -> Json:
    kind = occurrence.kind
    body = BODIES[kind](occurrence)
    return {"eventType": kind, "mail": _mail(occurrence), EVENT_TYPES[kind].key: body}


def _mail(occurrence: Occurrence) -> Json:
    mail = occurrence.mail
    known = {
        "timestamp": stamp(mail.time),
        "source": mail.source,
        "sourceArn": mail.identity,
        "sendingAccountId": mail.account,
        "messageId": mail.message_id,
        "destination": list(mail.recipients),
        "headersTruncated": False,
        "tags": _tags(occurrence),
    }
    return known if occurrence.kind in WITHOUT_HEADERS else known | _headers(mail)


def _tags(occurrence: Occurrence) -> dict[str, list[str]]:
    mail = occurrence.mail
    automatic = {
        "ses:operation": "SendEmail",
        "ses:configuration-set": mail.configuration_set or "",
        "ses:source-ip": "127.0.0.1",
        "ses:from-domain": bare(mail.source).rpartition("@")[2],
        "ses:caller-identity": "embedded",
    }
    outgoing = {"ses:outgoing-ip": "198.51.100.10"} if occurrence.kind == "Delivery" else {}
    return {name: [value] for name, value in (automatic | outgoing | dict(mail.tags)).items()}


def _headers(mail: Mail) -> Json:
    headers = [{"name": name, "value": value} for name, value in mail.wire_headers]
    kept, size = [], 0
    for header in headers:
        size += len(header["name"]) + len(header["value"])
        if size > HEADER_LIMIT:
            break
        kept.append(header)
    truncated = len(kept) < len(headers)
    return {"headersTruncated": truncated, "headers": kept, "commonHeaders": _common_headers(mail)}


def _common_headers(mail: Mail) -> Json:
    present = {
        "from": [mail.source],
        "replyTo": list(mail.reply_to),
        "to": list(mail.to),
        "cc": list(mail.cc),
        "bcc": list(mail.bcc),
        "messageId": mail.message_id,
        "subject": mail.subject,
    }
    return {name: value for name, value in present.items() if value}


def _delivery(it: Occurrence) -> Json:
    return {
        "timestamp": stamp(it.time),
        "processingTimeMillis": int((it.time - it.mail.time).total_seconds() * 1000),
        "recipients": [it.recipient],
        "smtpResponse": "250 2.6.0 Message received",
        "reportingMTA": MTA,
        "remoteMtaIp": "198.51.100.20",
    }


def _bounce(it: Occurrence) -> Json:
    details = dict(it.details)
    recipient = {"emailAddress": it.recipient, **details.pop("recipient", {})}
    body = {
        **details,
        "bouncedRecipients": [recipient],
        "timestamp": stamp(it.time),
        "feedbackId": it.feedback_id,
    }
    return body | ({"reportingMTA": f"dns; {MTA}"} if "status" in recipient else {})


def _complaint(it: Occurrence) -> Json:
    return {
        "complainedRecipients": [{"emailAddress": it.recipient}],
        "timestamp": stamp(it.time),
        "feedbackId": it.feedback_id,
        "complaintSubType": None,
        "userAgent": "EmbeddedFBL/1.0",
        "arrivalDate": stamp(it.time),
        **it.details,
    }


def _open(it: Occurrence) -> Json:
    agent = USER_AGENTS[it.details.get("isBotEvent", "Unlikely")]
    return {"timestamp": stamp(it.time), "ipAddress": "192.0.2.44", "userAgent": agent, **it.details}


def _click(it: Occurrence) -> Json:
    return {"link": _first_link(it.mail), "linkTags": None, **_open(it)}


def _delivery_delay(it: Occurrence) -> Json:
    recipient = {
        "emailAddress": it.recipient,
        "status": "4.4.1",
        "diagnosticCode": "smtp; 421 4.4.1 Unable to connect to remote host",
    }
    return {
        "timestamp": stamp(it.time),
        "delayType": "General",
        "expirationTime": stamp(it.mail.time + timedelta(minutes=840)),
        "reportingMTA": MTA,
        "delayedRecipients": [recipient],
        **it.details,
    }


def _reject(it: Occurrence) -> Json:
    return {"reason": "Bad content", **it.details}


def _rendering_failure(it: Occurrence) -> Json:
    missing = "Attribute 'name' is not present in the rendering data."
    return {"templateName": "template", "errorMessage": missing, **it.details}


def _subscription(it: Occurrence) -> Json:
    return {
        "contactList": "list",
        "timestamp": stamp(it.time),
        "source": "UnsubscribeHeader",
        "newTopicPreferences": {"unsubscribeAll": True, "topicSubscriptionStatus": []},
        "oldTopicPreferences": {"unsubscribeAll": False, "topicSubscriptionStatus": []},
        **it.details,
    }


def _first_link(mail: Mail) -> str:
    found = re.search(r"""href=["'](https?://[^"']+)""", mail.html or "")
    return unescape(found[1]) if found else "https://example.com/"


BODIES: dict[str, Callable[[Occurrence], Json]] = {
    "Send": lambda _: {},
    "Delivery": _delivery,
    "Bounce": _bounce,
    "Complaint": _complaint,
    "Reject": _reject,
    "Open": _open,
    "Click": _click,
    "Rendering Failure": _rendering_failure,
    "DeliveryDelay": _delivery_delay,
    "Subscription": _subscription,
}
