"""What becomes a header of a mail: one line, ASCII, whatever script it was written in.

Encoded words: RFC 2047. List-Unsubscribe: RFC 2369; one click: RFC 8058.
"""

import unicodedata
from email.header import Header
from email.utils import formataddr
from urllib.parse import urlsplit

from pipeline import addresses

__all__ = ["encoded", "list_unsubscribe", "mailbox", "one_line"]

LONGEST = 995  # of a value, as SES has it


def one_line(value: str, name: str) -> str:
    """The value without surrounding space. Raises ValueError for what would break out of a header."""
    if any(unicodedata.category(letter) == "Cc" for letter in value.strip()):
        raise ValueError(f"{name} must be one line without line breaks or other control characters")
    return value.strip()


def encoded(value: str, name: str) -> str:
    """As it stands where it is ASCII, else as encoded words. Raises ValueError."""
    line = one_line(value, name)
    words = line if line.isascii() and "=?" not in line else Header(line, "utf-8").encode(linesep="")
    if len(words) > LONGEST:
        raise ValueError(f"{name} is too long for a header: it takes {len(words)} of {LONGEST} characters")
    return words


def mailbox(name: str, address: str) -> str:
    """`Name <address>`. Raises ValueError."""
    line, bare = one_line(name, "the sender's name"), addresses.validated(address)
    if line.isascii() and "=?" not in line:
        return formataddr((line, bare))
    return f"{encoded(line, 'the sender name')} <{bare}>"


def list_unsubscribe(url: str, mailto: str) -> dict[str, str]:
    """The headers for whichever of the two is given; one click only for https. Raises ValueError."""
    ways = [_web(url)] if url else []
    if mailto:
        ways.append(f"mailto:{addresses.validated(mailto.removeprefix('mailto:'))}")
    if not ways:
        return {}
    headers = {"List-Unsubscribe": ", ".join(f"<{way}>" for way in ways)}
    if url.startswith("https:"):
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if len(headers["List-Unsubscribe"]) > LONGEST:
        raise ValueError(f"the unsubscribe link is too long for a header of {LONGEST} characters")
    return headers


def _web(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("the unsubscribe url must be a web address: https://…")
    if not url.isascii() or not url.isprintable() or set(url) & set("<> "):
        raise ValueError("the unsubscribe url must be written in ASCII, percent-encoded")
    return url
