"""Rows of the archive as events again, as far as folds look at them.

A fold gives the same over what was archived as over the log: what a row leaves out, no fold uses.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipeline import times
from pipeline.archive import COLUMN_OF_FEEDBACK
from pipeline.codec import Event, Other
from pipeline.events import FACTS, Fact
from pipeline.feedback import Feedback

__all__ = ["event_of"]

Row = Mapping[str, Any]


def event_of(row: Row) -> Event:
    """`row` by the names of the archive's columns, whatever its schema version. A request comes without content."""
    return Event(row["event_id"], _text(row["time"]), row["kind"], _body(row))


def _body(row: Row) -> Fact | Feedback | Other:
    if row["mail_time"] is not None:
        return _feedback(row)
    if row["kind"] in FACTS and row["rest"] is not None:
        return _fact(row)
    return Other()


def _feedback(row: Row) -> Feedback:
    facts = json.loads(row["rest"])
    recipients = facts.pop("recipients")
    facts |= {name: row[column] for name, column in COLUMN_OF_FEEDBACK.items() if row[column] is not None}
    return Feedback(
        type=row["kind"],
        message_id=row["ses_message_id"],
        mail_time=_text(row["mail_time"]),
        time=_text(row["time"]),
        recipients=recipients,
        email_id=row["email_id"],
        original_email_id=row["original_email_id"],
        retry_attempt=row["attempt"],
        facts=facts,
    )


def _fact(row: Row) -> Fact:
    known = {
        "emailId": row["email_id"],
        "originalEmailId": row["original_email_id"],
        "retryAttempt": row["attempt"],
        "originalSource": row["source"],
        "source": row["source"],
        "templateName": row["template"],
        "subject": row["subject"],
        "sesMessageId": row["ses_message_id"],
        "errorCode": row["error_code"],
        "metadata": json.loads(row["metadata"] or "{}"),
        **json.loads(row["rest"]),
    }
    return FACTS[row["kind"]].model_validate(
        {name: value for name, value in known.items() if value is not None}
    )


def _text(moment: datetime) -> str:
    return times.text(moment)
