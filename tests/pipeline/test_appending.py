from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.appending import ATTEMPTS, MAX_BYTES, MAX_RECORDS, Entry, append_all, chunks, partition_key
from pipeline.errors import Unavailable
from tests.builders import envelope, envelopes, wire
from tests.pipeline.laws import law

KINESIS_BYTES = 10 * 1024 * 1024


class Stream:
    """Takes what `refuses` lets it take, and remembers every call."""

    def __init__(self, refuses: Callable[[Entry, int], bool] = lambda *_: False) -> None:
        self._refuses = refuses
        self.calls: list[list[bytes]] = []
        self.taken: list[bytes] = []

    def put(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        self.calls.append([entry.data for entry in entries])
        refused = [entry for entry in entries if self._refuses(entry, len(self.calls))]
        self.taken += [entry.data for entry in entries if entry not in refused]
        return refused


def no_pause(_: float) -> None:
    """Tests don't wait."""


def test_only_the_refused_records_are_asked_for_again() -> None:
    given = envelopes(4)
    refused_at_first = {wire(given[1]), wire(given[3])}
    stream = Stream(lambda entry, call: call == 1 and entry.data in refused_at_first)
    append_all(stream.put, given, no_pause)
    assert stream.calls == [list(map(wire, given)), [wire(given[1]), wire(given[3])]]


def test_what_the_stream_takes_at_once_is_put_once() -> None:
    stream = Stream()
    append_all(stream.put, envelopes(3), no_pause)
    assert len(stream.calls) == 1


def test_nothing_to_append_is_not_put() -> None:
    stream = Stream()
    append_all(stream.put, [], no_pause)
    assert stream.calls == []


def test_a_record_refused_at_every_attempt_ends_with_unavailable() -> None:
    given = envelopes(3)
    stream = Stream(lambda entry, _: entry.data == wire(given[1]))
    with pytest.raises(Unavailable, match=rf"refused 1 records {ATTEMPTS} times"):
        append_all(stream.put, given, no_pause)
    assert len(stream.calls) == ATTEMPTS


def test_a_record_taken_at_the_last_attempt_is_enough() -> None:
    stream = Stream(lambda _, call: call < ATTEMPTS)
    append_all(stream.put, envelopes(1), no_pause)
    assert stream.taken == [wire(envelopes(1)[0])]


def test_there_is_a_pause_before_each_further_attempt() -> None:
    pauses: list[float] = []
    stream = Stream(lambda _, call: call < 4)
    append_all(stream.put, envelopes(1), pauses.append)
    assert len(pauses) == 3
    assert all(0 < pause <= 2 for pause in pauses)


def test_an_unavailable_stream_is_not_asked_again() -> None:
    calls = []

    def put(entries: Sequence[Entry]) -> Sequence[Entry]:
        calls.append(entries)
        raise Unavailable("down")

    with pytest.raises(Unavailable, match="down"):
        append_all(put, envelopes(1), no_pause)
    assert len(calls) == 1


@law
@given(st.integers(0, 40), st.sets(st.tuples(st.integers(0, 39), st.integers(1, ATTEMPTS - 1))))
def test_whatever_is_refused_before_the_last_attempt_each_record_is_stored_once(
    count: int, refusals: set[tuple[int, int]]
) -> None:
    given = envelopes(count)
    number = {wire(each): n for n, each in enumerate(given)}
    stream = Stream(lambda entry, call: (number[entry.data], call) in refusals)
    append_all(stream.put, given, no_pause)
    assert sorted(stream.taken) == sorted(number)


# ── Chunks ────────────────────────────────────────────────────────────────────────────────────────────────


def entries(*sizes: int) -> list[Entry]:
    return [Entry(bytes(size), f"{n}") for n, size in enumerate(sizes)]


def test_a_chunk_has_at_most_500_records() -> None:
    assert MAX_RECORDS == 500
    assert [len(chunk) for chunk in chunks(entries(*[1] * 1201))] == [500, 500, 201]


def test_a_chunk_is_closed_before_it_gets_too_large() -> None:
    half = MAX_BYTES // 2
    assert [len(chunk) for chunk in chunks(entries(half, half, half))] == [1, 1, 1]


def test_a_chunk_holds_what_fits_to_the_byte() -> None:
    half = MAX_BYTES // 2 - len("0")
    assert [len(chunk) for chunk in chunks(entries(half, half))] == [2]


def test_a_record_larger_than_a_chunk_goes_alone() -> None:
    assert [len(chunk) for chunk in chunks(entries(1, MAX_BYTES + 1, 1))] == [1, 1, 1]


def test_a_partition_key_weighs_its_bytes_of_utf_8() -> None:
    data = bytes((MAX_BYTES - 4) // 2)
    assert len(list(chunks([Entry(data, "é"), Entry(data, "é")]))) == 1
    assert len(list(chunks([Entry(data, "éé"), Entry(data, "é")]))) == 2


@law
@given(st.lists(st.integers(0, MAX_BYTES + 10), max_size=30))
def test_chunks_keep_every_entry_in_its_order_within_what_kinesis_takes(sizes: list[int]) -> None:
    data = bytes(max(sizes, default=0))
    whole = [Entry(data[:0] if not size else data[:size], "k") for size in sizes]
    cut = list(chunks(whole))
    assert [entry for chunk in cut for entry in chunk] == whole
    assert all(sum(len(entry.data) + 1 for entry in chunk) <= KINESIS_BYTES for chunk in cut)


# ── Partition keys ────────────────────────────────────────────────────────────────────────────────────────


def test_the_partition_key_is_the_mails_id() -> None:
    assert partition_key(envelope(detail={"emailId": "order-42"})) == "order-42"


@pytest.mark.parametrize("detail", [{}, {"emailId": ""}, {"emailId": None}])
def test_without_a_mails_id_the_partition_key_is_the_events(detail: dict[str, object]) -> None:
    assert partition_key(envelope(id="event-7", detail=detail)) == "event-7"


@pytest.mark.parametrize("email_id", [7, ["a"], {"a": 1}, "x" * 5000, "ü" * 300, True])
def test_a_partition_key_is_text_of_1_to_256_characters(email_id: object) -> None:
    assert 1 <= len(partition_key(envelope(detail={"emailId": email_id}))) <= 256
