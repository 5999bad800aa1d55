"""What was known at a moment of the past: the folds over the events that had arrived in the log by then."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from pipeline import ids, times
from pipeline.engine import About, Engine
from pipeline.errors import UserError
from projections import suppression, tracking
from projections.rows import row_of
from projections.suppression import History
from projections.tracking import Mail

__all__ = ["Then"]


class Then:
    """Answers as the tables would have answered at that moment, had the projector read all that had arrived."""

    def __init__(self, engine: Engine, moment: datetime) -> None:
        self._engine, self._moment = engine, moment
        self._mails: dict[str, Mail] = {}

    def row(self, email_id: str) -> dict[str, Any]:
        """Raises UserError for a mail that nothing was known of."""
        self._mails |= tracking.fold(self._engine.past(About(email_id=email_id), self._moment))
        if email_id not in self._mails:
            raise UserError(
                f"nothing was known of '{email_id}' at {times.text(self._moment)}: no fact about it had arrived "
                "in the log by then"
            )
        return row_of(self._mails[email_id], self._engine.settings.retention)

    def retry_of(self, mail: Mail) -> Mail | None:
        """Of a mail whose row was asked for."""
        return self._mails.get(ids.retry_id(mail.email_id, 1)) if "soft_bounced" in mail.slots else None

    def suppressed(self, keys: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """The rows of those that were suppressed, by suppression key."""
        histories = suppression.fold(self._engine.past(About(addresses=frozenset(keys)), self._moment))
        rows = {key: _row(histories[key]) for key in keys if key in histories}
        return {key: row for key, row in rows.items() if row}


def _row(history: History) -> dict[str, Any] | None:
    """As the table has it, but for the history itself."""
    found = history.suppression
    if found is None:
        return None
    row = {
        "email": history.address,
        "reason": found.reason,
        "suppressionType": found.kind,
        "addedToSuppressionDate": found.since,
        "emailId": found.email_id,
    }
    return {name: value for name, value in row.items() if value is not None}
