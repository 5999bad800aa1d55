"""What the events of SES say, in the engine's one vocabulary."""

from collections.abc import Mapping
from typing import Any

import pytest

from pipeline.codec import Event, Unreadable, decode
from pipeline.feedback import Feedback
from tests.builders import (
    ANA,
    MESSAGE_ID,
    NINE,
    ORDER,
    SES_EVENTS,
    at,
    feedback,
    mail,
    piped,
    recipient,
    ses_event,
    tags,
)


def event(kind: str, mail: Any = None, **fields: Any) -> Event:
    return decode(feedback(kind, mail, **fields).to_bytes())


def said(kind: str, mail: Any = None, **fields: Any) -> Feedback:
    body = event(kind, mail, **fields).body
    assert isinstance(body, Feedback)
    return body


def understood(content: dict[str, Any], detail_type: str = "SES Feedback") -> Feedback:
    body = decode(piped(content, detail_type=detail_type).to_bytes()).body
    assert isinstance(body, Feedback)
    return body


def without(content: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in names}


# ── Every kind ────────────────────────────────────────────────────────────────────────────────────────────

SAYS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "Send": (NINE, {}),
    "Delivery": (
        "2026-11-24T09:15:03.510Z",
        {"smtpResponse": "250 2.6.0 Message received", "processingTimeMillis": 1396},
    ),
    "Bounce": (
        "2026-11-24T09:15:03.902Z",
        {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "feedbackId": "0100019a1b2c45aa-2b1f0c11-1111-4d2e-8c77-0123456789ab-000000",
            "smtpStatus": "5.1.1",
            "diagnosticCode": "smtp; 550 5.1.1 user unknown",
        },
    ),
    "Complaint": ("2026-11-24T11:00:00.000Z", {"complaintFeedbackType": "abuse", "feedbackId": "fb-3"}),
    "Reject": (NINE, {"reason": "Bad content"}),
    "Open": ("2026-11-24T09:31:12.001Z", {"userAgent": "Mozilla/5.0", "machine": False}),
    "Click": (
        "2026-11-24T09:31:40.220Z",
        {
            "userAgent": "Mozilla/5.0",
            "machine": False,
            "link": "https://acme.example/orders/42",
            "linkTags": {"cta": ["track"]},
        },
    ),
    "Rendering Failure": (
        NINE,
        {
            "templateName": "order-shipped",
            "errorMessage": "Attribute 'name' is not present in the rendering data.",
        },
    ),
    "DeliveryDelay": (
        "2026-11-24T09:45:00.000Z",
        {"delayType": "TransientCommunicationFailure", "expirationTime": "2026-11-24T21:15:02.000Z"},
    ),
    "Subscription": ("2026-11-24T12:00:00.000Z", {"contactList": "acme"}),
}
every_kind = pytest.mark.parametrize("kind", SES_EVENTS)


def test_every_kind_that_ses_publishes_has_a_sample() -> None:
    assert set(SAYS) == set(SES_EVENTS)


@every_kind
def test_feedback_says_what_ses_said(kind: str) -> None:
    time, facts = SAYS[kind]
    assert said(kind) == Feedback(
        type=kind,
        message_id=MESSAGE_ID,
        mail_time=NINE,
        time=time,
        recipients=[ANA],
        email_id=ORDER,
        original_email_id=ORDER,
        retry_attempt=0,
        facts=facts,
    )


@every_kind
def test_the_event_has_the_time_and_the_name_of_what_happened(kind: str) -> None:
    found = event(kind)
    assert (found.time, found.kind) == (SAYS[kind][0], kind)


# ── Its name ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["Bounce", "Complaint", "Delivery"])
def test_identity_feedback_is_named_by_its_notification_type(kind: str) -> None:
    named = without(ses_event(kind), "eventType") | {"notificationType": kind}
    assert understood(named) == said(kind)


