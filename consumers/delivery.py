"""The gates one mail goes through, in order, and the fact that comes of it.

validate → suppression → template → SES. A gate refuses with a code and a sentence with the remedy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from consumers.mail import Mail, Refusal
from consumers.rendering import render, tags
from consumers.templates import Templates
from pipeline import addresses, requests
from pipeline.codec import Request
from pipeline.events import MailFailed, MailSent
from pipeline.log import Place, Record
from pipeline.requests import EmailRequest

__all__ = ["Delivery", "Suppressions", "Task", "internal_failure"]

LONGEST_TEMPLATE_NAME = 128


class Suppressions(Protocol):
    def suppressed(self, addresses: list[str]) -> Mapping[str, Mapping[str, Any]]:
        """The rows of the addresses (suppression keys) that must not be mailed."""
        ...


@dataclass(frozen=True, slots=True)
class Task:
    """A mail to be decided on. `request` is None when it has left the log's retention."""

    email_id: str
    original_email_id: str
    retry_attempt: int
    event_id: str
    place: Place
    request: Request | None
    record: Record
    finish: Callable[[], None]

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


class Delivery:
    def __init__(self, templates: Templates, default_sender: tuple[str, str]) -> None:
        self._templates, self._default_sender = templates, default_sender

    def outcome(
        self, task: Task, suppression: Mapping[str, Any] | None, send: Callable[[Mail], str]
    ) -> MailSent | MailFailed:
        """The fact about this mail. `send` hands it to SES, and may raise what isn't the mail's fault."""
        known = task.known()
        try:
            request = _valid(task)
            known |= {"subject": request.subject, "unknown_fields": request.unknown_fields}
            _not_suppressed(suppression)
            mail = self._rendered(task, request)
            known |= {"subject": mail.subject, "to_email": mail.to}
            return MailSent(**known, ses_message_id=send(mail))
        except Refusal as refusal:
            return MailFailed(**known, error_code=refusal.code, error_message=refusal.sentence)

    def _rendered(self, task: Task, request: EmailRequest) -> Mail:
        mail = render(self._templates.get(request.template_name), request, self._default_sender)
        return replace(mail, tags=tags(task.email_id, task.original_email_id, task.retry_attempt))


def internal_failure(task: Task) -> MailFailed:
    """What is said of a mail that could not be decided on because of a fault of this engine."""
    message = (
        "the engine failed on this request and has parked it; an operator will find it in the parked queue"
    )
    return MailFailed(**task.known(), error_code="INTERNAL_ERROR", error_message=message)


def _valid(task: Task) -> EmailRequest:
    if task.request is None:
        raise Refusal(
            "REQUEST_GONE", "the request has left the log before its time came; ask for the mail again"
        )
    try:
        return requests.parse(task.request.detail)
    except requests.InvalidRequest as error:
        raise Refusal("INVALID_REQUEST", f"the request can't be used: {error}") from error


def _not_suppressed(row: Mapping[str, Any] | None) -> None:
    if row:
        sentence = (
            f"the recipient is suppressed since {row['addedToSuppressionDate']} ({row['reason']}); "
            "release the address if it may be mailed again"
        )
        raise Refusal("RECIPIENT_SUPPRESSED", sentence)
