"""From a compiled template and a request to a mail.

Precedence: sender: request > metadata.json > the stack's default; the rest: request > metadata.json.
"""

from collections.abc import Mapping
from typing import Any

from jinja2 import Template, UndefinedError

from consumers.budget import TooLarge
from consumers.headers import address, encoded, list_unsubscribe, mailbox, one_line
from consumers.mail import Mail, Refusal
from consumers.templates import FAULTS, FILES, HTML, Compiled, safely, said
from pipeline import ids
from pipeline.requests import EmailRequest

__all__ = ["line_of", "render", "tags"]

HEADERS = ("subject", "senderName", "senderEmail", "replyTo", "unsubscribe.url", "unsubscribe.mailto")
REMEDIES = {
    UndefinedError: "give it in templateData, or test it in the template with `is defined`",
    TimeoutError: "make the template simpler",
    RecursionError: "make the template simpler",
    TooLarge: "make the template, or what it is given, smaller",
}

Written = dict[str, str]


def render(template: Compiled, request: EmailRequest, default_sender: tuple[str, str]) -> Mail:
    """The mail, without tags. `default_sender` is (name, address). Raises Refusal."""
    missing = [name for name in template.required if name not in request.template_data]
    if missing:
        sentence = f"template '{template.name}' needs {_listed(missing)} in templateData"
        raise Refusal("TEMPLATE_VARIABLE_MISSING", sentence)
    written = _written(template, _given(request), request.template_data)
    try:
        return _mail(request.to, written, default_sender)
    except ValueError as error:
        sentence = f"the mail can't be addressed: {error}"
        raise Refusal("HEADER_INVALID", sentence) from error


def _given(request: EmailRequest) -> Written:
    """What the request itself says, by the key of metadata.json that it takes the place of."""
    override, unsubscribe = request.sender_override, request.unsubscribe
    given = {
        "subject": request.subject,
        "senderName": override and override.name,
        "senderEmail": override and override.email,
        "replyTo": request.reply_to,
    }
    own = {key: value for key, value in given.items() if value}
    if unsubscribe:  # as a whole, also with nothing in it
        own |= {"unsubscribe.url": unsubscribe.url or "", "unsubscribe.mailto": unsubscribe.mailto or ""}
    return own


def _written(template: Compiled, given: Written, data: Mapping[str, Any]) -> Written:
    """All that the template says, by file or key of metadata.json."""
    parts = {key: template.strings[key] for key in HEADERS if key in template.strings and key not in given}
    parts[FILES[0]] = template.html
    if template.text:
        parts[FILES[1]] = template.text
    variables, place = {**HTML.globals, **data}, ""

    def rendered() -> Written:
        nonlocal place
        written = dict(given)
        for place, part in parts.items():
            written[place] = _text(part, variables)
        return written

    try:
        return safely(rendered)
    except FAULTS as error:
        remedy = next((REMEDIES[each] for each in REMEDIES if isinstance(error, each)), "check templateData")
        where = f"{place}, line {line_of(error)}" if line_of(error) else place
        sentence = f"template '{template.name}' could not be rendered: {where}: {said(error)}; {remedy}"
        raise Refusal("TEMPLATE_RENDERING_FAILED", sentence) from error


def _text(part: Template, variables: dict[str, Any]) -> str:
    """What `part.render` does, but for putting variables and globals together for each part anew."""
    environment = part.environment
    context = environment.context_class(environment, variables, part.name, part.blocks)
    try:
        text: str = environment.concat(part.root_render_func(context))
    except Exception:  # noqa: BLE001  it is raised again, with the template's lines in its traceback
        environment.handle_exception()
    if not text.isascii():
        _check_letters(text)
    return text


def _check_letters(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("it writes half a letter (a lone surrogate), which no mail can hold") from error


def line_of(error: BaseException) -> int:
    """The line of the template that raised it; 0 where nobody knows."""
    line, trace = 0, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _mail(to: str, written: Written, default: tuple[str, str]) -> Mail:
    said_of = {key: written[key].strip() for key in HEADERS if key in written}
    subject = one_line(said_of.get("subject", ""), "the subject")
    encoded(subject, "the subject")  # it has to fit into a header
    reply_to = said_of.get("replyTo")
    return Mail(
        to=address(to, "the recipient's address"),
        sender=mailbox(said_of.get("senderName") or default[0], said_of.get("senderEmail") or default[1]),
        subject=subject,
        html=written[FILES[0]],
        text=written.get(FILES[1]),
        reply_to=address(reply_to, "the reply address") if reply_to else None,
        headers=list_unsubscribe(said_of.get("unsubscribe.url", ""), said_of.get("unsubscribe.mailto", "")),
    )


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