@pytest.mark.parametrize(
    ("detail_type", "kind"),
    [
        ("Email Sent", "Send"),
        ("Email Delivered", "Delivery"),
        ("Email Bounced", "Bounce"),
        ("Email Complaint Received", "Complaint"),
        ("Email Rejected", "Reject"),
        ("Email Opened", "Open"),
        ("Email Clicked", "Click"),
        ("Email Rendering Failed", "Rendering Failure"),
        ("Email Delivery Delayed", "DeliveryDelay"),
        ("Email Subscribed", "Subscription"),
    ],
)
def test_without_any_type_the_detail_type_names_it(detail_type: str, kind: str) -> None:
    assert understood(without(ses_event(kind), "eventType"), detail_type) == said(kind)


def test_the_event_type_comes_before_the_detail_type() -> None:
    assert understood(ses_event("Open"), "Email Bounced").type == "Open"


def test_a_type_nobody_knows_is_kept_under_its_own_name() -> None:
    found = understood({"eventType": "Levitation", "mail": mail(), "levitation": {"height": 3}})
    assert (found.type, found.facts, found.recipients) == ("Levitation", {}, [ANA])


def test_what_bears_no_name_at_all_is_kept_under_its_detail_type() -> None:
    assert understood({"mail": mail()}, "Email Levitated").type == "Email Levitated"


@pytest.mark.parametrize("kind", [7, {}, ["Bounce"], None, ""])
def test_a_type_that_is_no_text_names_nothing(kind: object) -> None:
    assert understood(ses_event("Bounce") | {"eventType": kind}, "Email Bounced") == said("Bounce")


# ── When it happened ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["Send", "Reject", "Rendering Failure"])
def test_what_ses_does_when_it_takes_the_mail_has_the_mails_time(kind: str) -> None:
    assert said(kind).time == NINE


@pytest.mark.parametrize("kind", ["Bounce", "Complaint", "Delivery", "Open", "Click"])
def test_what_comes_later_and_bears_no_time_happened_when_it_came(kind: str) -> None:
    assert said(kind, timestamp=None).time == at(1)


def test_times_are_brought_into_one_form() -> None:
    found = said("Open", mail={"timestamp": "2026-11-24T10:15:02+01:00"}, timestamp="2026-11-24T09:31:12Z")
    assert (found.mail_time, found.time) == ("2026-11-24T09:15:02.000Z", "2026-11-24T09:31:12.000Z")


# ── Whom it concerns ──────────────────────────────────────────────────────────────────────────────────────

BOB = "bob@customer.example"


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("Bounce", "bouncedRecipients"),
        ("Complaint", "complainedRecipients"),
        ("DeliveryDelay", "delayedRecipients"),
    ],
)
def test_all_the_recipients_it_names_are_concerned(kind: str, key: str) -> None:
    found = said(
        kind, {"destination": [ANA, BOB, "eve@customer.example"]}, **{key: [recipient(ANA), recipient(BOB)]}
    )
    assert found.recipients == [ANA, BOB]


def test_a_delivery_concerns_those_it_was_delivered_to() -> None:
    assert said("Delivery", {"destination": [ANA, BOB]}, recipients=[BOB]).recipients == [BOB]


@pytest.mark.parametrize("kind", ["Send", "Open", "Click", "Reject"])
def test_what_names_no_recipient_concerns_all_of_the_mails(kind: str) -> None:
    assert said(kind, {"destination": [ANA, BOB]}).recipients == [ANA, BOB]


def test_a_mail_without_destination_concerns_nobody() -> None:
    assert understood(ses_event("Send") | {"mail": without(mail(), "destination")}).recipients == []


def test_recipients_are_canonical() -> None:
    bounced = [recipient("Ana.B@BÜCHER.example")]
    assert said("Bounce", bouncedRecipients=bounced).recipients == ["Ana.B@xn--bcher-kva.example"]


@pytest.mark.parametrize(
    "shown", ["Ana <ana@customer.example>", '"B, Ana" <ana@customer.example>', f"<{ANA}>"]
)
def test_a_recipient_beside_a_display_name_is_the_address(shown: str) -> None:
    assert said("Bounce", bouncedRecipients=[recipient(shown)]).recipients == [ANA]


