import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.log import Place, sequence_text
from tests.builders import SHARD, record
from tests.pipeline.laws import law

numbers = st.integers(0, 10**60 - 1)


@law
@given(numbers, numbers)
def test_the_order_of_texts_is_the_order_of_numbers(one: int, other: int) -> None:
    assert (sequence_text(one) < sequence_text(other)) == (one < other)


@law
@given(numbers)
def test_a_number_survives_its_text_of_60_digits(number: int) -> None:
    assert len(sequence_text(number)) == 60
    assert int(sequence_text(number)) == number


@law
@given(numbers)
def test_a_record_lies_at_its_place(number: int) -> None:
    found = record(b"", number).place
    assert (found.shard, int(found.sequence)) == (SHARD, number)


@pytest.mark.parametrize("garbage", ["", "x", "-1", "+1", "1_0", " 1", "1\n", "٣", "9" * 101])
def test_a_place_is_a_number(garbage: str) -> None:
    with pytest.raises(ValidationError, match="sequence"):
        Place(shard=SHARD, sequence=garbage)
