"""A mail to be decided on: what a record of the log, or a deferred request that came due, asks to be sent."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline import addresses, requests
from pipeline.codec import Request
from pipeline.log import Place, Record

__all__ = ["Task"]

LONGEST_TEMPLATE_NAME = 128


@dataclass(frozen=True, slots=True)
class Task:
    """`request` is None when it has left the log's retention. `requested` is when it was asked for.

    `place` is the request's; `record` the one that asks now, which is another one after a deferral for a `reason`.
    """

    email_id: str
    original_email_id: str
    retry_attempt: int
    event_id: str
    place: Place
    request: Request | None
    record: Record
    finish: Callable[[], None]
    requested: str | None = None
    deferrals: int = 0
    reason: str | None = None

    @property
    def to(self) -> str | None:
        to = self.request.detail.get("to") if self.request else None
        return to if isinstance(to, str) and 0 < len(to) <= addresses.LONGEST else None

    @property
    def recipient_key(self) -> str | None:
        return addresses.suppression_key(self.to) if self.to else None

    @property
    def source(self) -> str | None:
        return self.request.source if self.request else None

    def known(self) -> dict[str, Any]:
        """What can be said of the mail before its request is known to be valid: nothing of any size."""
        detail = self.request.detail if self.request else {}
        template, metadata = detail.get("templateName"), detail.get("metadata")
        fitting = isinstance(metadata, dict) and requests.json_size(metadata) <= requests.METADATA_BYTES
        return {
            "email_id": self.email_id,
            "original_email_id": self.original_email_id,
            "retry_attempt": self.retry_attempt,
            "to_email": self.to,
            "original_source": self.source,
            "template_name": template[:LONGEST_TEMPLATE_NAME] if isinstance(template, str) else None,
            "metadata": metadata if fitting else {},
            "event_id": self.event_id,
            "place": self.place,
        }
