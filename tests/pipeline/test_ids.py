import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ids import EMAIL_ID_BYTES, content_id, derived_id, email_id_of, from_tag, retry_id, to_tag
from tests.pipeline.laws import json_objects, law

email_ids = st.text(max_size=EMAIL_ID_BYTES).filter(lambda text: len(text.encode()) <= EMAIL_ID_BYTES)


@law
@given(email_ids)
def test_an_id_fits_into_an_ses_tag_and_comes_back(email_id: str) -> None:
    tag = to_tag(email_id)
    assert re.fullmatch(r"[A-Za-z0-9_-]{0,256}", tag)
    assert from_tag(tag) == email_id


@pytest.mark.parametrize("character", ["x", "ü", "注", "😀"])
def test_the_longest_id_fits_into_an_ses_tag(character: str) -> None:
    longest = character * (EMAIL_ID_BYTES // len(character.encode()))
    assert len(to_tag(longest)) <= 256


@law
@given(email_ids, email_ids)
def test_two_ids_have_two_tags(one: str, other: str) -> None:
    assert (to_tag(one) == to_tag(other)) == (one == other)


@law
@given(st.text() | st.text("abcXYZ019_-+/="))
def test_a_tag_that_is_understood_is_the_one_that_is_written(tag: str) -> None:
    value = from_tag(tag)
    assert value is None or to_tag(value) == tag


@pytest.mark.parametrize(
    "foreign", ["a", "b3JkZXItNDI=", "=", "b3Jk ZXI", "++++", "_w", "größe", "b3JkZXItNDJ"]
)
def test_a_tag_that_somebody_else_wrote_has_no_value(foreign: str) -> None:
    assert from_tag(foreign) is None


# ── E-mail ids ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("own", ["order-42", "x" * 190, "ü" * 95, " a "])
def test_the_clients_id_is_taken(own: str) -> None:
    assert email_id_of("event-1", {"emailId": own}) == own


@pytest.mark.parametrize("unusable", [None, "", "  ", "\t\n", "x" * 191, "ü" * 96, 42, True, ["x"], {"a": 1}])
def test_an_unusable_id_gives_way_to_that_of_the_event(unusable: object) -> None:
    assert email_id_of("event-1", {"emailId": unusable}) == email_id_of("event-1", {})


def test_an_id_made_from_the_event_is_always_the_same() -> None:
    assert email_id_of("event-1", {}) == "email-79da312c-e8ca-5f19-b200-587e66488ae4"


def test_another_event_makes_another_id() -> None:
    assert email_id_of("event-1", {}) != email_id_of("event-2", {})


# ── Retries ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_retrys_id_is_always_the_same() -> None:
    assert retry_id("order-42", 1) == "retry-545684d1-708b-5612-8af2-103063eddaef"


@law
@given(email_ids, email_ids, st.integers(1, 5), st.integers(1, 5))
def test_each_attempt_at_each_mail_has_its_own_id(one: str, other: str, first: int, second: int) -> None:
    assert (retry_id(one, first) == retry_id(other, second)) == ((one, first) == (other, second))


@law
@given(email_ids)
def test_a_retrys_id_fits_into_an_ses_tag(original: str) -> None:
    assert len(to_tag(retry_id(original, 1))) <= 256


# ── Derived ids ───────────────────────────────────────────────────────────────────────────────────────────


@law
@given(st.lists(st.text(), max_size=3), st.lists(st.text(), max_size=3))
def test_derived_ids_differ_as_their_parts_do(one: list[str], other: list[str]) -> None:
    assert (derived_id(*one) == derived_id(*other)) == (one == other)


def test_parts_are_not_run_together() -> None:
    assert derived_id("ab", "c") != derived_id("a", "bc")


@law
@given(json_objects)
def test_the_order_of_fields_is_no_part_of_the_content(content: dict[str, Any]) -> None:
    assert content_id(dict(reversed(content.items()))) == content_id(content)


@law
@given(json_objects, json_objects)
def test_another_content_has_another_id(one: dict[str, Any], other: dict[str, Any]) -> None:
    if repr(one) != repr(other) and one != other:
        assert content_id(one) != content_id(other)


def test_a_content_id_is_always_the_same() -> None:
    assert content_id({"a": 1, "b": ["x", None]}) == "18c018603b12c4beed8593acb6ad65cd"