# ── Our tags ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_tags_of_a_retry_name_both_mails_and_the_attempt() -> None:
    found = said("Delivery", {"tags": tags("retry-1", original=ORDER, attempt=1)})
    assert (found.email_id, found.original_email_id, found.retry_attempt) == ("retry-1", ORDER, 1)


def test_an_id_in_any_script_comes_back_from_its_tag() -> None:
    assert (
        said("Open", {"tags": tags("bestellung-größe-注文/42 😀")}).email_id == "bestellung-größe-注文/42 😀"
    )


def test_without_the_originals_tag_a_mail_is_its_own_original() -> None:
    assert said("Open", {"tags": without(tags(), "originalEmailId")}).original_email_id == ORDER


@pytest.mark.parametrize(
    "given", [{}, None, {"ses:operation": ["SendEmail"]}, {"emailId": []}, {"emailId": None}]
)
def test_without_our_tags_feedback_is_about_no_mail_of_ours(given: object) -> None:
    found = said("Bounce", {"tags": given})
    assert (found.email_id, found.original_email_id, found.retry_attempt) == (None, None, 0)


def test_a_mail_object_without_tags_is_about_no_mail_of_ours() -> None:
    assert understood(ses_event("Bounce") | {"mail": without(mail(), "tags")}).email_id is None


@pytest.mark.parametrize(
    "tag",
    [
        "01JDEXAMPLE0000000000000000",
        "",
        "hello world",
        "b3JkZXItNDI=",
        "a",
        "/+/+",
        "größe",
        "_w",
        "\ud800",
        7,
        None,
    ],
)
def test_a_tag_that_somebody_else_wrote_is_none_of_ours(tag: object) -> None:
    found = said("Bounce", {"tags": {"emailId": [tag], "originalEmailId": [tag]}})
    assert (found.email_id, found.recipients) == (None, [ANA])


@pytest.mark.parametrize("attempt", ["", "first", "-1", "1.5", "1e3", "٣", "12345", "99999999999", 1, None])
def test_an_attempt_that_somebody_else_counts_is_0(attempt: object) -> None:
    assert said("Bounce", {"tags": tags() | {"retryAttempt": [attempt]}}).retry_attempt == 0


# ── What may be missing, new or wrong ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "optional"),
    [
        ("Bounce", "reportingMTA"),
        ("Bounce", "feedbackId"),
        ("Complaint", "userAgent"),
        ("Complaint", "complaintFeedbackType"),
        ("Complaint", "complaintSubType"),
        ("Complaint", "arrivalDate"),
        ("Delivery", "smtpResponse"),
        ("Delivery", "processingTimeMillis"),
        ("Open", "userAgent"),
        ("Open", "isBotEvent"),
        ("Click", "link"),
        ("Click", "linkTags"),
        ("Reject", "reason"),
        ("Rendering Failure", "errorMessage"),
        ("DeliveryDelay", "delayType"),
        ("Subscription", "contactList"),
    ],
)
def test_an_optional_field_may_be_missing(kind: str, optional: str) -> None:
    key, own = SES_EVENTS[kind]
    found = understood(ses_event(kind) | {key: without(own, optional)})
    assert found.facts == without(SAYS[kind][1], optional)


@every_kind
def test_a_kind_without_its_object_is_still_understood(kind: str) -> None:
    assert understood(without(ses_event(kind), SES_EVENTS[kind][0])).type == kind


@pytest.mark.parametrize("optional", ["headers", "commonHeaders", "source", "sourceArn", "sendingAccountId"])
def test_what_some_mail_objects_lack_may_be_missing(optional: str) -> None:
    assert understood(ses_event("Open") | {"mail": without(mail(), optional)}) == said("Open")


def test_a_bounced_recipient_needs_no_more_than_an_address() -> None:
    facts = said("Bounce", bouncedRecipients=[recipient()]).facts
    assert facts.keys().isdisjoint({"smtpStatus", "diagnosticCode"})


