"""Ids. All are derived, so that a repetition bears the same id.

An `emailId` has at most 190 bytes of UTF-8: as base64url it must fit into an SES message tag (256
characters of `A-Za-z0-9_-`).
"""

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any

__all__ = ["EMAIL_ID_BYTES", "content_id", "derived_id", "email_id_of", "from_tag", "retry_id", "to_tag"]

EMAIL_ID_BYTES = 190
_NAMESPACE = uuid.UUID("5e5aa11e-0000-4000-8000-000000000001")


def email_id_of(event_id: str, detail: Mapping[str, Any]) -> str:
    """The client's `emailId` where it is usable, else one derived from the EventBridge event id."""
    own = detail.get("emailId")
    if isinstance(own, str) and own.strip() and len(own.encode()) <= EMAIL_ID_BYTES:
        return own
    return f"email-{derived_id('emailId', event_id)}"


def retry_id(original_email_id: str, attempt: int) -> str:
    return f"retry-{derived_id('retry', original_email_id, str(attempt))}"


def derived_id(*parts: str) -> str:
    """A UUID that depends on its parts alone."""
    return str(uuid.uuid5(_NAMESPACE, json.dumps(parts)))


def content_id(content: Mapping[str, Any]) -> str:
    """Identity of an event that comes without one: two with the same content are the same event."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def to_tag(value: str) -> str:
    return base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")


def from_tag(tag: str) -> str | None:
    """The value behind a tag that `to_tag` made; None for a tag that somebody else made."""
    try:
        value = base64.b64decode(tag + "=" * (-len(tag) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        return None
    return value if to_tag(value) == tag else None
