"""What had arrived in the log by a moment, of archive and stream: as much as the folds need, and no more."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.archiver import shard_of
from pipeline import addresses, ids
from pipeline.engine import About
from pipeline.errors import UserError
from projections import suppression, tracking
from tests.consumers.archive_world import arrivals
from tests.infra.past_world import BEGIN, PastWorld
from tests.projections.builders import (
    ANA,
    at,
    complaint,
    delivered,
    hard_bounce,
    needless,
    opened,
    release,
    sent,
    soft_bounce,
    suppress,
)
from tests.projections.histories import ADDRESSES, OURS, histories

MILLISECOND = timedelta(milliseconds=1)
BO = "bo@customer.example"


@pytest.fixture
def world(tmp_path: Path) -> PastWorld:
    return PastWorld(tmp_path)


def archive_alone(world: PastWorld) -> None:
    world.archive()
    world.trim()


def both(world: PastWorld) -> None:
    """The stream has all, the archive the first half."""
    moments = world.arrivals()
    world.archive(up_to=moments[len(moments) // 2 - 1])


def stream_alone(_: PastWorld) -> None:
    """The archiver has written nothing yet."""


WHERE = pytest.mark.parametrize("lies", [archive_alone, both, stream_alone])
Lies = Callable[[PastWorld], None]


@WHERE
def test_what_arrived_later_is_not_known_although_it_happened_before(world: PastWorld, lies: Lies) -> None:
    first = world.come(sent("order-1", at(minutes=5)))
    second = world.come(delivered("order-1", at(minutes=9)))
    third = world.come(opened("order-1", at(minutes=1)))
    lies(world)
    assert world.status("order-1", first - MILLISECOND) is None
    assert world.status("order-1", first) == "sent"
    assert world.status("order-1", second) == "delivered"
    assert world.status("order-1", third - MILLISECOND) == "delivered"
    assert world.status("order-1", third) == "opened"


@WHERE
def test_an_address_that_was_suppressed_released_and_suppressed_again(world: PastWorld, lies: Lies) -> None:
    moments = [
        world.come(suppress(ANA, at(), "asked by phone")),
        world.come(release(ANA, at(hours=1))),
        world.come(hard_bounce("order-1", at(hours=2))),
        world.come(release(ANA, at(hours=3))),
    ]
    lies(world)
    assert [world.reason(ANA, moment) for moment in moments] == [
        "asked by phone",
        None,
        "hard bounce: NoEmail",
        None,
    ]


@WHERE
def test_feedback_about_several_recipients_is_known_of_each(world: PastWorld, lies: Lies) -> None:
    told = ["Bo@CUSTOMER.example", "cy@customer.example"]
    moment = world.come(complaint(None, at(), to=ANA, recipients=[ANA, *told]))
    world.come(suppress("nobody@customer.example", at()))
    lies(world)
    for key in (ANA, BO, "cy@customer.example"):
        assert world.reason(key, moment) == "complaint: abuse"
    assert world.reason(BO, moment - MILLISECOND) is None


@WHERE
def test_a_mails_events_come_with_those_of_its_retry(world: PastWorld, lies: Lies) -> None:
    retry = ids.retry_id("order-1", 1)
    world.come(sent("order-1", at()), soft_bounce("order-1", at(minutes=1)))
    world.come(sent(retry, at(minutes=16), originalEmailId="order-1", retryAttempt=1))
    moment = world.come(
        delivered(retry, at(minutes=17), original="order-1", attempt=1), sent("order-2", at())
    )
    lies(world)
    mails = tracking.fold(world.past(About(email_id="order-1"), moment))
    assert {name: mail.status for name, mail in mails.items()} == {
        "order-1": "soft_bounced",
        retry: "delivered",
    }


@WHERE
def test_that_a_retry_was_not_needed_is_known_of_the_original(world: PastWorld, lies: Lies) -> None:
    world.come(sent("order-1", at()), soft_bounce("order-1", at(minutes=1)))
    moment = world.come(needless("order-1", at(minutes=16)))
    lies(world)
    mail = world.mail("order-1", moment)
    assert mail is not None
    assert "retry_not_needed" in mail.slots
    assert world.histories({ANA}, moment)[ANA].arrived


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(20), st.data())
def test_at_each_moment_what_is_known_is_the_fold_of_what_had_arrived(
    history: list[bytes], data: st.DataObject
) -> None:
    archivings = data.draw(st.sets(st.integers(0, len(history))), label="archived after")
    with TemporaryDirectory() as folder:
        world = PastWorld(Path(folder))
        for number, record in enumerate(history):
            world.come(record, later=data.draw(st.sampled_from([MILLISECOND, timedelta(minutes=50)])))
            if number in archivings:
                world.archive()
        moments = world.arrivals()
        for moment in data.draw(st.lists(st.sampled_from(moments), max_size=4) if moments else st.just([])):
            _holds(world, moment)


def _holds(world: PastWorld, moment: datetime) -> None:
    arrived = world.arrived(moment)
    mails, keys = tracking.fold(arrived), {addresses.suppression_key(each) for each in ADDRESSES}
    for mail in OURS[:2]:
        assert mail.email_id
        known = tracking.fold(world.past(About(email_id=mail.email_id), moment))
        for email_id in (mail.email_id, ids.retry_id(mail.email_id, 1)):
            assert known.get(email_id) == mails.get(email_id)
    known_of = world.histories(keys, moment)
    assert {key: known_of.get(key) for key in keys} == {
        key: suppression.fold(arrived).get(key) for key in keys
    }


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(arrivals(), st.data())
def test_a_record_is_found_from_its_arrival_on_whatever_file_it_lies_in(
    moments: list[datetime], data: st.DataObject
) -> None:
    """Hours and days pass, and around the edge of an hour time runs backwards."""
    archivings = data.draw(st.sets(st.integers(0, len(moments))), label="archived after")
    number = data.draw(st.integers(0, len(moments) - 1), label="record")
    with TemporaryDirectory() as folder:
        world = PastWorld(Path(folder))
        for each, world.now in enumerate(moments):
            world.come(sent(f"order-{each}", at()), later=timedelta())
            if each in archivings:
                world.archive()
        assert world.status(f"order-{number}", moments[number]) == "sent"
        assert world.status(f"order-{number}", moments[number] - MILLISECOND) is None


# ── Where the archive ends ────────────────────────────────────────────────────────────────────────────────


def test_what_an_archiver_that_is_far_behind_has_not_written_comes_from_the_stream(world: PastWorld) -> None:
    world.come(sent("order-1", at()))
    world.archive()
    world.come(delivered("order-1", at()), later=timedelta(days=2))
    moment = world.come(sent("order-2", at()), later=timedelta(days=2))
    assert world.status("order-1", moment) == "delivered"


def test_a_record_that_arrived_just_before_the_first_one_of_its_file_is_found(tmp_path: Path) -> None:
    world = PastWorld(tmp_path, shards=1)
    world.now = BEGIN + timedelta(hours=1)
    world.come(sent("order-1", at()), later=timedelta())
    moment = world.come(sent("order-2", at()), later=-MILLISECOND)
    world.archive()
    assert [world.status(each, moment) for each in ("order-1", "order-2")] == [None, "sent"]


def test_files_whose_hours_are_not_in_the_order_of_the_log_are_no_gap(tmp_path: Path) -> None:
    world = PastWorld(tmp_path, shards=1)
    early = world.come(sent("order-1", at()), later=-timedelta(minutes=30))
    for later in (timedelta(hours=1), timedelta(minutes=30), -MILLISECOND):
        world.come(sent("order-2", at()), later=later)
        world.archive()
    assert len({key.rpartition("/")[0] for key in world.files.files}) < len(world.files.files)
    assert world.status("order-1", early + timedelta(minutes=20)) == "sent"


def test_what_the_archive_has_is_not_read_from_the_stream(tmp_path: Path) -> None:
    world = PastWorld(tmp_path, shards=1)
    world.come(*[sent("order-1", at())] * 1500)
    world.archive()
    moment = world.come(sent("order-2", at()))
    assert world.status("order-2", moment) == "sent"
    assert world.pauses == []


def test_what_shards_that_came_of_a_split_hold_is_known(world: PastWorld) -> None:
    world.come(*[sent("order-1", at())] * 4)
    world.archive()
    world.log.split("shardId-000000000000")
    world.log.split("shardId-000000000001")
    moment = world.come(delivered("order-1", at()))
    assert world.status("order-1", moment) == "delivered"
    world.archive()
    assert world.status("order-1", moment) == "delivered"


def test_a_shard_whose_files_go_beyond_the_moment_is_not_read(world: PastWorld) -> None:
    moment = world.come(sent("order-1", at()))
    for _ in range(3):
        world.come(*[sent("order-2", at())] * 8, later=timedelta(hours=2))
        world.archive()
    assert {shard_of(key) for key in world.files.files} == {shard.id for shard in world.log.shards()}
    world.log.reader = None  # type: ignore[method-assign, assignment]
    assert world.status("order-1", moment) == "sent"


def test_a_long_stretch_of_the_stream_is_read_with_pauses_and_not_far_beyond_the_moment(
    tmp_path: Path,
) -> None:
    world = PastWorld(tmp_path, shards=1)
    world.come(*[sent("order-2", at())] * 1500)
    moment = world.come(sent("order-1", at()))
    world.come(*[sent("order-2", at())] * 5000, later=timedelta(hours=1))
    assert world.status("order-1", moment) == "sent"
    assert world.pauses == [0.5]


def test_records_that_are_no_events_are_passed_over(world: PastWorld) -> None:
    world.come(b"\xff", b"{}")
    world.archive()
    moment = world.come(b"\xff", b"[]", sent("order-1", at()))
    assert world.status("order-1", moment) == "sent"


def test_nothing_at_all_is_nothing(world: PastWorld) -> None:
    assert world.past(About(email_id="order-1"), world.now) == []
    assert world.past(About(addresses={ANA}), world.now) == []


# ── An archive with faults ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def archived(tmp_path: Path) -> PastWorld:
    """Three files of one shard, an hour and more apart."""
    world = PastWorld(tmp_path, shards=1)
    for number in range(3):
        world.come(sent(f"order-{number}", at()), later=timedelta(hours=3))
        world.archive()
    return world


def _break(world: PastWorld, number: int, body: bytes) -> None:
    key = sorted(world.files.files)[number]
    world.files.files[key] = body, world.files.files[key][1]


@pytest.mark.parametrize("body", [b"", b"PAR1", b"\0" * 5000])
def test_a_file_that_cannot_be_read_is_named(archived: PastWorld, body: bytes) -> None:
    _break(archived, 1, body)
    with pytest.raises(UserError, match=r"the archive .* can't be read: .*\.parquet"):
        archived.past(About(email_id="order-0"), archived.now)


def test_a_file_that_was_cut_short_is_named(archived: PastWorld) -> None:
    _break(archived, 1, next(iter(archived.files.files.values()))[0][:-20])
    with pytest.raises(UserError, match=r"the archive .* can't be read: .*\.parquet"):
        archived.past(About(addresses={ANA}), archived.now)


@pytest.mark.parametrize("number", [0, 1])
def test_a_file_that_is_missing_is_told(archived: PastWorld, number: int) -> None:
    del archived.files.files[sorted(archived.files.files)[number]]
    with pytest.raises(UserError, match=r"not complete: shardId-0.* missing .*archive check"):
        archived.past(About(email_id="order-2"), archived.now)


def test_what_lies_beyond_the_moment_may_be_broken(archived: PastWorld) -> None:
    _break(archived, 2, b"")
    assert archived.status("order-0", archived.arrivals()[1]) == "sent"


def test_what_the_archiver_did_not_write_is_left_alone(archived: PastWorld) -> None:
    for key in ("events/_temporary/x.parquet", "events/dt=2026-11-20/hh=10/notes.txt", "else.parquet"):
        archived.files.files[key] = b"", {}
    assert archived.status("order-0", archived.now) == "sent"
