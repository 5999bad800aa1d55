"""A mail as SES accepted it, with everything that the sender said about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parseaddr
from functools import cached_property, lru_cache

from infra.embedded.ses.dice import digest

__all__ = ["Mail", "bare", "is_simulator", "ses_id", "stamp"]

SIMULATOR = "simulator.amazonses.com"


@dataclass(frozen=True)
class Mail:
    message_id: str
    time: datetime
    account: str
    region: str
    source: str
    to: tuple[str, ...]
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    subject: str = ""
    text: str | None = None
    html: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    configuration_set: str | None = None
    raw: bytes | None = None

    @cached_property
    def recipients(self) -> tuple[str, ...]:
        """Addresses without display names, over To, Cc and Bcc."""
        return tuple(bare(address) for address in (*self.to, *self.cc, *self.bcc))

    @cached_property
    def wire_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers as recipients see them; a raw mail brought all of its own."""
        if self.raw is not None:
            return self.headers
        standard = {
            "From": self.source,
            "Reply-To": ", ".join(self.reply_to),
            "To": ", ".join(self.to),
            "Cc": ", ".join(self.cc),
            "Subject": self.subject,
            "MIME-Version": "1.0",
        }
        return (*((name, value) for name, value in standard.items() if value), *self.headers)

    @property
    def email_id(self) -> str | None:
        return self.tags.get("emailId")

    @property
    def identity(self) -> str:
        return f"arn:aws:ses:{self.region}:{self.account}:identity/{bare(self.source).rpartition('@')[2]}"


@lru_cache(10_000)
def bare(address: str) -> str:
    """`Ana <ana@customer.example>` without the name; what can't be parsed stays as it is."""
    return parseaddr(address)[1] or address


def is_simulator(address: str) -> bool:
    return address.lower().endswith("@" + SIMULATOR)


def stamp(time: datetime) -> str:
    """UTC with milliseconds, as SES writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def ses_id(time: datetime, *key: object) -> str:
    """An identifier in SES's form: `0100`, the time in milliseconds, a UUID and `000000`."""
    uuid = digest(*key)
    milliseconds = int(time.timestamp() * 1000)
    return f"0100{milliseconds:012x}-{uuid[:8]}-{uuid[8:12]}-4{uuid[13:16]}-a{uuid[17:20]}-{uuid[20:]}-000000"
