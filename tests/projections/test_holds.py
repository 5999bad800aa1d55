"""Holds are a join-semilattice, the last word about a selector stands, and the table keeps it."""

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.holds import Hold, Selector, fold, join, selector
from projections.store import Stored, merge
from tests.projections.builders import again, at, events, pause, release, resume, sent
from tests.projections.conftest import Tables
from tests.projections.histories import Brief

law = settings(max_examples=50)

ABOUT: list[dict[str, Any]] = [
    {},
    {"source": "my.shop"},
    {"template_name": "newsletter"},
    {"template_name": "newsletter", "metadata": {"campaignId": "spring", "größe": "7"}},
]


@st.composite
def words(draw: st.DrawFn) -> bytes:
    """Few selectors and few times, so that words meet."""
    act = draw(st.sampled_from([pause, resume]))
    reason = draw(st.sampled_from(["one", "two"]))
    return Brief(act(at(minutes=draw(st.integers(0, 3))), reason, **draw(st.sampled_from(ABOUT))))


@st.composite
def words_about_one(draw: st.DrawFn) -> Hold:
    act = draw(st.sampled_from([pause, resume]))
    record = act(at(minutes=draw(st.integers(0, 3))), draw(st.sampled_from(["one", "two"])))
    return fold(events([record]))[Selector().key]


@law
@given(words_about_one(), words_about_one())
def test_joining_is_commutative(one: Hold, other: Hold) -> None:
    assert join(one, other) == join(other, one)


@law
@given(words_about_one(), words_about_one(), words_about_one())
def test_joining_is_associative(one: Hold, two: Hold, three: Hold) -> None:
    assert join(join(one, two), three) == join(one, join(two, three))


@law
@given(words_about_one())
def test_joining_is_idempotent(hold: Hold) -> None:
    assert join(hold, hold) == hold


@law
@given(st.lists(words(), max_size=12), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(records: list[bytes], chance: Any) -> None:
    come = records + [again(record, 1) for record in records if chance.random() < 0.5]
    chance.shuffle(come)
    assert fold(events(come)) == fold(events(records))


@law
@given(st.lists(words(), max_size=12), st.integers(0, 12))
def test_folding_parts_and_joining_is_folding_all(records: list[bytes], cut: int) -> None:
    one, other = fold(events(records[:cut])), fold(events(records[cut:]))
    both = {key: [part[key] for part in (one, other) if key in part] for key in one.keys() | other.keys()}
    assert {key: reduce(join, found) for key, found in both.items()} == fold(events(records))


@law
@given(st.lists(words(), max_size=12))
def test_it_is_what_sorting_and_applying_one_by_one_gives(records: list[bytes]) -> None:
    """The slow way: at one time resumes come before pauses, so that a tie pauses."""
    told = sorted(events(records), key=lambda event: (event.time, event.kind == "Sending Paused"))
    standing: dict[str, bool] = {}
    for event in told:
        detail = event.envelope.detail
        about = selector(detail.get("source"), detail.get("templateName"), detail["metadata"])
        standing[about.key] = event.kind == "Sending Paused"
    assert {key: hold.paused for key, hold in fold(events(records)).items()} == standing


def paused(*records: bytes) -> bool:
    (hold,) = fold(events(records)).values()
    return hold.paused


def test_the_later_word_stands() -> None:
    assert paused(pause(at()))
    assert not paused(pause(at()), resume(at(minutes=1)))
    assert paused(pause(at()), resume(at(minutes=1)), pause(at(minutes=2)))


def test_a_tie_pauses() -> None:
    assert paused(pause(at()), resume(at()))


def test_resuming_one_selector_leaves_another_paused() -> None:
    found = fold(events([pause(at()), resume(at(minutes=1), template_name="newsletter")]))
    assert [hold.selector for hold in found.values() if hold.paused] == [Selector()]


def test_what_is_no_word_about_sending_says_nothing() -> None:
    assert fold(events([sent("m", at()), release("a@b.example", at())])) == {}


def test_the_order_of_metadata_makes_no_other_selector() -> None:
    assert selector(None, None, {"a": "1", "b": "2"}).key == selector(None, None, {"b": "2", "a": "1"}).key


@pytest.mark.parametrize(
    "other",
    [
        Selector("x"),
        Selector(None, "x"),
        Selector("", "x"),
        Selector(None, None, (("x", "x"),)),
        Selector("x", "x"),
    ],
)
def test_other_parts_make_another_selector(other: Selector) -> None:
    assert other.key != Selector().key


METADATA = {"campaignId": "spring", "wave": 7, "test": True, "none": None, "list": ["a", 1]}


@pytest.mark.parametrize(
    ("about", "matches"),
    [
        (Selector(), True),
        (Selector("my.shop"), True),
        (Selector("my.sho"), False),
        (Selector(None, "newsletter"), True),
        (Selector(None, "welcome"), False),
        (Selector("my.shop", "newsletter"), True),
        (Selector("my.shop", "welcome"), False),
        (Selector("other", "newsletter"), False),
        (selector(None, None, {"campaignId": "spring"}), True),
        (selector(None, None, {"campaignId": "autumn"}), False),
        (selector(None, None, {"campaignId": "spring", "wave": "7"}), True),
        (selector(None, None, {"campaignId": "spring", "wave": "8"}), False),
        (selector(None, None, {"missing": "x"}), False),
        (selector(None, None, {"missing": "null"}), False),
        (selector(None, None, {"test": "true"}), True),
        (selector(None, None, {"none": "null"}), True),
        (selector(None, None, {"list": '["a", 1]'}), True),
        (selector("my.shop", "newsletter", {"wave": "7"}), True),
    ],
)
def test_a_request_matches_when_all_given_parts_do(about: Selector, matches: bool) -> None:
    assert about.matches("my.shop", "newsletter", METADATA) is matches


# ── The table ─────────────────────────────────────────────────────────────────────────────────────────────


def heed(tables: Tables, *records: bytes) -> None:
    for event in events(records):
        merge(tables.holds, fold([event]), join)


@pytest.fixture
def about() -> dict[str, Any]:
    """What no other test speaks of."""
    return {"template_name": "newsletter", "metadata": {"campaignId": str(uuid.uuid4()), "größe": "🎈"}}


def standing(tables: Tables, about: dict[str, Any]) -> list[Hold]:
    return [hold for hold in tables.holds.standing() if hold.selector == selected(about)]


def selected(about: dict[str, Any]) -> Selector:
    return selector(about.get("source"), about.get("template_name"), about.get("metadata", {}))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2, 1, 0), (2, 2, 0, 1, 0)], ids=str)
