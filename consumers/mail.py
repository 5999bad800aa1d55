"""A mail as it leaves the engine, and the mailer it leaves by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.errors import EngineError, Unavailable, Unprocessable

__all__ = ["Ambiguous", "Mail", "Mailer", "Postponed", "Refusal", "Throttled", "UnknownRefusal"]


@dataclass(frozen=True, slots=True)
class Mail:
    """`sender` is ready for a header (RFC 5322, encoded words where needed); `subject` is as people read it."""

    to: str
    sender: str
    subject: str
    html: str
    text: str | None = None
    reply_to: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


class Refusal(EngineError):
    """This mail will not be sent: a stable code, and a sentence with the remedy."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code, self.sentence = code, sentence


class UnknownRefusal(Unprocessable):
    """SES did not take the mail, and nobody knows whether it ever will."""


class Postponed(EngineError):
    """This mail will be decided on again after some seconds."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.reason, self.seconds = reason, seconds


class Throttled(Unavailable):
    """SES took nothing and asks to go slower or to wait."""


class Ambiguous(EngineError):
    """Nobody knows whether SES took the mail: the answer was lost."""


class Mailer(Protocol):
    def send(self, mail: Mail) -> str:
        """Hand the mail to SES once; returns the SES message id.

        Raises:
            Refusal: it never will.
            UnknownRefusal, Throttled, Unavailable: SES has certainly not taken it.
            Ambiguous: it may have.
        """
        ...