@pytest.mark.parametrize("name", ["bounceType", "bounceSubType"])
@pytest.mark.parametrize("value", [None, "", 7, {}])
def test_a_bounce_of_no_type_is_undetermined(name: str, value: object) -> None:
    assert said("Bounce", **{name: value}).facts[name] == "Undetermined"


@pytest.mark.parametrize(
    ("kind", "name"),
    [("Bounce", "bounceSubType"), ("Complaint", "complaintSubType"), ("Complaint", "complaintFeedbackType")],
)
def test_a_subtype_nobody_knows_is_kept(kind: str, name: str) -> None:
    assert said(kind, **{name: "BrandNew"}).facts[name] == "BrandNew"


@every_kind
def test_fields_nobody_knows_are_ignored(kind: str) -> None:
    new = {"brandNew": {"deep": [1]}}
    assert understood(ses_event(kind, mail=new, **new) | new) == said(kind)


@pytest.mark.parametrize(
    ("bot", "machine"),
    [("Likely", True), ("Unlikely", False), ("Perhaps", False), (None, False), (True, False)],
)
@pytest.mark.parametrize("kind", ["Open", "Click"])
def test_only_what_ses_calls_likely_is_a_machines(kind: str, bot: object, machine: bool) -> None:
    assert said(kind, isBotEvent=bot).facts["machine"] is machine


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Bounce", "feedbackId"),
        ("Complaint", "complaintFeedbackType"),
        ("Complaint", "complaintSubType"),
        ("Open", "userAgent"),
        ("Click", "link"),
        ("Reject", "reason"),
        ("DeliveryDelay", "delayType"),
    ],
)
@pytest.mark.parametrize("value", [7, True, ["x"], {"secret": "x"}])
def test_a_text_of_another_type_is_as_good_as_none(kind: str, name: str, value: object) -> None:
    assert name not in said(kind, **{name: value}).facts


def test_an_empty_list_for_the_kinds_object_is_as_good_as_none() -> None:
    assert understood(ses_event("Bounce") | {"bounce": []}).facts["bounceType"] == "Undetermined"


BROKEN: Mapping[str, dict[str, Any]] = {
    "no mail": {"mail": None},
    "a list for the mail": {"mail": []},
    "text for the mail": {"mail": "text"},
    "an empty mail": {"mail": {}},
    "a mail without id": {"mail": without(mail(), "messageId")},
    "null for the mail's id": {"mail": mail(messageId=None)},
    "a number for the mail's id": {"mail": mail(messageId=7)},
    "null for the mail's time": {"mail": mail(timestamp=None)},
    "garbage for the mail's time": {"mail": mail(timestamp="soon")},
    "a mail before all time": {"mail": mail(timestamp="0001-01-01T00:00:00+23:59")},
    "a number for the destination": {"mail": mail(destination=7), "bounce": {}},
    "null in the destination": {"mail": mail(destination=[None]), "bounce": {}},
    "a list for the tags": {"mail": mail(tags=["emailId"])},
    "text for the tags": {"mail": mail(tags="emailId")},
    "a list for the bounce": {"bounce": [1]},
    "text for the bounce": {"bounce": "Permanent"},
    "garbage for its time": {"bounce": {"timestamp": "soon"}},
    "an object for its time": {"bounce": {"timestamp": {"at": 1}}},
    "null for a recipient": {"bounce": {"bouncedRecipients": [None]}},
    "text for a recipient": {"bounce": {"bouncedRecipients": [ANA]}},
    "a recipient without address": {"bounce": {"bouncedRecipients": [{}]}},
    "null for an address": {"bounce": {"bouncedRecipients": [{"emailAddress": None}]}},
    "an object for the recipients": {"bounce": {"bouncedRecipients": {"emailAddress": ANA}}},
    "a number for the recipients": {"bounce": {"bouncedRecipients": 7}},
}


@pytest.mark.parametrize("broken", BROKEN)
def test_what_ses_would_never_send_is_unreadable(broken: str) -> None:
    with pytest.raises(Unreadable):
        understood(ses_event("Bounce") | BROKEN[broken])
