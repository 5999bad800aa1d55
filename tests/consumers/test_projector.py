"""The projector over stores in memory: rows, suppressions, and effects once, also across crashes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pytest

from consumers.projector import Aftermath, Projector, readable
from pipeline import ids
from pipeline.envelope import Envelope
from pipeline.errors import Unavailable
from pipeline.events import STATUS_CHANGED, AddressReleased, SendingPaused, SendingResumed
from pipeline.log import Record
from pipeline.memory import Crash
from projections import suppression, tracking
from projections.store import MemoryStore, Stored
from tests.builders import ANA, NINE, ORDER, at, feedback, mail_failed, mail_sent, place, recipient, record
from tests.consumers.fakes import DOWN, FakeBus, FakeDelays, FakeReputation, Script

NOTIFY = ("delivered", "opened", "soft_bounced", "bounced", "complained", "failed")
SENT = mail_sent().envelope("fact-1", NINE)
DELIVERED = feedback("Delivery")
OPENED = feedback("Open")
SOFT = feedback("Bounce", bounceType="Transient", bounceSubType="MailboxFull")
HARD = feedback("Bounce")
COMPLAINT = feedback("Complaint")


class Store(MemoryStore[Any]):
    """Does what its script says before it saves."""

    def __init__(self) -> None:
        super().__init__()
        self.script = Script()

    def save(self, changes: Mapping[str, Stored[Any]]) -> Collection[str]:
        step = self.script.next()
        if callable(step):
            step()
        return super().save(changes)


class Scene:
    def __init__(self, notify: Sequence[str] = NOTIFY) -> None:
        self.mails, self.addresses, self.holds = Store(), Store(), Store()
        self.bus, self.delays, self._sequence = FakeBus(), FakeDelays(), 0
        self.reputation = FakeReputation()
        self.projector = self.another(notify)

    def another(self, notify: Sequence[str] = NOTIFY) -> Projector:
        return Projector(
            self.mails,
            self.addresses,
            Aftermath(self.bus, self.delays, notify, 900),
            self.reputation,
            self.holds,
        )

    def records(self, *events: Envelope | bytes) -> list[Record]:
        self._sequence += len(events)
        first = self._sequence - len(events) + 1
        return [record(event, number) for number, event in enumerate(events, first)]

    def see(self, *events: Envelope | bytes) -> None:
        self.projector.process(self.records(*events))

    def announced(self) -> list[str]:
        return [told.detail["status"] for told in self.bus.published]

    def status(self, email_id: str = ORDER) -> str | None:
        mail: tracking.Mail = self.mails.rows[email_id].state
        return mail.status

    def suppressed(self, address: str = ANA) -> suppression.Suppression | None:
        history: suppression.History = self.addresses.rows[address].state
        return history.suppression


@pytest.fixture
def scene() -> Scene:
    return Scene()


# ── Rows and suppressions ─────────────────────────────────────────────────────────────────────────────────


def test_what_the_log_says_of_a_mail_is_its_row(scene: Scene) -> None:
    scene.see(SENT, DELIVERED)
    assert scene.status() == "delivered"


@pytest.mark.parametrize("event", [HARD, COMPLAINT])
def test_a_hard_bounce_or_a_complaint_suppresses(scene: Scene, event: Envelope) -> None:
    scene.see(event)
    assert scene.suppressed()


def test_a_release_lifts_the_suppression(scene: Scene) -> None:
    scene.see(HARD)
    scene.see(AddressReleased(email=ANA, reason="asked").envelope("release", at(60)))
    assert scene.suppressed() is None


def test_the_sender_knows_of_a_suppression_before_anybody_is_told_of_the_bounce(scene: Scene) -> None:
    scene.bus.script.add(DOWN)
    with pytest.raises(Unavailable):
        scene.see(SENT, HARD)
    assert scene.suppressed()


def test_bytes_that_are_no_event_stop_nothing(scene: Scene) -> None:
    scene.see(b"\xff", SENT, b"{}", DELIVERED)
    assert scene.status() == "delivered"


def test_readable_leaves_out_what_cannot_be_read(scene: Scene) -> None:
    assert [event.id for event in readable(scene.records(b"\xff", SENT))] == ["fact-1"]


def test_a_batch_without_records_does_nothing(scene: Scene) -> None:
    scene.see()
    assert scene.projector.durable() is None


def test_a_batch_is_durable_once_it_is_in_the_tables(scene: Scene) -> None:
    scene.see(SENT, DELIVERED)
    assert scene.projector.durable() == 2


def test_a_batch_that_could_not_be_written_is_not_durable(scene: Scene) -> None:
    scene.see(SENT)
    scene.mails.script.add(DOWN)
    with pytest.raises(Unavailable):
        scene.see(DELIVERED)
    assert scene.projector.durable() == 1


# ── Announcements ─────────────────────────────────────────────────────────────────────────────────────────


def test_each_status_is_announced(scene: Scene) -> None:
    scene.see(SENT, DELIVERED)
    scene.see(OPENED)
    assert scene.announced() == ["delivered", "opened"]


def test_only_statuses_that_somebody_wants_are_announced() -> None:
    scene = Scene(notify=("bounced",))
    scene.see(SENT, DELIVERED, HARD)
    assert scene.announced() == ["bounced"]


def test_a_status_is_announced_once_however_often_it_comes(scene: Scene) -> None:
    for _ in range(3):
        scene.see(SENT, DELIVERED, DELIVERED)
    assert scene.announced() == ["delivered"]


def test_a_complaint_after_a_delivery_is_announced(scene: Scene) -> None:
    scene.see(SENT, DELIVERED)
    scene.see(COMPLAINT)
    assert scene.announced() == ["delivered", "complained"]
    assert scene.status() == "delivered"


def test_feedback_that_comes_first_is_announced_once_the_mail_is_known(scene: Scene) -> None:
    scene.see(DELIVERED)
    assert scene.announced() == []
    scene.see(SENT)
    assert scene.announced() == ["delivered"]


def test_an_announcement_says_whose_mail_it_is(scene: Scene) -> None:
    scene.see(SENT, DELIVERED)
    (told,) = scene.bus.published
    assert told.detail_type == STATUS_CHANGED
    assert told.detail["emailId"] == ORDER
    assert told.detail["originalSource"] == "my.application"
    assert told.detail["metadata"] == {"campaignId": "welcome-2026"}


def test_a_failure_is_announced_with_its_code(scene: Scene) -> None:
    scene.see(mail_failed().envelope("fact-1", NINE))
    assert scene.bus.published[0].detail["errorCode"] == "TEMPLATE_NOT_FOUND"


# ── Retries ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_soft_bounce_asks_for_a_retry(scene: Scene) -> None:
    scene.see(SENT, SOFT)
    ((due, seconds),) = scene.delays.due
    assert (due.email_id, due.original_email_id, due.retry_attempt, seconds) == (
        ids.retry_id(ORDER, 1),
        ORDER,
        1,
        900,
    )


def test_a_retry_points_to_the_request(scene: Scene) -> None:
    scene.see(SENT, SOFT)
    assert scene.delays.due[0][0].place == place()


def test_a_retry_is_asked_for_once(scene: Scene) -> None:
    for _ in range(3):
        scene.see(SENT, SOFT)
    assert len(scene.delays.due) == 1


@pytest.mark.parametrize("event", [DELIVERED, HARD, COMPLAINT, OPENED])
def test_nothing_else_asks_for_a_retry(scene: Scene, event: Envelope) -> None:
    scene.see(SENT, event)
    assert scene.delays.due == []


def test_the_soft_bounce_of_a_retry_asks_for_none(scene: Scene) -> None:
    tags = {"emailId": [ids.to_tag("retry")], "originalEmailId": [ids.to_tag(ORDER)], "retryAttempt": ["1"]}
    retried = mail_sent("retry", original_email_id=ORDER, retry_attempt=1).envelope("fact-2", NINE)
    soft = feedback("Bounce", {"tags": tags}, bounceType="Transient", bouncedRecipients=[recipient()])
    scene.see(retried, soft)
    assert scene.delays.due == []
    assert scene.status("retry") == "failed"


# ── Crashes and rivals ────────────────────────────────────────────────────────────────────────────────────


def crash() -> None:
    raise Crash


def effects(scene: Scene) -> dict[str, set[str]]:
    return {
        "announced": {told.detail["eventId"] for told in scene.bus.published},
        "retried": {due.email_id for due, _ in scene.delays.due},
    }


def test_a_crash_between_effect_and_write_repeats_the_effect_under_the_same_id(scene: Scene) -> None:
    """Never lost, and known again by its id.

    A:  announce, defer ─► ✝ (write)
    B:                               announce, defer ─► write
    """
    batch = scene.records(SENT, SOFT)
    scene.mails.script.add(crash)
    with pytest.raises(Crash):
        scene.projector.process(batch)
    scene.another().process(batch)
    assert len(scene.bus.published) == 2
    assert len(scene.delays.due) == 2
    assert {kind: len(found) for kind, found in effects(scene).items()} == {"announced": 1, "retried": 1}


def test_a_crash_before_the_effect_loses_none(scene: Scene) -> None:
    """A:  suppressions written ✝ announce        B:  announce ─► write."""
    batch = scene.records(SENT, HARD)
    scene.bus.script.add(Crash())
    with pytest.raises(Crash):
        scene.projector.process(batch)
    scene.another().process(batch)
    assert scene.announced() == ["bounced"]


def test_a_crash_after_the_write_repeats_nothing(scene: Scene) -> None:
    """A:  announce ─► write ✝ (checkpoint)        B:  the same records again."""
    batch = scene.records(SENT, SOFT)
    scene.projector.process(batch)
    scene.another().process(batch)
    assert (scene.announced(), len(scene.delays.due)) == (["soft_bounced"], 1)


def test_a_bus_that_is_down_loses_no_announcement(scene: Scene) -> None:
    batch = scene.records(SENT, DELIVERED)
    scene.bus.script.add(DOWN)
    with pytest.raises(Unavailable):
        scene.projector.process(batch)
    scene.projector.process(batch)
    assert scene.announced() == ["delivered"]


def test_a_delay_queue_that_is_down_loses_no_retry(scene: Scene) -> None:
    batch = scene.records(SENT, SOFT)
    scene.delays.script.add(DOWN)
    with pytest.raises(Unavailable):
        scene.projector.process(batch)
    scene.projector.process(batch)
    assert len(scene.delays.due) == 1


def test_two_projectors_at_once_lose_nothing(scene: Scene) -> None:
    """Compare and swap: whoever finds the row changed reads and joins again.

    A:  read ─► join delivered ──────────────────────► write: refused ─► read ─► join ─► write
    B:            read ─► join opened ─► write ─►
    """
    scene.see(SENT)
    rival = scene.another()
    rivals_batch, batch = scene.records(OPENED), scene.records(DELIVERED)
    scene.mails.script.add(lambda: rival.process(rivals_batch))
    scene.projector.process(batch)
    mail: tracking.Mail = scene.mails.rows[ORDER].state
    assert {"sent", "delivered", "opened"} <= set(mail.slots)
    assert {*scene.announced()} == {"delivered", "opened"}


@pytest.mark.parametrize(
    "order", [lambda records: records, lambda records: records[::-1], lambda records: records * 3]
)
def test_any_order_and_any_repetition_ends_in_the_same_rows_and_effects(
    order: Callable[[list[Record]], list[Record]],
) -> None:
    told, plain = Scene(), Scene()
    events = (SENT, DELIVERED, OPENED, COMPLAINT, SOFT)
    plain.see(*events)
    for each in order(told.records(*events)):
        told.projector.process([each])
    assert told.mails.rows[ORDER].state == plain.mails.rows[ORDER].state
    assert told.addresses.rows[ANA].state == plain.addresses.rows[ANA].state
    assert effects(told) == effects(plain)


def test_what_a_person_pauses_stands_until_it_is_resumed(scene: Scene) -> None:
    scene.see(SendingPaused(reason="wrong price").envelope("p", at(1)))
    ((key, stored),) = scene.holds.rows.items()
    assert stored.state.paused
    scene.see(SendingResumed(reason="right price").envelope("r", at(2)))
    assert not scene.holds.rows[key].state.paused


def test_draining_ends_at_once(scene: Scene) -> None:
    scene.projector.drain(0.0)
