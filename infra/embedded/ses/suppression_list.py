"""The account's suppression list: whom SES itself won't mail any more."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from infra.embedded.ses.mail import is_simulator

__all__ = ["REASONS", "SuppressedDestination", "SuppressionList", "reason_of"]

REASONS = ("BOUNCE", "COMPLAINT")


class SuppressedDestination(NamedTuple):
    address: str
    reason: str
    time: datetime
    message_id: str | None = None
    feedback_id: str | None = None


class SuppressionList:
    """Addresses are compared without regard to case, and are given back as they were put."""

    def __init__(self) -> None:
        self.reasons: tuple[str, ...] = REASONS
        self._entries: dict[str, SuppressedDestination] = {}

    def __contains__(self, address: str) -> bool:
        return address.lower() in self._entries

    def __iter__(self) -> Iterator[SuppressedDestination]:
        return iter(tuple(self._entries.values()))

    def put(self, entry: SuppressedDestination) -> None:
        self._entries[entry.address.lower()] = entry

    def get(self, address: str) -> SuppressedDestination | None:
        return self._entries.get(address.lower())

    def delete(self, address: str) -> bool:
        """True when the address was listed."""
        return self._entries.pop(address.lower(), None) is not None


def reason_of(kind: str, recipient: str, details: Mapping[str, Any]) -> str | None:
    """Why SES would put the recipient on the list after this event; None if it wouldn't."""
    hard = details.get("bounceType") == "Permanent" and details.get("bounceSubType") in {"General", "NoEmail"}
    spam = details.get("complaintFeedbackType") != "not-spam"
    reasons = {"Bounce": "BOUNCE" if hard else None, "Complaint": "COMPLAINT" if spam else None}
    return None if is_simulator(recipient) else reasons.get(kind)
