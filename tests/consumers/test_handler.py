import threading

from hypothesis import given
from hypothesis import strategies as st

from consumers.handler import Watermark


@st.composite
def finishings(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Accepted sequence numbers, and those of them that are finished, in the order of finishing."""
    accepted = sorted(draw(st.sets(st.integers(0, 2**190), min_size=1, max_size=30)))
    finished = draw(st.lists(st.sampled_from(accepted), unique=True))
    return accepted, finished


def expected(accepted: list[int], finished: set[int]) -> int | None:
    """The greatest accepted one up to which everything is finished."""
    durable = None
    for sequence in accepted:
        if sequence not in finished:
            break
        durable = sequence
    return durable


@given(finishings())
def test_durable_is_the_greatest_one_below_which_all_are_finished(story: tuple[list[int], list[int]]) -> None:
    accepted, finished = story
    watermark = Watermark()
    assert all(watermark.accept(sequence) for sequence in accepted)
    for count, sequence in enumerate(finished, 1):
        watermark.finish(sequence)
        assert watermark.durable == expected(accepted, set(finished[:count]))


@given(finishings())
def test_what_is_accepted_between_finishings_does_not_change_what_is_durable(
    story: tuple[list[int], list[int]],
) -> None:
    accepted, finished = story
    watermark = Watermark()
    for sequence in accepted:
        watermark.accept(sequence)
        if sequence in finished:
            watermark.finish(sequence)
    assert watermark.durable == expected(accepted, set(finished))


def test_nothing_is_durable_before_the_first_is_finished() -> None:
    watermark = Watermark()
    watermark.accept(1)
    assert watermark.durable is None


def test_a_record_is_accepted_once() -> None:
    watermark = Watermark()
    assert watermark.accept(5)
    assert not watermark.accept(5)


def test_a_finished_record_is_not_accepted_again() -> None:
    watermark = Watermark()
    watermark.accept(5)
    watermark.finish(5)
    assert not watermark.accept(5)


def test_a_record_before_the_last_accepted_is_refused() -> None:
    watermark = Watermark()
    watermark.accept(5)
    assert not watermark.accept(4)


def test_finishing_twice_changes_nothing() -> None:
    watermark = Watermark()
    for sequence in (1, 2, 3):
        watermark.accept(sequence)
    watermark.finish(1)
    watermark.finish(1)
    assert watermark.durable == 1


def test_waiting_ends_when_the_last_is_finished() -> None:
    watermark = Watermark()
    watermark.accept(1)
    finishing = threading.Thread(target=watermark.finish, args=[1])
    finishing.start()
    assert watermark.wait(5)
    finishing.join()


def test_waiting_gives_up_while_something_is_unfinished() -> None:
    watermark = Watermark()
    watermark.accept(1)
    assert not watermark.wait(0)