def test_the_table_keeps_the_last_word_in_whatever_order_they_come(
    tables: Tables, about: dict[str, Any], order: Sequence[int]
) -> None:
    said = [
        pause(at(), **about),
        resume(at(minutes=1), **about),
        pause(at(minutes=2), "wrong again", **about),
    ]
    heed(tables, *(said[number] for number in order))
    (hold,) = standing(tables, about)
    assert (hold.time, hold.reason) == (at(minutes=2), "wrong again")


def test_a_resumed_selector_stands_no_more(tables: Tables, about: dict[str, Any]) -> None:
    heed(tables, pause(at(), **about), resume(at(minutes=1), **about))
    assert standing(tables, about) == []


def test_a_word_comes_back_as_it_was_said(tables: Tables) -> None:
    for each in ABOUT:
        said = fold(events([pause(at(), "„Zeile“ 🎈", **each)]))
        merge(tables.holds, said, join)
        assert {key: found.state for key, found in tables.holds.load(said).items()} == said


def test_the_oldest_pause_is_listed_first(tables: Tables) -> None:
    heed(tables, pause(at(days=2), source="later"), pause(at(days=1), source="earlier"))
    told = [hold.selector.source for hold in tables.holds.standing()]
    assert told.index("earlier") < told.index("later")


def test_a_write_over_what_was_not_read_is_refused(tables: Tables, about: dict[str, Any]) -> None:
    (key,) = said = fold(events([pause(at(), **about)]))
    heed(tables, pause(at(), **about))
    assert list(tables.holds.save({key: Stored(said[key])})) == [key]
    assert list(tables.holds.save({key: Stored(said[key], "another-event")})) == [key]


def test_writers_at_the_same_time_leave_the_last_word(tables: Tables, about: dict[str, Any]) -> None:
    said = [(pause, resume)[number % 2](at(minutes=number), **about) for number in range(20)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda record: heed(tables, record), said[::-1]))
    assert tables.holds.load([selected(about).key])[selected(about).key].state.time == at(minutes=19)
