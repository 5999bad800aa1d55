"""The ledger of sends: a table of record that lets each mail be sent once, by the first that claims it.

SES has no idempotency token. An open claim says that SES may have been called; a closed one holds the
outcome, verbatim. What a claim that stands means is decided here, without clock or table.
"""

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from pipeline.envelope import Envelope
from pipeline.log import Place

__all__ = ["Claim", "Ledger", "MemoryLedger", "Standing", "meaning"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A sender's right to call SES for a mail until `send_before` (epoch seconds).

    `token` is unique to one putting of a claim; `event_id` is the request it is for, `place` where that lies.
    """

    email_id: str
    event_id: str
    token: str
    send_before: float
    attempt: int = 1
    outcome: Envelope | None = None
    place: Place | None = None


class Ledger(Protocol):
    def claim(self, wanted: Sequence[Claim]) -> Sequence[Claim]:
        """Put each claim where there is none; returns the claim that stands, for each."""
        ...

    def replace(self, standing: Claim, mine: Claim) -> bool:
        """Put `mine` in the place of an open claim; False if it has changed meanwhile."""
        ...

    def close(self, claims: Sequence[Claim]) -> Mapping[str, Claim]:
        """Write the outcomes of claims that still stand open; returns what stands then, by `emailId`.

        What was taken over or closed meanwhile is left alone.
        """
        ...

    def read(self, email_ids: Collection[str]) -> Mapping[str, Claim]:
        """The claims that stand, open or closed, by `emailId`."""
        ...

    def still_open(self, email_ids: Collection[str]) -> Mapping[str, Claim]:
        """Those of `read` that stand open."""
        ...

    def known(self, email_ids: Collection[str]) -> Collection[str]:
        """Those that have a claim, open or closed."""
        ...

    def release(self, claim: Claim) -> None:
        """Remove an open claim under which SES was certainly not called."""
        ...


class Standing(Enum):
    """What the claim that stands means for whoever wanted to put his own."""

    MINE = auto()
    CLOSED = auto()
    """The outcome is known."""
    SPENT = auto()
    """Another request has this id."""
    BUSY = auto()
    """Its owner may still be at it."""
    ABANDONED = auto()
    """Its owner is gone, and nobody knows whether SES took the mail."""


def meaning(standing: Claim, mine: Claim, now: float, grace: float) -> Standing:
    if standing.token == mine.token:
        return Standing.CLOSED if standing.outcome else Standing.MINE
    if standing.event_id != mine.event_id:
        return Standing.SPENT
    if standing.outcome:
        return Standing.CLOSED
    return Standing.BUSY if now < standing.send_before + grace else Standing.ABANDONED


class MemoryLedger:
    """The ledger in memory."""

    def __init__(self) -> None:
        self.claims: dict[str, Claim] = {}
        self._lock = threading.Lock()

    def claim(self, wanted: Sequence[Claim]) -> Sequence[Claim]:
        with self._lock:
            return [self.claims.setdefault(claim.email_id, claim) for claim in wanted]

    def replace(self, standing: Claim, mine: Claim) -> bool:
        with self._lock:
            if not self._stands(standing):
                return False
            self.claims[standing.email_id] = mine
            return True

    def close(self, claims: Sequence[Claim]) -> Mapping[str, Claim]:
        with self._lock:
            self.claims |= {claim.email_id: claim for claim in claims if self._stands(claim)}
        return self.read([claim.email_id for claim in claims])

    def read(self, email_ids: Collection[str]) -> Mapping[str, Claim]:
        with self._lock:
            return {email_id: self.claims[email_id] for email_id in email_ids if email_id in self.claims}

    def still_open(self, email_ids: Collection[str]) -> Mapping[str, Claim]:
        return {key: claim for key, claim in self.read(email_ids).items() if claim.outcome is None}

    def known(self, email_ids: Collection[str]) -> Collection[str]:
        return self.read(email_ids).keys()

    def release(self, claim: Claim) -> None:
        with self._lock:
            if self._stands(claim):
                del self.claims[claim.email_id]

    def _stands(self, claim: Claim) -> bool:
        known = self.claims.get(claim.email_id)
        return known is not None and known.token == claim.token and known.outcome is None
