"""A SendEmail request (Simple or Raw) read as a `Mail`. What it says is judged elsewhere (`rules`)."""

import base64
import binascii
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr, getaddresses
from typing import Any, NamedTuple

from infra.embedded.ses.errors import bad_request
from infra.embedded.ses.mail import Mail

__all__ = ["Stamp", "read_mail"]

Json = dict[str, Any]
RECIPIENTS = {"to": "ToAddresses", "cc": "CcAddresses", "bcc": "BccAddresses"}
UNSEEN = {"x-ses-message-tags", "x-ses-configuration-set", "bcc"}


class Stamp(NamedTuple):
    """What SES adds to a request: an identifier, the time, and whose account it is."""

    message_id: str
    time: datetime
    account: str
    region: str


def read_mail(request: Json, stamp: Stamp) -> Mail:
    """Raises `BadRequestException` for a request without readable content."""
    content = request.get("Content") or {}
    kind = next((kind for kind in READERS if content.get(kind)), None)
    if kind is None:
        raise bad_request("Content must hold Simple or Raw; templates are not simulated.")
    said = {"source": "", "to": ()} | READERS[kind](content[kind])
    return Mail(**stamp._asdict(), **said | _destination(request) | _asked(request))


def _destination(request: Json) -> Json:
    """A Destination decides alone who gets the mail; To and Cc of a raw message are then mere text."""
    given = request.get("Destination") or {}
    fields = {field: tuple(given.get(name) or ()) for field, name in RECIPIENTS.items()}
    return fields if any(fields.values()) else {}


def _asked(request: Json) -> Json:
    asked = {
        "source": request.get("FromEmailAddress"),
        "reply_to": tuple(request.get("ReplyToAddresses") or ()),
        "tags": {tag.get("Name", ""): tag.get("Value", "") for tag in request.get("EmailTags") or ()},
        "configuration_set": request.get("ConfigurationSetName"),
    }
    return {name: value for name, value in asked.items() if value}


def _simple(simple: Json) -> Json:
    body = simple.get("Body") or {}
    return {
        "subject": _data(simple, "Subject") or "",
        "text": _data(body, "Text"),
        "html": _data(body, "Html"),
        "headers": tuple((header["Name"], header["Value"]) for header in simple.get("Headers") or ()),
    }


def _raw(raw: Json) -> Json:
    try:
        data = base64.b64decode(raw["Data"], validate=True)
        return _message(data, message_from_bytes(data, policy=SMTP))
    except (binascii.Error, LookupError, ValueError) as error:
        raise bad_request("Content.Raw.Data is not a readable message in base64.") from error


def _message(data: bytes, message: EmailMessage) -> Json:
    return {
        **{field: _addresses(message, field) for field in RECIPIENTS},
        "source": ", ".join(_addresses(message, "From")),
        "reply_to": _addresses(message, "Reply-To"),
        "subject": str(message.get("Subject", "")),
        "text": _body(message, "plain"),
        "html": _body(message, "html"),
        "headers": tuple((name, str(value)) for name, value in message.items() if name.lower() not in UNSEEN),
        "tags": _tags(str(message.get("X-SES-MESSAGE-TAGS", ""))),
        "configuration_set": str(message.get("X-SES-CONFIGURATION-SET", "")) or None,
        "raw": data,
    }


def _addresses(message: EmailMessage, header: str) -> tuple[str, ...]:
    found = getaddresses([str(value) for value in message.get_all(header, [])])
    return tuple(formataddr(pair) for pair in found if pair[1])


def _body(message: EmailMessage, subtype: str) -> str | None:
    part = message.get_body(preferencelist=(subtype,))
    return None if part is None else part.get_content()


def _tags(header: str) -> dict[str, str]:
    """`name=value, name=value`, as in the header X-SES-MESSAGE-TAGS."""
    pairs = (pair.partition("=") for pair in header.split(",") if pair.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _data(holder: Json, name: str) -> str | None:
    return (holder.get(name) or {}).get("Data")


READERS = {"Simple": _simple, "Raw": _raw}
