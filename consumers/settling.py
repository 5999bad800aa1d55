"""Settling outcomes in groups: close the claims, append the facts, and only then call a task finished.

The log holds what the claim holds. Of two that settle one mail the first closes its claim; the other finds
it closed, and repeats that fact verbatim.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from consumers.groups import InGroups
from consumers.ledger import Claim, Ledger
from consumers.parking import Parks
from consumers.patience import Patience
from pipeline.envelope import Envelope
from pipeline.events import MailSent
from pipeline.log import Log, Record

__all__ = ["GROUP", "Outcome", "Settler"]

GROUP = 100
GATHER_SECONDS = 0.05  # for others; the slot of the mail is free again meanwhile
ATTEMPTS = 2  # among others, and alone

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A fact to be appended, and the closed claim that holds it (None where none is to be written).

    `record` asked for it, or told it.
    """

    fact: Envelope
    claim: Claim | None
    record: Record
    finish: Callable[[], None]

    @classmethod
    def of(cls, closed: Claim, record: Record, finish: Callable[[], None]) -> "Outcome":
        assert closed.outcome is not None
        return cls(closed.outcome, closed, record, finish)


class Settler:
    """An outcome that can't be settled for a reason of its own is parked: its claim stays open."""

    def __init__(
        self, ledger: Ledger, log: Log, patience: Patience, parking: Parks, gather: float = GATHER_SECONDS
    ) -> None:
        self._ledger, self._log, self._patience, self._parking = ledger, log, patience, parking
        self._groups: InGroups[Outcome] = InGroups("settle", self._settle, self._fault, GROUP, gather)

    def put(self, outcome: Outcome) -> None:
        self._groups.put(outcome)

    def stop(self, timeout: float) -> None:
        """Settle what has been put, until the timeout."""
        self._groups.stop(timeout)
        self._patience.stopping.set()

    def _settle(self, group: Sequence[Outcome]) -> None:
        standing = self._closed([outcome.claim for outcome in group if outcome.claim])
        facts = [fact for outcome in group if (fact := _fact(outcome, standing))]
        self._patience.call(lambda: self._log.append(facts))
        for outcome in group:
            outcome.finish()

    def _closed(self, claims: Sequence[Claim]) -> Mapping[str, Claim]:
        """What stands then. That a mail was sent closes its claim whoever has taken it over meanwhile."""
        if not claims:
            return {}
        standing = self._patience.call(lambda: self._ledger.close(claims))
        return {**standing, **self._closed(list(_still_open(claims, standing)))}

    def _fault(self, outcome: Outcome, error: Exception) -> None:
        _log.error("%s could not be settled", outcome.fact.id, exc_info=error)
        self._patience.call(lambda: self._parking.park(outcome.record, error, ATTEMPTS))
        outcome.finish()


def _still_open(claims: Sequence[Claim], standing: Mapping[str, Claim]) -> Iterator[Claim]:
    for claim in claims:
        stands = standing.get(claim.email_id)
        sent = claim.outcome is not None and claim.outcome.detail_type == MailSent.detail_type
        if sent and stands and stands.outcome is None:
            yield replace(stands, outcome=claim.outcome)


def _fact(outcome: Outcome, standing: Mapping[str, Claim]) -> Envelope | None:
    """None where somebody else has taken the mail over, and will say what becomes of it."""
    stands = standing.get(outcome.claim.email_id) if outcome.claim else None
    return stands.outcome if stands else outcome.fact
