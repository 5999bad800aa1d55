"""The public contract of a request, and what is said of its faults."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import times
from pipeline.requests import InvalidRequest, is_template_name, parse
from tests.builders import ANA, NINE, request
from tests.pipeline.laws import json_objects, json_values, law, oddities

# The complete event of the integration guide.
COMPLETE: dict[str, Any] = {
    "emailId": "optional-custom-id-123",
    "to": "recipient@example.com",
    "subject": "Optional subject override",
    "templateName": "welcome",
    "templateData": {
        "userName": "John Doe",
        "companyName": "Acme Corp",
        "ctaUrl": "https://example.com/dashboard",
    },
    "senderOverride": {"email": "custom@yourcompany.com", "name": "Custom Sender Name"},
    "replyTo": "support@yourcompany.com",
    "metadata": {"campaignId": "welcome-2024", "userId": "user-456", "source": "signup-form"},
}


def refusal(**fields: Any) -> str:
    """What is said of a request with these fields."""
    with pytest.raises(InvalidRequest) as raised:
        parse({"to": ANA, "templateName": "welcome"} | fields)
    return str(raised.value)


# ── What is accepted ──────────────────────────────────────────────────────────────────────────────────────


def test_the_complete_event_of_the_guide_is_accepted_whole() -> None:
    found = parse(COMPLETE)
    assert found.model_dump(by_alias=True, exclude_none=True) == COMPLETE
    assert found.unknown_fields == []


def test_every_field_of_the_guides_table_is_known() -> None:
    guide = (Path(__file__).parents[1] / "infra" / "guide.md").read_text(encoding="utf-8")
    table = guide[guide.index("### Field Reference") : guide.index("### Sender Override")]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == set(COMPLETE)


@pytest.mark.parametrize("optional", sorted(COMPLETE.keys() - {"to", "templateName"}))
def test_what_the_guide_calls_optional_may_be_missing(optional: str) -> None:
    parse({name: value for name, value in COMPLETE.items() if name != optional})


@pytest.mark.parametrize("required", ["to", "templateName"])
def test_what_the_guide_calls_required_is_asked_for(required: str) -> None:
    with pytest.raises(InvalidRequest, match=f"'{required}' is required"):
        parse({name: value for name, value in COMPLETE.items() if name != required})


def test_a_sender_without_name_as_the_guides_client_sends_it_is_accepted() -> None:
    found = parse(request(senderOverride={"email": "a@b.example", "name": None}))
    assert found.sender_override
    assert found.sender_override.name is None


@pytest.mark.parametrize("optional", ["emailId", "subject", "senderOverride", "replyTo"])
def test_null_for_an_optional_field_is_as_good_as_none(optional: str) -> None:
    given = request(emailId=None) | {optional: None}
    assert parse(given) == parse(request(emailId=None))


def test_what_is_left_out_is_empty() -> None:
    found = parse({"to": ANA, "templateName": "welcome"})
    assert (found.template_data, found.metadata, found.email_id, found.subject) == ({}, {}, None, None)


def test_addresses_are_canonical() -> None:
    found = parse(request(to="Ana@BÜCHER.example", replyTo="Eve@Customer.Example"))
    assert (found.to, found.reply_to) == ("Ana@xn--bcher-kva.example", "Eve@customer.example")


def test_unknown_fields_are_accepted_and_named() -> None:
    assert parse(request(zeta=1, alpha={"x": 1})).unknown_fields == ["alpha", "zeta"]


@pytest.mark.parametrize("email_id", ["x" * 190, "ü" * 95, "order/42 #é", "a"])
def test_an_email_id_may_be_any_text_of_at_most_190_bytes(email_id: str) -> None:
    assert parse(request(emailId=email_id)).email_id == email_id


@pytest.mark.parametrize(
    "name", ["welcome", "order-confirmation", "a.b_c-1", "1", "x" * 128, "newsletter-december"]
)
def test_a_template_name_is_that_of_a_folder(name: str) -> None:
    assert parse(request(templateName=name)).template_name == name


@law
@given(json_objects, json_objects)
def test_template_data_and_metadata_may_be_any_object(data: dict[str, Any], metadata: dict[str, Any]) -> None:
    found = parse(request(templateData=data, metadata=metadata))
    assert (found.template_data, found.metadata) == (data, metadata)


# ── What is refused, and in which words ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("to", None, "'to' must be a string, not null"),
        ("to", ["a@b.example"], "'to' must be a string, not a list"),
        ("to", {"email": ANA}, "'to' must be a string, not an object"),
        ("to", 7, "'to' must be a string, not a number"),
        ("to", 7.5, "'to' must be a string, not a number"),
        ("to", True, "'to' must be a string, not a boolean"),
        ("templateName", 7, "'templateName' must be a string, not a number"),
        ("templateData", [], "'templateData' must be an object, not a list"),
        ("templateData", "x", "'templateData' must be an object, not a string"),
        ("templateData", None, "'templateData' must be an object, not null"),
        ("metadata", [], "'metadata' must be an object, not a list"),
        ("metadata", "x", "'metadata' must be an object, not a string"),
        ("emailId", 42, "'emailId' must be a string, not a number"),
        ("subject", ["x"], "'subject' must be a string, not a list"),
        ("replyTo", False, "'replyTo' must be a string, not a boolean"),
        ("senderOverride", "a@b.example", "'senderOverride' must be an object, not a string"),
        ("senderOverride", [], "'senderOverride' must be an object, not a list"),
        ("senderOverride", {}, "'senderOverride.email' is required"),
        ("senderOverride", {"email": None}, "'senderOverride.email' must be a string, not null"),
        (
            "senderOverride",
            {"email": ANA, "name": 7},
            "'senderOverride.name' must be a string, not a number",
        ),
        ("emailId", "", "'emailId' must not be blank; leave it out to have one made"),
        ("emailId", " \t", "'emailId' must not be blank; leave it out to have one made"),
        ("emailId", "x" * 191, "'emailId' must have at most 190 bytes of UTF-8"),
        ("emailId", "ü" * 96, "'emailId' must have at most 190 bytes of UTF-8"),
    ],
)
def test_a_fault_is_said_with_field_problem_and_remedy(field: str, value: object, said: str) -> None:
    assert refusal(**{field: value}) == said


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", "-x", "x" * 129, "welcome\n", "wel come", "größe", "{{x}}"]
)
def test_a_template_name_that_leads_elsewhere_is_refused(name: str) -> None:
    wanted = "the name of a template folder (letters, digits, '.', '_', '-'; at most 128)"
    assert refusal(templateName=name) == f"'templateName' must be {wanted}"


@pytest.mark.parametrize("field", ["to", "replyTo"])
@pytest.mark.parametrize(
    "value",
    ["", "ana", "ana@", "@b.example", "ana@localhost", "a b@c.example", "Ana <ana@b.example>", "josé@b.example",
     "a@b.example,c@d.example", "a{b}@{c}.example", "a@b..example", "x" * 400 + "@b.example"],
)  # fmt: skip
def test_what_is_no_address_is_refused(field: str, value: str) -> None:
    said = refusal(**{field: value})
    assert said.startswith(f"'{field}' is not an e-mail address that mail can be sent to: ")


def test_a_senders_address_is_judged_as_well() -> None:
    said = refusal(senderOverride={"email": "nobody"})
    assert said.startswith("'senderOverride.email' is not an e-mail address that mail can be sent to: ")


BREAKS = ["\r", "\n", "\r\nBcc: all@customer.example", "\0"]


@pytest.mark.parametrize("broken", BREAKS)
@pytest.mark.parametrize("field", ["subject", "senderOverride.name"])
def test_a_header_text_is_one_line(field: str, broken: str) -> None:
    text = f"Hello{broken}"
    fields = {"subject": text} if field == "subject" else {"senderOverride": {"email": ANA, "name": text}}
    assert refusal(**fields) == f"'{field}' must be one line: remove line breaks and NUL characters"


@pytest.mark.parametrize("broken", BREAKS)
@pytest.mark.parametrize(
    "place", ["{}ana@b.example", "an{}a@b.example", "ana@b{}.example", "ana@b.example{}"]
)
@pytest.mark.parametrize("field", ["to", "replyTo", "senderOverride.email"])
def test_a_line_break_in_an_address_is_refused(field: str, place: str, broken: str) -> None:
    address = place.format(broken)
    fields = {"senderOverride": {"email": address}} if "." in field else {field: address}
    assert refusal(**fields).startswith(f"'{field}' is not an e-mail address")


def test_every_fault_is_said_at_once() -> None:
    found = refusal(
        to=["x"],
        templateName=None,
        templateData=[],
        emailId="",
        subject="a\nb",
        senderOverride={"email": "x", "name": 7},
        replyTo=7,
        metadata="x",
    )
    assert re.findall(r"(?:^|; )'([\w.]+)' ", found) == [
        "to",
        "templateName",
        "templateData",
        "emailId",
        "subject",
        "senderOverride.email",
        "senderOverride.name",
        "replyTo",
        "metadata",
    ]


# ── What the guide doesn't know yet ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("lane", ["transactional", "bulk", None])
def test_a_request_may_name_its_lane(lane: str | None) -> None:
    assert parse(request() | {"priority": lane}).priority == lane


@pytest.mark.parametrize("lane", ["urgent", "", "Bulk", 1, ["bulk"]])
def test_there_are_two_lanes(lane: object) -> None:
    assert refusal(priority=lane) == "'priority' must be 'transactional' or 'bulk'"


def test_an_expiry_is_brought_into_the_form_of_the_log() -> None:
    found = parse(request(expiresAt="2026-11-24T10:15:00+01:00"))
    assert found.expires_at == "2026-11-24T09:15:00.000Z"


@pytest.mark.parametrize("value", ["tomorrow", "", "0001-01-01T00:00:00+23:59"])
def test_an_expiry_is_a_time(value: str) -> None:
    assert refusal(expiresAt=value) == "'expiresAt' must be a time such as 2026-11-24T09:15:00Z"


@pytest.mark.parametrize(("minutes", "expired"), [(-1, False), (0, False), (1, True)])
def test_a_request_expires_after_its_time(minutes: int, expired: bool) -> None:
    now = times.parse(NINE) + timedelta(minutes=minutes)
    assert parse(request(expiresAt=NINE)).is_expired(now) is expired


def test_a_request_without_expiry_never_expires() -> None:
    assert not parse(request()).is_expired(times.parse("9999-01-01"))


def test_where_one_unsubscribes_is_a_url_an_address_or_both() -> None:
    both = {"url": "https://a.example/u/1", "mailto": "Leave@A.Example"}
    found = parse(request(unsubscribe=both)).unsubscribe
    assert found
    assert (found.url, found.mailto) == ("https://a.example/u/1", "Leave@a.example")


@pytest.mark.parametrize("broken", BREAKS)
@pytest.mark.parametrize("field", ["url", "mailto"])
def test_a_line_break_in_where_one_unsubscribes_is_refused(field: str, broken: str) -> None:
    said = refusal(unsubscribe={field: f"https://a.example/{broken}"})
    assert said.startswith(f"'unsubscribe.{field}' ")


def test_metadata_is_small() -> None:
    parse(request(metadata={"a": "x" * 8000}))
    assert refusal(metadata={"a": "x" * 8200}) == (
        "'metadata' has 8209 bytes as JSON; at most 8192 are kept with a mail"
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("TemplateName", "templateName"),
        ("template_data", "templateData"),
        ("reply-to", "replyTo"),
        ("TO", "to"),
    ],
)
def test_a_field_in_another_spelling_is_refused_and_not_passed_over(name: str, meant: str) -> None:
    assert refusal(**{name: "x"}) == f"'{name}' is not a field: write '{meant}'"


def test_a_senders_field_in_another_spelling_is_refused() -> None:
    assert refusal(senderOverride={"email": ANA, "Name": "x"}) == (
        "'senderOverride.Name' is not a field: write 'senderOverride.name'"
    )


@pytest.mark.parametrize("name", ["cc", "bcc", "BCC", "attachments"])
def test_what_the_engine_cannot_do_is_refused_and_not_passed_over(name: str) -> None:
    said = refusal(**{name: ["x"]})
    assert said.startswith(f"'{name}' is not supported: ")


def test_unknown_fields_are_noted_by_few_and_short_names() -> None:
    names = parse(request(**{f"{n:03d}" + "x" * 100: n for n in range(50)})).unknown_fields
    assert len(names) == 20
    assert {len(name) for name in names} == {64}


@law
@given(
    st.dictionaries(
        st.sampled_from([*COMPLETE, "priority", "unsubscribe", "expiresAt", "cc", "To"]),
        json_values | oddities,
    )
)
def test_whatever_is_asked_for_it_is_a_request_or_invalid(detail: dict[str, Any]) -> None:
    with suppress(InvalidRequest):
        parse(detail)


@law
@given(st.text())
def test_whatever_the_recipient_it_is_a_request_or_invalid(text: str) -> None:
    with suppress(InvalidRequest):
        parse(request(to=text))


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"cc": ["a@post.example"]}, "'cc' is not supported: one mail goes to one recipient"),
        ({"BCC": "a@post.example"}, "'BCC' is not supported: one mail goes to one recipient"),
        ({"attachments": []}, "'attachments' is not supported: put a link to the file into templateData"),
        ({"template_data": {}}, "'template_data' is not a field: write 'templateData'"),
        ({"reply-to": "a@post.example"}, "'reply-to' is not a field: write 'replyTo'"),
        ({"EmailID": "x"}, "'EmailID' is not a field: write 'emailId'"),
        ({"senderOverride": {"Email": "a@post.example"}}, "write 'senderOverride.email'"),
        ({"priority": "urgent"}, "'priority' must be 'transactional' or 'bulk'"),
        ({"expiresAt": "tomorrow"}, "'expiresAt' must be a time such as"),
        ({"metadata": {"note": "x" * 9000}}, "'metadata' has 9012 bytes as JSON; at most 8192"),
    ],
)
def test_what_would_be_passed_over_in_silence_is_refused_with_the_remedy(
    extra: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(said)):
        parse({"to": "a@post.example", "templateName": "welcome", **extra})


def test_other_unknown_fields_are_noted_and_shortened() -> None:
    request = parse({"to": "a@post.example", "templateName": "welcome", "colour": "red", "x" * 500: 1})
    assert request.unknown_fields == ["colour", "x" * 64]


def test_an_expiry_is_compared_as_time() -> None:
    request = parse(
        {"to": "a@post.example", "templateName": "welcome", "expiresAt": "2026-11-24T10:00:00+01:00"}
    )
    assert not request.is_expired(datetime(2026, 11, 24, 9, 0, tzinfo=UTC))
    assert request.is_expired(datetime(2026, 11, 24, 9, 1, tzinfo=UTC))


def test_of_a_thousand_faults_a_row_can_hold_as_many_are_said() -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse({"-" * number + "to": "ana@example.com" for number in range(1, 1001)})
    said = str(refused.value)
    assert len(said) < 4000
    assert said.endswith("and 982 more")


@pytest.mark.parametrize(("name", "is_one"), [("welcome", True), ("../welcome", False), ("welcome\n", False)])
def test_a_template_name_is_the_name_of_a_folder(name: str, is_one: bool) -> None:
    assert is_template_name(name) is is_one
