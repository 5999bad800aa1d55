"""What SES demands of a mail before it looks at the account. One rule, one function, one complaint at a time.

Source: the SESv2 model (patterns and lengths) and the SES developer guide, "Quotas".
"""

import re
from collections.abc import Callable, Iterator

from infra.embedded.ses.errors import bad_request
from infra.embedded.ses.mail import Mail

__all__ = ["check"]

MOST_RECIPIENTS = 50
MOST_HEADERS = 15
MOST_BYTES = 40 * 1024 * 1024
TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
HEADER_NAME = re.compile(r"[!-9;-@A-~]{1,126}")
HEADER_VALUE = re.compile(r"[ -~]{1,995}")
HEADER_LENGTH = 996
LINE_BREAK = re.compile(r"[\r\n]")
ANGLED = re.compile(r'(?P<name>(?:"(?:[^"\\]|\\.)*"|[^<>"])*)<(?P<address>[^<>]*)>\s*')

ADDRESS_FAULTS = (
    (r"^[^@]*$|@$", "Missing final '@domain'"),
    (r"^@", "Missing local part"),
    (r"[^\x00-\x7f]", "Address contains non-ASCII characters"),
    (r"[\x00-\x20\x7f].*@", "Local address contains control or whitespace"),
    (r"@.*[\x00-\x20\x7f]", "Domain contains control or whitespace"),
    (r"^\.|\.@|\.\..*@", "Local address contains a misplaced dot"),
    (r"@\.|@.*\.\.|\.$", "Domain contains a misplaced dot"),
    (r"@.*[^A-Za-z0-9.-]", "Domain contains illegal character"),
)


def check(mail: Mail) -> None:
    """Raises `BadRequestException` with the first complaint."""
    for complaint in (complaint for rule in RULES for complaint in rule(mail)):
        raise bad_request(complaint)


def _line_breaks(mail: Mail) -> Iterator[str]:
    named = (("Subject", mail.subject), ("FromEmailAddress", mail.source), *mail.headers)
    for name, value in named:
        if LINE_BREAK.search(value) or LINE_BREAK.search(name):
            yield f"Header <{name!r}> contains a line break."


def _recipients(mail: Mail) -> Iterator[str]:
    if not mail.recipients:
        yield "The message has no recipients."
    if len(mail.recipients) > MOST_RECIPIENTS:
        yield f"Recipient count exceeds {MOST_RECIPIENTS}."


def _addresses(mail: Mail) -> Iterator[str]:
    for address in (mail.source, *mail.to, *mail.cc, *mail.bcc, *mail.reply_to):
        yield from _address_faults(address)


def _address_faults(address: str) -> Iterator[str]:
    angled = ANGLED.fullmatch(address)
    spec = angled["address"] if angled else address.strip()
    if angled and not angled["name"].isascii():
        yield f"Display name contains non-ASCII characters; encode it by RFC 2047: <{address}>"
    yield from (f"{fault}: <{address}>" for pattern, fault in ADDRESS_FAULTS if re.search(pattern, spec))


def _tags(mail: Mail) -> Iterator[str]:
    for name, value in mail.tags.items():
        bad = next((part for part in (name, value) if not TAG.fullmatch(part)), None)
        if bad is not None:
            yield (f"Invalid tag <{name}>: <{bad[:300]}> must be 1 to 256 ASCII letters, digits, '_' or '-'.")


def _headers(mail: Mail) -> Iterator[str]:
    own = mail.headers if mail.raw is None else ()
    if len(own) > MOST_HEADERS:
        yield f"Header count exceeds {MOST_HEADERS}."
    for name, value in own:
        fits = HEADER_NAME.fullmatch(name) and HEADER_VALUE.fullmatch(value)
        if not fits or len(name) + len(value) > HEADER_LENGTH:
            yield f"Invalid header <{name[:130]}>."


def _size(mail: Mail) -> Iterator[str]:
    parts = [part.encode() for part in (mail.text, mail.html) if part is not None]
    if not (parts if mail.raw is None else mail.raw):
        yield "The message has no body."
    size = len(mail.raw) if mail.raw else sum(map(len, parts)) * 4 // 3
    if size > MOST_BYTES:
        yield f"Message length is more than {MOST_BYTES} bytes long: '{size}'."


RULES: tuple[Callable[[Mail], Iterator[str]], ...] = (
    _line_breaks,
    _recipients,
    _addresses,
    _tags,
    _headers,
    _size,
)
