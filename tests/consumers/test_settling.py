"""In which order an outcome is settled, and what happens when that is interrupted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from consumers.ledger import Claim, MemoryLedger
from consumers.parking import Parking
from consumers.settling import GROUP, Outcome, Settler
from pipeline.codec import decode
from pipeline.envelope import Envelope
from pipeline.errors import Unavailable
from pipeline.memory import MemoryLog
from tests.builders import NINE, ORDER, mail_sent, record, requested
from tests.consumers.fakes import DOWN, TIMEOUT, Always, Clock, Hurried, MemoryLetters, Script


class Ledger(MemoryLedger):
    def __init__(self, story: list[str]) -> None:
        super().__init__()
        self.story, self.script, self.faults = story, Script(), set[str]()

    def close(self, claims: Sequence[Claim]) -> Mapping[str, Claim]:
        self.script.next()
        if any(claim.email_id in self.faults for claim in claims):
            raise ValueError("a fault of our own")
        self.story += [f"close {claim.email_id}" for claim in claims]
        return super().close(claims)


class Log(MemoryLog):
    def __init__(self, story: list[str]) -> None:
        super().__init__()
        self.story, self.script = story, Script()

    def append(self, envelopes: Sequence[Envelope]) -> None:
        self.script.next()
        self.story += [f"append {envelope.id}" for envelope in envelopes]
        super().append(envelopes)


class Scene:
    def __init__(self) -> None:
        self.story: list[str] = []
        self.ledger, self.log = Ledger(self.story), Log(self.story)
        self.patience, self.letters = Hurried("settler"), MemoryLetters()
        parking = Parking("sender", self.letters, MemoryLog(), Clock())
        self.settler = Settler(self.ledger, self.log, self.patience, parking, gather=0)

    def put(self, *email_ids: str) -> None:
        for email_id in email_ids:
            claim = Claim(email_id, "event", "token", 0.0)
            self.ledger.claim([claim])
            self.settler.put(self.outcome(email_id, replace(claim, outcome=self.fact(email_id))))

    def outcome(self, email_id: str, claim: Claim | None) -> Outcome:
        asked = record(requested(id=f"request-{email_id}"))
        return Outcome(self.fact(email_id), claim, asked, lambda: self.story.append(f"finish {email_id}"))

    @staticmethod
    def fact(email_id: str) -> Envelope:
        return mail_sent(email_id).envelope(f"fact-{email_id}", NINE)

    def finished(self) -> list[str]:
        return [step.removeprefix("finish ") for step in self.story if step.startswith("finish")]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_the_claim_is_closed_before_the_fact_is_appended_and_the_task_finished_last(scene: Scene) -> None:
    scene.put(ORDER)
    scene.settler.stop(TIMEOUT)
    assert scene.story == [f"close {ORDER}", f"append fact-{ORDER}", f"finish {ORDER}"]


def test_a_fact_without_a_claim_is_only_appended(scene: Scene) -> None:
    scene.settler.put(scene.outcome(ORDER, None))
    scene.settler.stop(TIMEOUT)
    assert scene.story == [f"append fact-{ORDER}", f"finish {ORDER}"]


def test_the_log_holds_what_the_claim_holds(scene: Scene) -> None:
    scene.put(ORDER)
    scene.settler.stop(TIMEOUT)
    (record,) = scene.log.reader("shardId-000000000000", None).read().records
    assert decode(record.data).envelope == scene.ledger.claims[ORDER].outcome


def test_more_outcomes_than_a_group_holds_are_all_settled(scene: Scene) -> None:
    ids = [f"order-{n}" for n in range(2 * GROUP + 1)]
    scene.put(*ids)
    scene.settler.stop(TIMEOUT)
    assert scene.finished() == ids


def test_the_ledger_is_waited_for(scene: Scene) -> None:
    scene.ledger.script.add(*[DOWN] * 10)
    scene.put(ORDER)
    scene.settler.stop(TIMEOUT)
    assert scene.finished() == [ORDER]


def test_the_log_is_waited_for(scene: Scene) -> None:
    scene.log.script.add(*[DOWN] * 10)
    scene.put(ORDER)
    scene.settler.stop(TIMEOUT)
    assert scene.finished() == [ORDER]


def test_nothing_is_finished_while_its_fact_is_not_in_the_log(scene: Scene) -> None:
    scene.log.script = Always(DOWN)
    scene.put(ORDER)
    assert scene.log.script.reached.wait(TIMEOUT)
    scene.settler.stop(0)
    assert scene.finished() == []


def test_a_stop_ends_the_waiting_for_a_service_that_stays_down(scene: Scene) -> None:
    scene.log.script = Always(Unavailable("for good"))
    scene.put(ORDER)
    scene.settler.stop(0)
    scene.settler._groups._thread.join(TIMEOUT)
    assert not scene.settler._groups._thread.is_alive()


def test_an_outcome_at_fault_keeps_no_other(scene: Scene) -> None:
    scene.ledger.faults.add("two")
    scene.put("one", "two", "three")
    scene.settler.stop(TIMEOUT)
    assert "append fact-two" not in scene.story
    assert [step for step in scene.story if step.startswith("append")] == [
        "append fact-one",
        "append fact-three",
    ]


def test_the_record_of_an_outcome_at_fault_is_parked_and_its_claim_stays_open(scene: Scene) -> None:
    scene.ledger.faults.add(ORDER)
    scene.put(ORDER)
    scene.settler.stop(TIMEOUT)
    (letter,) = scene.letters.letters
    assert decode(letter.record.data).id == f"request-{ORDER}"
    assert letter.error == "ValueError: a fault of our own"
    assert scene.finished() == [ORDER]
    assert scene.ledger.claims[ORDER].outcome is None


def test_what_cannot_even_be_parked_stays_unfinished_and_keeps_no_other(scene: Scene) -> None:
    scene.ledger.faults.add("two")
    scene.letters.script = Always(ValueError("no letter"))
    scene.put("one", "two", "three")
    scene.settler.stop(TIMEOUT)
    assert scene.finished() == ["one", "three"]


def test_the_queue_of_parked_records_is_waited_for(scene: Scene) -> None:
    scene.ledger.faults.add(ORDER)
    scene.letters.script.add(*[DOWN] * 5)
    scene.put(ORDER)
    scene.settler.stop(TIMEOUT)
    assert len(scene.letters.letters) == 1
