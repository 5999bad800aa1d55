"""The reputation fold and its table: the bounce rate of a day, exact under repetition."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from infra.embedded import EmbeddedAws
from infra.stack import deploy
from pipeline.codec import decode
from projections.dynamodb import ReputationTable
from projections.reputation import Minute, Reputation, Tally, digest, fold, join

STACK = "Reputed"


def feedback(
    kind: str, message: str, at: str = "2026-11-24T09:15:02.114Z", to: str = "a@post.example", **part: Any
) -> Any:
    import json

    envelope = {
        "id": f"{kind}-{message}",
        "source": "aws.ses",
        "detail-type": "SES Feedback",
        "time": "2026-11-25T00:00:00Z",
        "detail": {
            "eventType": kind,
            "mail": {"timestamp": at, "messageId": message, "destination": [to]},
            kind.lower(): part,
        },
    }
    return decode(json.dumps(envelope).encode())


def hard(message: str, sub_type: str = "General", **more: Any) -> Any:
    return feedback("Bounce", message, bounceType="Permanent", bounceSubType=sub_type, **more)


MINUTE = Minute("2026-11-24", "09:15")


def test_a_mail_belongs_to_the_minute_in_which_ses_accepted_it_however_late_its_bounce_comes() -> None:
    assert fold([hard("m1")]) == {MINUTE: Tally(frozenset([digest("m1")]), frozenset([digest("m1")]))}


def test_a_mail_counts_once_however_much_is_said_of_it() -> None:
    said = [
        feedback("Send", "m1"),
        feedback("Delivery", "m1"),
        feedback("Open", "m1"),
        feedback("Send", "m1"),
    ]
    assert fold(said) == {MINUTE: Tally(frozenset([digest("m1")]))}


@pytest.mark.parametrize("sub_type", ["Suppressed", "OnAccountSuppressionList", "OnTenantSuppressionList"])
def test_a_bounce_from_a_suppression_list_does_not_count_against_the_sender(sub_type: str) -> None:
    assert not fold([hard("m1", sub_type)])[MINUTE].bounced


def test_a_soft_bounce_does_not_count() -> None:
    assert not fold([feedback("Bounce", "m1", bounceType="Transient", bounceSubType="General")])[
        MINUTE
    ].bounced


@pytest.mark.parametrize("kind", ["Reject", "Rendering Failure"])
def test_a_mail_that_ses_did_not_take_is_no_mail_of_the_day(kind: str) -> None:
    assert fold([feedback(kind, "m1")]) == {}


def test_the_mailbox_simulator_counts_only_where_it_is_asked_for() -> None:
    bounced = hard("m1", to="bounce@simulator.amazonses.com")
    assert fold([bounced]) == {}
    assert fold([bounced], with_simulator=True)[MINUTE].bounced


def test_any_order_and_any_repetition_give_the_same_tallies() -> None:
    said = [feedback("Send", f"m{n}", f"2026-11-24T09:{n % 7:02d}:00Z") for n in range(40)]
    said += [hard(f"m{n}", at=f"2026-11-24T09:{n % 7:02d}:00Z") for n in range(0, 40, 5)]
    again = said + random.Random(1).sample(said, 20)
    random.Random(2).shuffle(again)
    assert fold(again) == fold(said)


@pytest.fixture(scope="module")
def table() -> Iterator[ReputationTable]:
    with EmbeddedAws() as aws:
        deploy(
            aws.client("cloudformation"),
            STACK,
            {"DefaultSenderEmail": "a@b.example", "DeletionProtection": "false"},
        )
        yield ReputationTable(aws.client("dynamodb"), f"{STACK}-Reputation", timedelta(days=90))


def test_the_table_joins_batches_exactly_whatever_was_written_before(table: ReputationTable) -> None:
    whole = fold(
        [feedback("Send", f"t{n}", f"2026-11-20T{n % 24:02d}:{n % 60:02d}:00Z") for n in range(200)]
        + [hard(f"t{n}", at=f"2026-11-20T{n % 24:02d}:{n % 60:02d}:00Z") for n in range(0, 200, 8)]
    )
    minutes = list(whole)
    table.join({minute: whole[minute] for minute in minutes[:70]})
    table.join({minute: whole[minute] for minute in minutes[30:]})
    table.join(whole)
    assert table.of_day("2026-11-20") == Reputation(200, 25)
    assert table.of_day("2026-11-20").rate == pytest.approx(0.125)


def test_parts_of_a_minute_are_joined_in_the_table_as_in_memory(table: ReputationTable) -> None:
    one = fold([feedback("Send", "p1", "2026-11-21T09:15:00Z"), hard("p2", at="2026-11-21T09:15:00Z")])
    other = fold(
        [feedback("Send", "p2", "2026-11-21T09:15:00Z"), feedback("Send", "p3", "2026-11-21T09:15:30Z")]
    )
    (minute,) = one
    table.join(one)
    table.join(other)
    both = join(one[minute], other[minute])
    assert table.of_day("2026-11-21") == Reputation(len(both.accepted), len(both.bounced)) == Reputation(3, 1)


def test_a_day_that_nothing_is_known_of_has_no_rate(table: ReputationTable) -> None:
    assert table.of_day("2020-01-01") == Reputation(0, 0)
    assert table.of_day("2020-01-01").rate == 0
