"""What was archived, read back: folds can't tell it from the log."""

import io
from collections.abc import Sequence
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from consumers.parquet import encoded_records
from pipeline.archive import COLUMNS
from pipeline.archived import event_of
from pipeline.codec import Event, Other, decode
from pipeline.feedback import Feedback
from pipeline.keeping import kept
from projections import holds, reputation, suppression, tracking
from tests import builders
from tests.pipeline.test_archive import EVERYTHING
from tests.projections.histories import histories

SLOW = list(HealthCheck)


def archived(data: Sequence[bytes]) -> list[Event]:
    """Through a file, as the archiver writes it."""
    records = [builders.record(each, number) for number, each in enumerate(data, 1)]
    rows = pq.read_table(io.BytesIO(encoded_records(records, {}))).to_pylist() if records else []
    return [event_of(row) for row in rows]


@pytest.mark.parametrize("name", EVERYTHING)
def test_an_event_is_what_it_was_but_for_what_is_not_kept(name: str) -> None:
    data = builders.wire(EVERYTHING[name])
    (found,), event = archived([data]), decode(data)
    assert (found.id, found.time, found.kind) == (event.id, event.time, event.kind)
    match event.body:
        case Feedback() as feedback:
            assert isinstance(found.body, Feedback)
            assert found.body.facts == kept(feedback.facts)
            same = ("message_id", "mail_time", "recipients", "email_id", "original_email_id", "retry_attempt")
            assert [getattr(found.body, each) for each in same] == [getattr(feedback, each) for each in same]
        case body if name not in {"request", "other"}:
            assert found.body == body
        case _:
            assert found.body == Other()


def test_bytes_that_are_no_event_come_back_as_nothing_we_know() -> None:
    assert [event.body for event in archived([b"\xff"])] == [Other()]


@settings(max_examples=100, suppress_health_check=SLOW)
@given(histories(30))
def test_every_fold_gives_the_same_over_the_archive_as_over_the_log(history: list[bytes]) -> None:
    folds: list[Any] = [tracking.fold, suppression.fold, reputation.fold, holds.fold]
    log = [decode(data) for data in history]
    for fold in folds:
        assert fold(archived(history)) == fold(log)


def test_a_row_of_the_first_schema_version_is_read() -> None:
    """It had no `deferrals` of what came due, and no message id of a retry that wasn't needed."""
    fact = builders.retry_not_needed().envelope("e1", builders.NINE)
    row = dict.fromkeys(COLUMNS) | {
        "event_id": "e1",
        "kind": fact.detail_type,
        "time": builders.record(fact).arrival,
        "email_id": "order-42-retry-1",
        "original_email_id": "order-42",
        "attempt": 1,
        "rest": '{"toEmail":"ana@example.com","eventId":"e0","reason":"it was delivered","schemaVersion":1}',
    }
    (mail,) = tracking.fold([event_of(row)]).values()
    assert mail.slots["retry_not_needed"].first.says["reason"] == "it was delivered"
