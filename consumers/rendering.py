"""From a template folder and a request to a mail. Templates are untrusted: sandbox, autoescape, no includes.

Precedence: sender: request > metadata.json > the stack's default; reply-to and subject: request > metadata.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formataddr
from typing import Protocol

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from consumers.mail import Mail, Refusal
from pipeline import addresses, ids
from pipeline.requests import HEADER_BREAKS, EmailRequest

__all__ = ["Compiled", "Templates", "compiled", "render", "tags"]

_SANDBOX_LEAVES = (RecursionError, MemoryError)  # limits of the interpreter, which a template may reach
_COMPILING = (TemplateError, SyntaxError, ValueError, AttributeError, *_SANDBOX_LEAVES)
_RENDERING = (
    TemplateError,
    ArithmeticError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    *_SANDBOX_LEAVES,
)

_HTML = ImmutableSandboxedEnvironment(autoescape=True, undefined=StrictUndefined)
_TEXT = ImmutableSandboxedEnvironment(autoescape=False, undefined=StrictUndefined)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A template folder, compiled. `metadata` maps each name of metadata.json to its template."""

    name: str
    html: Template
    text: Template | None
    metadata: Mapping[str, Template]


class Templates(Protocol):
    def get(self, name: str) -> Compiled:
        """Raises Refusal if there is no such template or it can't be compiled."""
        ...


def compiled(name: str, html: str, text: str | None, metadata: str) -> Compiled:
    """Raises Refusal naming the file at fault."""
    try:
        strings = {key: each for key, each in json.loads(metadata).items() if isinstance(each, str)}
        return Compiled(
            name,
            _HTML.from_string(html),
            _TEXT.from_string(text) if text is not None else None,
            {key: _TEXT.from_string(each) for key, each in strings.items()},
        )
    except _COMPILING as error:
        raise Refusal("TEMPLATE_INVALID", f"template '{name}' can't be used: {_reason(error)}") from error


def render(template: Compiled, request: EmailRequest, default_sender: tuple[str, str]) -> Mail:
    """The mail, without tags. `default_sender` is (name, address). Raises Refusal."""
    try:
        return _mail(template, request, default_sender)
    except _RENDERING as error:
        sentence = f"template '{template.name}' could not be rendered: {_reason(error)}; check templateData"
        raise Refusal("TEMPLATE_RENDERING_FAILED", sentence) from error


def _mail(template: Compiled, request: EmailRequest, default_sender: tuple[str, str]) -> Mail:
    data = request.template_data

    def of_metadata(name: str) -> str:
        return template.metadata[name].render(data).strip() if name in template.metadata else ""

    name, address = _sender(request, of_metadata("senderName"), of_metadata("senderEmail"), default_sender)
    reply_to = request.reply_to or of_metadata("replyTo")
    return Mail(
        to=request.to,
        sender=formataddr((_one_line(name), addresses.validated(address))),
        subject=_one_line(request.subject if request.subject is not None else of_metadata("subject")),
        html=template.html.render(data),
        text=template.text.render(data) if template.text else None,
        reply_to=addresses.validated(reply_to) if reply_to else None,
    )


def _sender(request: EmailRequest, name: str, address: str, default: tuple[str, str]) -> tuple[str, str]:
    override = request.sender_override
    if override:
        return override.name or name or default[0], override.email
    return name or default[0], address or default[1]


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _one_line(value: str) -> str:
    if any(mark in value for mark in HEADER_BREAKS):
        raise ValueError("a line break or NUL character would get into a header")
    return value


def tags(email_id: str, original_email_id: str, attempt: int) -> dict[str, str]:
    """SES message tags that let feedback alone place itself."""
    return {
        "emailId": ids.to_tag(email_id),
        "originalEmailId": ids.to_tag(original_email_id),
        "retryAttempt": str(attempt),
    }
