"""The detail of an `Email Request`: the public contract with applications, and what is said of its faults.

Every fault of a request is reported at once, each with the field, what is wrong and what would be right.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from pipeline import addresses, ids

__all__ = ["EmailRequest", "InvalidRequest", "SenderOverride", "Unsubscribe", "parse"]

HEADER_BREAKS = ("\r", "\n", "\0")
TEMPLATE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"


class InvalidRequest(ValueError):
    """The sentence lists all faults."""


def _header_text(value: str) -> str:
    if any(mark in value for mark in HEADER_BREAKS):
        raise ValueError("must be one line: remove line breaks and NUL characters")
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


Address = Annotated[str, AfterValidator(_address)]
HeaderText = Annotated[str, AfterValidator(_header_text)]


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, strict=True, alias_generator=to_camel, populate_by_name=True, extra="allow"
    )


class SenderOverride(_Model):
    email: Address
    name: HeaderText | None = None


class Unsubscribe(_Model):
    """Where a recipient unsubscribes: RFC 2369 and, for an https `url`, one click (RFC 8058)."""

    url: HeaderText | None = None
    mailto: Address | None = None


class EmailRequest(_Model):
    """One mail to one recipient. Fields and rules: the integration guide."""

    to: Address
    template_name: Annotated[str, Field(pattern=TEMPLATE_NAME)]
    template_data: dict[str, Any] = Field(default_factory=dict)
    email_id: Annotated[str, AfterValidator(_email_id)] | None = None
    subject: HeaderText | None = None
    sender_override: SenderOverride | None = None
    reply_to: Address | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    unsubscribe: Unsubscribe | None = None

    @property
    def unknown_fields(self) -> list[str]:
        return sorted(self.model_extra or ())


def parse(detail: Mapping[str, Any]) -> EmailRequest:
    """Raises InvalidRequest with every fault of the request."""
    try:
        return EmailRequest.model_validate(detail, by_name=False)
    except ValidationError as error:
        faults = [_sentence(fault) for fault in error.errors()]
        raise InvalidRequest("; ".join(faults)) from error


_SENTENCES = {
    "missing": "is required",
    "string_type": "must be a string, not {found}",
    "dict_type": "must be an object, not {found}",
    "model_type": "must be an object, not {found}",
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
