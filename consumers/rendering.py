"""From a compiled template and a request to a mail.

Precedence: sender: request > metadata.json > the stack's default; the rest: request > metadata.json.
"""

from collections.abc import Callable

from consumers.headers import encoded, list_unsubscribe, mailbox, one_line
from consumers.mail import Mail, Refusal
from consumers.templates import FAULTS, Compiled, safely
from pipeline import addresses, ids
from pipeline.requests import EmailRequest

__all__ = ["render", "tags"]


def render(template: Compiled, request: EmailRequest, default_sender: tuple[str, str]) -> Mail:
    """The mail, without tags. `default_sender` is (name, address). Raises Refusal."""
    missing = [name for name in template.required if name not in request.template_data]
    if missing:
        sentence = f"template '{template.name}' needs {_listed(missing)} in templateData"
        raise Refusal("TEMPLATE_VARIABLE_MISSING", sentence)
    try:
        return safely(lambda: _mail(template, request, default_sender))
    except FAULTS as error:
        reason = str(error) or type(error).__name__
        sentence = f"template '{template.name}' could not be rendered: {reason}; check templateData"
        raise Refusal("TEMPLATE_RENDERING_FAILED", sentence) from error


def _mail(template: Compiled, request: EmailRequest, default_sender: tuple[str, str]) -> Mail:
    data = request.template_data

    def of_metadata(key: str) -> str:
        return template.strings[key].render(data).strip() if key in template.strings else ""

    reply_to = request.reply_to or of_metadata("replyTo")
    subject = one_line(request.subject or of_metadata("subject"), "the subject")
    encoded(subject, "the subject")  # it has to fit into a header
    return Mail(
        to=request.to,
        sender=_sender(request, of_metadata, default_sender),
        subject=subject,
        html=template.html.render(data),
        text=template.text.render(data) if template.text else None,
        reply_to=addresses.validated(reply_to) if reply_to else None,
        headers=_unsubscribe(request, of_metadata),
    )


def _sender(request: EmailRequest, of_metadata: Callable[[str], str], default: tuple[str, str]) -> str:
    override = request.sender_override
    name = (override and override.name) or of_metadata("senderName") or default[0]
    address = (override and override.email) or of_metadata("senderEmail") or default[1]
    return mailbox(name, address)


def _unsubscribe(request: EmailRequest, of_metadata: Callable[[str], str]) -> dict[str, str]:
    own = request.unsubscribe
    if own:
        return list_unsubscribe(own.url or "", own.mailto or "")
    return list_unsubscribe(of_metadata("unsubscribe.url"), of_metadata("unsubscribe.mailto"))


def _listed(names: list[str]) -> str:
    return " and ".join(
        [", ".join(f"'{name}'" for name in names[:-1])] * (len(names) > 1) + [f"'{names[-1]}'"]
    )


def tags(email_id: str, original_email_id: str, attempt: int) -> dict[str, str]:
    """SES message tags that let feedback alone place itself."""
    return {
        "emailId": ids.to_tag(email_id),
        "originalEmailId": ids.to_tag(original_email_id),
        "retryAttempt": str(attempt),
    }
