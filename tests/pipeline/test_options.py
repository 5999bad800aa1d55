import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from pipeline.options import duration, pairs
from tests.pipeline.laws import law


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("30s", 30),
        ("15m", 900),
        ("1.5h", 5400),
        ("2h", 7200),
        ("1d", 86400),
        ("0s", 0),
        (" 5m ", 300),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "15", "m", "15 m", "-5m", "1h30m", "1,5h", "15M", "1e3s", "five minutes", ".5s", "1.s"]
)
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no duration; write for example 30s, 15m or 2h"):
        duration(text)


@law
@given(st.integers(0, 10**6), st.sampled_from([("s", 1), ("m", 60), ("h", 3600), ("d", 86400)]))
def test_whole_numbers_of_a_unit_are_exact(number: int, unit: tuple[str, int]) -> None:
    assert duration(f"{number}{unit[0]}") == number * unit[1]


def test_pairs_are_names_and_values() -> None:
    assert pairs(["userName=Ana", "total=9.99"], "--data") == {"userName": "Ana", "total": "9.99"}


@pytest.mark.parametrize(
    ("given_", "value"),
    [
        ("url=https://a.example/?x=1", "https://a.example/?x=1"),
        ("url=", ""),
        ("url= a ", " a "),
        ("url==", "="),
    ],
)
def test_the_value_is_all_behind_the_first_sign(given_: str, value: str) -> None:
    assert pairs([given_], "--data") == {"url": value}


def test_the_last_of_a_name_counts() -> None:
    assert pairs(["a=1", "a=2"], "--data") == {"a": "2"}


def test_no_pairs_are_an_empty_mapping() -> None:
    assert pairs([], "--data") == {}


@pytest.mark.parametrize("wrong", ["userName", "", "=Ana"])
def test_what_is_no_pair_is_named(wrong: str) -> None:
    with pytest.raises(typer.BadParameter, match=f"'{wrong}' is not of the form name=value"):
        pairs(["a=1", wrong], "--data")


@law
@given(st.dictionaries(st.text(min_size=1).filter(lambda name: "=" not in name), st.text()))
def test_whatever_the_names_and_values_they_are_read_back(values: dict[str, str]) -> None:
    assert pairs([f"{name}={value}" for name, value in values.items()], "--data") == values
