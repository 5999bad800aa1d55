"""One mail through the gates to SES, and the fact that comes of it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from consumers.gates import Gates, valid
from consumers.mail import Mail, Refusal, UnknownRefusal
from consumers.metrics import Metrics, silent
from consumers.rendering import render, tags
from consumers.tasks import Task
from consumers.templates import Templates
from pipeline.events import MailFailed, MailSent
from pipeline.requests import EmailRequest

__all__ = ["Delivery", "Suppressions", "failure_after"]

LONGEST_SENTENCE = 4000
PARKED = "it has parked it, and an operator will find it in the parked queue"


class Suppressions(Protocol):
    def suppressed(self, addresses: list[str]) -> Mapping[str, Mapping[str, Any]]:
        """The rows of the addresses (suppression keys) that must not be mailed."""
        ...


class Delivery:
    def __init__(
        self,
        templates: Templates,
        default_sender: tuple[str, str],
        gates: Gates,
        metrics: Metrics | None = None,
    ) -> None:
        self._templates, self._default_sender, self._gates = templates, default_sender, gates
        self._metrics = metrics or silent()

    def outcome(
        self, task: Task, suppression: Mapping[str, Any] | None, send: Callable[[Mail], str]
    ) -> MailSent | MailFailed:
        """The fact about this mail. `send` hands it to SES, and may raise what isn't the mail's fault.

        Raises Postponed: not now.
        """
        known = task.known()
        try:
            request = valid(task)
            known |= {"subject": request.subject, "unknown_fields": request.unknown_fields}
            self._gates.check(task, request, suppression)
            mail = self._rendered(task, request)
            known |= {"subject": mail.subject, "to_email": mail.to}
            sent = MailSent(**known, ses_message_id=send(mail))
        except Refusal as refusal:
            self._metrics.count("Failed", Code=refusal.code)
            return MailFailed(
                **known, error_code=refusal.code, error_message=refusal.sentence[:LONGEST_SENTENCE]
            )
        self._metrics.count("Sent")
        return sent

    def _rendered(self, task: Task, request: EmailRequest) -> Mail:
        template = self._templates.get(request.template_name)
        with self._metrics.timed("RenderLatency"):
            mail = render(template, request, self._default_sender)
        return replace(mail, tags=tags(task.email_id, task.original_email_id, task.retry_attempt))


def failure_after(fault: Exception, task: Task) -> MailFailed:
    """What is said of a mail that was parked: SES's own words where it refused it, else that it is our fault."""
    if isinstance(fault, UnknownRefusal):
        said = (
            f"SES refused the mail for a reason that the engine doesn't know ({str(fault)[:2000]}); {PARKED}"
        )
        return MailFailed(**task.known(), error_code="SES_ERROR", error_message=said)
    said = f"the engine failed on this request; {PARKED}"
    return MailFailed(**task.known(), error_code="INTERNAL_ERROR", error_message=said)
