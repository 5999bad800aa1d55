"""Two lanes: whose a request is, and that none falls between them."""

from datetime import timedelta
from typing import Any

import pytest

from consumers.lanes import LOOK_AFTER, OVERLOOKED_AFTER, Lane, priority_of
from consumers.ledger import Claim, MemoryLedger
from consumers.mail import Refusal
from consumers.tasks import Task
from consumers.templates import Compiled, compiled
from pipeline.codec import Request, decode
from pipeline.errors import Unavailable
from pipeline.requests import Priority
from tests import builders
from tests.consumers.fakes import Clock


class Templates:
    """One template, whose priority may change."""

    def __init__(self, priority: str | None = None) -> None:
        self.priority = priority

    def get(self, name: str) -> Compiled:
        if name == "down":
            raise Unavailable("S3 is down")
        if name != "welcome":
            raise Refusal("TEMPLATE_NOT_FOUND", "there is none")
        metadata = f'{{"priority": "{self.priority}"}}' if self.priority else "{}"
        return compiled(name, "<p></p>", "", metadata)


def request(**detail: Any) -> Request:
    return Request("m1", "my.application", {"templateName": "welcome", **detail})


@pytest.mark.parametrize(
    ("own", "template", "priority"),
    [
        (None, None, "transactional"),
        (None, "bulk", "bulk"),
        (None, "transactional", "transactional"),
        ("bulk", "transactional", "bulk"),
        ("transactional", "bulk", "transactional"),
        (None, "{{ 'bulk' if campaign is defined else 'transactional' }}", "transactional"),
        (None, "nonsense", "transactional"),
        (None, "{{ 1 // 0 }}", "transactional"),
        ({"not": "text"}, "bulk", "transactional"),
    ],
)
def test_the_request_goes_before_the_template_and_transactional_is_the_default(
    own: Any, template: str | None, priority: Priority
) -> None:
    detail = {"priority": own} if own else {}
    assert priority_of(request(**detail), Templates(template)) == priority


@pytest.mark.parametrize("name", ["nowhere", None, ["a list"]])
def test_a_request_whose_template_cannot_be_had_is_refused_in_the_transactional_lane(name: Any) -> None:
    assert priority_of(request(templateName=name), Templates("bulk")) == "transactional"


def test_a_bucket_that_is_down_is_waited_for() -> None:
    with pytest.raises(Unavailable):
        priority_of(request(templateName="down"), Templates())


class Road:
    """A lane with a request on it."""

    def __init__(self, mine: Priority, priority: str | None = None) -> None:
        self.templates, self.ledger, self.clock = Templates(priority), MemoryLedger(), Clock()
        self.lane = Lane(mine, self.templates, self.ledger, self.clock)
        self.finished = list[str]()

    def task(self, email_id: str = "m1") -> Task:
        record = builders.record(
            builders.requested(builders.request(emailId=email_id, templateName="welcome")), 7
        )
        self.clock.now = max(self.clock.now, record.arrival)
        body = decode(record.data).body
        assert isinstance(body, Request)
        return Task(
            email_id, email_id, 0, "e1", record.place, body, record, lambda: self.finished.append(email_id)
        )


@pytest.mark.parametrize("priority", ["bulk", "transactional"])
def test_each_request_is_taken_by_exactly_one_lane(priority: Priority) -> None:
    roads = [Road("transactional", priority), Road("bulk", priority)]
    assert sorted(road.lane.is_mine(road.task()) for road in roads) == [False, True]


def test_transactional_leaves_a_bulk_request_for_good() -> None:
    road = Road("transactional", "bulk")
    road.lane.leave(road.task())
    assert road.finished == ["m1"]


def test_bulk_keeps_an_eye_on_what_it_left_until_it_has_been_claimed() -> None:
    road = Road("bulk")
    road.lane.leave(road.task("m1"))
    assert (road.lane.overlooked(), road.finished) == ([], [])
    road.ledger.claim([Claim("m1", "e1", "token", 0.0)])
    assert (road.lane.overlooked(), road.finished) == ([], [])
    road.clock.now += LOOK_AFTER
    assert (road.lane.overlooked(), road.finished) == ([], ["m1"])


def test_what_was_claimed_late_is_finished_and_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at when it is 20, 40, 80 … seconds old, and last after five minutes."""
    road = Road("bulk")
    task = road.task("m1")
    road.lane.leave(task)
    looks = list[float]()

    def unknown(_: Any) -> list[str]:
        looks.append((road.clock() - task.record.arrival).total_seconds())
        return []

    monkeypatch.setattr(road.ledger, "known", unknown)
    while not road.lane.overlooked():
        road.clock.now += timedelta(seconds=1)
    assert looks == [20, 40, 80, 160, 300]


def test_at_the_end_of_a_shard_nobody_waits_for_what_has_been_claimed() -> None:
    road = Road("bulk")
    road.lane.leave(road.task("m1"))
    road.lane.leave(road.task("m2"))
    road.ledger.claim([Claim("m2", "e1", "token", 0.0)])
    road.lane.settle()
    assert road.finished == ["m2"]
    road.ledger.claim([Claim("m1", "e1", "token", 0.0)])
    road.lane.settle()
    assert road.finished == ["m2", "m1"]


def test_a_request_that_both_lanes_left_is_sent_by_bulk() -> None:
    """The template's priority changes while one of the lanes still has its older version.

    transactional:  (bulk, it says) ─► left
    bulk:           (transactional, it says) ─► left ─── 5 min ───► nobody has claimed it ─► sent
    """
    transactional, bulk = Road("transactional", "bulk"), Road("bulk", "transactional")
    assert not transactional.lane.is_mine(transactional.task())
    task = bulk.task()
    assert not bulk.lane.is_mine(task)
    bulk.lane.leave(task)
    bulk.clock.now += OVERLOOKED_AFTER + timedelta(seconds=1)
    assert bulk.lane.overlooked() == [task]
    assert bulk.lane.overlooked() == []
    assert bulk.finished == []


def test_a_ledger_that_is_down_loses_nothing_of_what_was_left() -> None:
    road = Road("bulk")
    task = road.task()
    road.lane.leave(task)
    road.clock.now += OVERLOOKED_AFTER
    known = road.ledger.known

    def down(_: Any) -> Any:
        raise Unavailable("DynamoDB is down")

    road.ledger.known = down  # type: ignore[method-assign, assignment]
    with pytest.raises(Unavailable):
        road.lane.overlooked()
    road.ledger.known = known  # type: ignore[method-assign]
    assert road.lane.overlooked() == [task]
