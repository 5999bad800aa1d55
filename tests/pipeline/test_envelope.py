import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.envelope import Envelope
from tests.builders import NINE, envelope, ses_event
from tests.pipeline.laws import json_objects, law

WIRE = {"id": "1", "source": "s", "detail-type": "Email Request", "time": NINE, "detail": {"to": "a"}}


def read(**changes: Any) -> Envelope:
    return Envelope.model_validate(WIRE | changes)


@law
@given(st.text(min_size=1), st.text(), json_objects)
def test_an_envelope_survives_its_bytes(event_id: str, source: str, detail: dict[str, Any]) -> None:
    given = envelope(id=event_id, source=source, detail=detail)
    assert Envelope.model_validate(json.loads(given.to_bytes())) == given


def test_the_wire_form_is_eventbridges() -> None:
    assert set(json.loads(read().to_bytes())) == {
        "version",
        "id",
        "detail-type",
        "source",
        "account",
        "time",
        "region",
        "resources",
        "detail",
    }


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("2026-11-24T09:15:04Z", "2026-11-24T09:15:04.000Z"),
        ("2026-11-24T09:15:04.1239Z", "2026-11-24T09:15:04.123Z"),
        ("2026-11-24T10:15:04+01:00", "2026-11-24T09:15:04.000Z"),
        (1795511704, "2026-11-24T09:15:04.000Z"),
        (1795511704.5, "2026-11-24T09:15:04.500Z"),
    ],
)
def test_time_has_one_form(given: object, stored: str) -> None:
    assert read(time=given).time == stored


@pytest.mark.parametrize("garbage", ["", "yesterday", "2026-13-01", None, [], {}, 1e20, 10**400, -1e18])
def test_garbage_for_a_time_is_refused(garbage: object) -> None:
    with pytest.raises(ValidationError):
        read(time=garbage)


@pytest.mark.parametrize("missing", WIRE)
def test_what_every_envelope_has_is_required(missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        Envelope.model_validate({name: value for name, value in WIRE.items() if name != missing})


@pytest.mark.parametrize("field", ["id", "source", "detail-type"])
@pytest.mark.parametrize("value", [None, 7, ["x"], {"a": 1}, True])
def test_names_are_text(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        read(**{field: value})


def test_an_empty_id_is_none() -> None:
    with pytest.raises(ValidationError, match="id"):
        read(id="")


@pytest.mark.parametrize("detail", [None, 7, [], "", "[]", "7", '"text"', "no JSON", "{", '{"a": NaN}'])
def test_a_detail_is_an_object(detail: object) -> None:
    with pytest.raises(ValidationError, match="detail"):
        read(detail=detail)


def test_a_detail_that_is_text_is_read_as_json() -> None:
    assert read(detail='{"to": "a"}') == read()


def test_a_detail_that_is_text_bears_no_half_of_a_surrogate_pair() -> None:
    assert read(detail=r'{"to": "\ud800"}').detail == {"to": "�"}


def test_feedback_that_sns_has_wrapped_is_unwrapped() -> None:
    wrapped = {"Type": "Notification", "Message": json.dumps(ses_event("Open"))}
    assert read(source="aws.ses", detail=wrapped).detail == ses_event("Open")


def test_a_message_field_of_an_application_is_left_alone() -> None:
    detail = {"to": "a", "Message": "hello", "Type": "Notification"}
    assert read(detail=detail).detail == detail


def test_a_message_field_beside_the_mail_is_left_alone() -> None:
    detail = ses_event("Open") | {"Message": "{}"}
    assert read(source="aws.ses", detail=detail).detail == detail


def test_unknown_fields_of_an_envelope_are_ignored() -> None:
    assert read(**{"replay-name": "x", "new": {"a": 1}}) == read()
