import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.json_text import MAX_DEPTH, TooDeep, loads
from tests.pipeline.laws import json_values, law


@law
@given(json_values)
def test_what_json_can_say_is_read_as_it_was_written(value: Any) -> None:
    assert loads(json.dumps(value)) == value


@law
@given(json_values)
def test_bytes_are_read_as_utf_8(value: Any) -> None:
    assert loads(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused(constant: str) -> None:
    with pytest.raises(ValueError, match=f"{constant} is no JSON"):
        loads(f'{{"a": {constant}}}')


@pytest.mark.parametrize("digits", ["1e999", "-1e999", "9" * 5000, "-" + "9" * 5000])
def test_a_number_too_large_for_the_machine_is_kept_as_text(digits: str) -> None:
    assert loads(f"[{digits}]") == [digits]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\ud800"', "�"),
        (r'"\uDC00x"', "�x"),
        (r'"a\ud83d"', "a�"),
        (r'"\ude00\ud83d"', "��"),
        (r'"\ud83d\ude00"', "😀"),
        (r'{"\ud800": ["\ud800"]}', {"�": ["�"]}),
    ],
)
def test_half_a_surrogate_pair_becomes_a_replacement_character(text: str, value: Any) -> None:
    assert loads(text) == value


@pytest.mark.parametrize("bad", [b"\xff", b'"\xed\xa0\x80"', '"ä"'.encode("utf-16"), '"a"'.encode("utf-32")])
def test_bytes_that_are_not_utf_8_are_refused(bad: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        loads(bad)


@pytest.mark.parametrize("bad", ["", " ", "{", "[1,]", "{'a': 1}", "\ufeff{}", "{} {}", "undefined"])
def test_what_is_no_json_is_refused(bad: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        loads(bad)


def lists(levels: int) -> str:
    return "[" * levels + "]" * levels


def objects(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


@pytest.mark.parametrize("nested", [lists, objects])
def test_nesting_up_to_the_limit_is_read(nested: Callable[[int], str]) -> None:
    assert loads(nested(MAX_DEPTH)) == json.loads(nested(MAX_DEPTH))


@pytest.mark.parametrize("nested", [lists, objects])
@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 2000, 100_000])
def test_deeper_nesting_is_refused(nested: Callable[[int], str], levels: int) -> None:
    with pytest.raises(TooDeep, match="levels deep"):
        loads(nested(levels))


@pytest.mark.parametrize("nested", [lists, objects])
@pytest.mark.parametrize("levels", [MAX_DEPTH, 2000, 100_000])
def test_what_is_too_deep_can_be_had_without_its_depths(nested: Callable[[int], str], levels: int) -> None:
    with pytest.raises(TooDeep) as refused:
        loads(f'{{"a": "[{{", "b": {nested(levels)}, "c": "\\"]"}}')
    shallow = refused.value.shallow()
    assert (shallow["a"], shallow["c"]) == ("[{", '"]')
    assert json.dumps(shallow["b"]) == nested(MAX_DEPTH - 1).replace("[]", "[null]").replace(
        "1", "null"
    ).replace(":", ": ")


def test_what_is_too_deep_and_ends_in_the_middle_is_no_json() -> None:
    with pytest.raises(TooDeep) as refused:
        loads("[" * 100_000)
    with pytest.raises(ValueError, match="middle"):
        refused.value.shallow()


def test_many_objects_beside_each_other_are_not_deep() -> None:
    assert len(loads("[" + ",".join(["{}"] * 1000) + "]")) == 1000


@law
@given(st.text())
def test_nothing_but_a_value_error_comes_of_text(text: str) -> None:
    try:
        loads(text)
    except ValueError:
        return


@law
@given(json_values)
def test_what_was_read_can_be_written_again_in_utf_8(value: Any) -> None:
    text = json.dumps(value).replace("x", r"\ud800")
    try:
        found = loads(text)
    except ValueError:
        return
    json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
