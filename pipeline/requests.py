"""The detail of an `Email Request`: the public contract with applications, and what is said of its faults.

Every fault of a request is reported at once, each with the field, what is wrong and what would be right.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from pipeline import addresses, ids, times

__all__ = [
    "EmailRequest",
    "InvalidRequest",
    "Priority",
    "SenderOverride",
    "Unsubscribe",
    "is_template_name",
    "json_size",
    "parse",
]

HEADER_BREAKS = ("\r", "\n", "\0")
TEMPLATE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
LONGEST_HEADER = 995
METADATA_BYTES = 8 * 1024
LONGEST_NAME = 64  # of an unknown field, as it is noted
MOST_NAMES = 20
MOST_FAULTS = 20
LONGEST_FAULT = 300

Priority = Literal["transactional", "bulk"]


class InvalidRequest(ValueError):
    """The sentence lists all faults."""


def json_size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


def is_template_name(name: str) -> bool:
    return re.fullmatch(TEMPLATE_NAME, name) is not None


def _header_text(value: str) -> str:
    if any(mark in value for mark in HEADER_BREAKS):
        raise ValueError("must be one line: remove line breaks and NUL characters")
    if len(value) > LONGEST_HEADER:
        raise ValueError(f"must have at most {LONGEST_HEADER} characters")
    return value


def _address(value: str) -> str:
    try:
        return addresses.validated(value)
    except addresses.InvalidAddress as error:
        raise ValueError(f"is not an e-mail address that mail can be sent to: {error}") from error


def _email_id(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be blank; leave it out to have one made")
    if len(value.encode()) > ids.EMAIL_ID_BYTES:
        raise ValueError(f"must have at most {ids.EMAIL_ID_BYTES} bytes of UTF-8")
    return value


def _time(value: str) -> str:
    try:
        return times.text(times.parse(value))
    except (ValueError, OverflowError) as error:
        raise ValueError("must be a time such as 2026-11-24T09:15:00Z") from error


def _small(value: dict[str, Any]) -> dict[str, Any]:
    size = json_size(value)
    if size > METADATA_BYTES:
        raise ValueError(f"has {size} bytes as JSON; at most {METADATA_BYTES} are kept with a mail")
    return value


Address = Annotated[str, AfterValidator(_address)]
HeaderText = Annotated[str, AfterValidator(_header_text)]
Time = Annotated[str, AfterValidator(_time)]


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, strict=True, alias_generator=to_camel, populate_by_name=True, extra="allow"
    )


class SenderOverride(_Model):
    """Who the mail is from, in the place of the template's or the stack's sender."""

    email: Address
    name: HeaderText | None = None


class Unsubscribe(_Model):
    """Where a recipient unsubscribes: RFC 2369 and, for an https `url`, one click (RFC 8058)."""

    url: HeaderText | None = None
    mailto: Address | None = None


class EmailRequest(_Model):
    """One mail to one recipient. Fields and rules: the integration guide."""

    to: Address = Field(description="The recipient's address; one mail goes to one recipient.")
    template_name: Annotated[str, Field(pattern=TEMPLATE_NAME, description="A template folder's name.")]
    template_data: dict[str, Any] = Field(default_factory=dict, description="Variables of the template.")
    email_id: Annotated[str, AfterValidator(_email_id)] | None = Field(
        None, description="Your id for the mail, at most 190 bytes; a second request with it sends nothing."
    )
    subject: HeaderText | None = Field(None, description="In the place of the template's subject.")
    sender_override: SenderOverride | None = None
    reply_to: Address | None = Field(None, description="Where replies go.")
    metadata: Annotated[dict[str, Any], AfterValidator(_small)] = Field(
        default_factory=dict, description="Kept with the mail, at most 8 KB of JSON."
    )
    priority: Priority | None = Field(
        None, description="The lane; default: the template's, else transactional."
    )
    unsubscribe: Unsubscribe | None = None
    expires_at: Time | None = Field(None, description="ISO 8601; not sent afterwards.")

    @property
    def unknown_fields(self) -> list[str]:
        """The first of them, shortened: they are noted, not kept."""
        return sorted(name[:LONGEST_NAME] for name in self.model_extra or ())[:MOST_NAMES]

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and times.text(now) > self.expires_at


def parse(detail: Mapping[str, Any]) -> EmailRequest:
    """Raises InvalidRequest with every fault of the request."""
    faults = list(_misnamed(detail, EmailRequest))
    try:
        request = EmailRequest.model_validate(detail, by_name=False)
    except ValidationError as error:
        faults += [_sentence(fault) for fault in error.errors()]
        raise InvalidRequest(_listed(faults)) from error
    if faults:
        raise InvalidRequest(_listed(faults))
    return request


def _listed(faults: Sequence[str]) -> str:
    """All of them, as long as a row can hold them."""
    named = [fault[:LONGEST_FAULT] for fault in faults[:MOST_FAULTS]]
    more = [f"and {len(faults) - MOST_FAULTS} more"] if len(faults) > MOST_FAULTS else []
    return "; ".join(named + more)


_UNSUPPORTED = {
    "cc": "one mail goes to one recipient: put one request for each",
    "bcc": "one mail goes to one recipient: put one request for each",
    "attachments": "put a link to the file into templateData",
    "attachment": "put a link to the file into templateData",
}


def _misnamed(detail: Mapping[str, Any], model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Fields that were meant to be heard, and would be passed over in silence."""
    known = {str(field.alias): field for field in model.model_fields.values()}
    plain = {_plain(name): name for name in known}
    for name, value in detail.items():
        meant = plain.get(_plain(name))
        if not prefix and _plain(name) in _UNSUPPORTED:
            yield f"'{name[:LONGEST_NAME]}' is not supported: {_UNSUPPORTED[_plain(name)]}"
        elif meant and meant != name:
            yield f"'{prefix}{name[:LONGEST_NAME]}' is not a field: write '{prefix}{meant}'"
        elif meant in _NESTED and isinstance(value, dict) and not prefix:
            yield from _misnamed(value, _NESTED[meant], f"{meant}.")


_NESTED: Mapping[str | None, type[BaseModel]] = {"senderOverride": SenderOverride, "unsubscribe": Unsubscribe}


def _plain(name: str) -> str:
    return name.replace("-", "").replace("_", "").strip().lower()


_SENTENCES = {
    "missing": "is required",
    "string_type": "must be a string, not {found}",
    "dict_type": "must be an object, not {found}",
    "model_type": "must be an object, not {found}",
    "literal_error": "must be 'transactional' or 'bulk'",
    "string_pattern_mismatch": "must be the name of a template folder (letters, digits, '.', '_', '-'; at most 128)",
}
_JSON_NAMES = {
    "dict": "an object",
    "list": "a list",
    "str": "a string",
    "NoneType": "null",
    "bool": "a boolean",
}


def _sentence(fault: ErrorDetails) -> str:
    field = ".".join(str(part) for part in fault["loc"])
    found = _JSON_NAMES.get(type(fault["input"]).__name__, "a number")
    wording = _SENTENCES.get(fault["type"])
    said = wording.format(found=found) if wording else fault["msg"].removeprefix("Value error, ")
    return f"'{field}' {said}"
