"""What becomes a header of a mail: one line, ASCII, whatever script it was written in.

Encoded words: RFC 2047. List-Unsubscribe: RFC 2369; one click: RFC 8058; mailto: RFC 6068.
"""

import unicodedata
from email.header import Header
from email.utils import formataddr
from urllib.parse import quote, urlsplit

from pipeline import addresses

__all__ = ["address", "encoded", "list_unsubscribe", "mailbox", "one_line"]

LONGEST = 995  # of a value, as SES has it
LONGEST_WORD = 75  # RFC 2047
ENCODED_WORD = "=?"
CONTROLS = {"Cc", "Cs", "Zl", "Zp"}  # control characters, halves of letters, line and paragraph separators


def one_line(value: str, name: str) -> str:
    """The value without surrounding space. Raises ValueError for what would break out of a header."""
    line = value.strip()
    if len(line) > LONGEST:
        raise ValueError(f"{name} is too long for a header: {len(line)} of {LONGEST} characters")
    if not line.isprintable() and any(unicodedata.category(letter) in CONTROLS for letter in line):
        raise ValueError(f"{name} must be one line without line breaks or other control characters")
    return line


def encoded(value: str, name: str) -> str:
    """As it stands where it is ASCII, else as encoded words. Raises ValueError."""
    line = one_line(value, name)
    words = line if _is_plain(line) else Header(line, "utf-8", maxlinelen=LONGEST_WORD).encode(linesep="")
    if len(words) > LONGEST:
        raise ValueError(f"{name} is too long for a header: it takes {len(words)} of {LONGEST} characters")
    return words


def _is_plain(line: str) -> bool:
    """ASCII that nobody takes for encoded words."""
    return line.isascii() and ENCODED_WORD not in line


def mailbox(name: str, bare: str) -> str:
    """`Name <address>`. Raises ValueError."""
    line, sender = one_line(name, "the sender's name"), address(bare, "the sender's address")
    whole = formataddr((line, sender)) if _is_plain(line) else f"{encoded(line, 'the name')} <{sender}>"
    if len(whole) > LONGEST:
        raise ValueError(
            f"the sender is too long for a header: it takes {len(whole)} of {LONGEST} characters"
        )
    return whole


def address(value: str, name: str) -> str:
    """The canonical form. Raises ValueError; for an address too that a mail program may decode to another."""
    try:
        found = addresses.validated(value)
    except addresses.InvalidAddress as error:
        raise ValueError(f"{name} is no e-mail address: {error}") from error
    if ENCODED_WORD in found:
        raise ValueError(f"{name} must not hold '{ENCODED_WORD}', which begins an encoded word")
    return found


def list_unsubscribe(url: str, mailto: str) -> dict[str, str]:
    """The headers for whichever of the two is given; one click only for https. Raises ValueError."""
    ways = [_web(url)] if url else []
    if mailto:
        bare = address(mailto.removeprefix("mailto:"), "the unsubscribe address")
        ways.append(f"mailto:{quote(bare, safe='@+')}")
    if not ways:
        return {}
    headers = {"List-Unsubscribe": ", ".join(f"<{way}>" for way in ways)}
    if ways[0].lower().startswith("https:"):
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if len(headers["List-Unsubscribe"]) > LONGEST:
        raise ValueError(f"the unsubscribe link is too long for a header of {LONGEST} characters")
    return headers


def _web(url: str) -> str:
    if not url.isascii() or not url.isprintable() or set(url) & set('<>" '):
        raise ValueError("the unsubscribe url must be written in ASCII, percent-encoded")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ValueError(f"the unsubscribe url is none: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("the unsubscribe url must be a web address: https://…")
    return url
