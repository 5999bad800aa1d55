"""What the archive keeps of each record, and what must never get into it."""

import io
import json
from collections.abc import Mapping
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given

from consumers.parquet import encoded
from pipeline import times
from pipeline.archive import COLUMNS, SCHEMA_VERSION, UNREADABLE, row
from pipeline.envelope import Envelope
from tests.builders import (
    ANA,
    MESSAGE_ID,
    NINE,
    ORDER,
    SES_EVENTS,
    SHARD,
    envelope,
    facts,
    feedback,
    mail_failed,
    mail_sent,
    recipient,
    record,
    request,
    requested,
    tags,
    wire,
)
from tests.pipeline.laws import law
from tests.pipeline.test_codec import NO_EVENTS, anything

SECRET = "s3cr3t"


def kept(content: Envelope | bytes) -> dict[str, Any]:
    return row(record(content))


def rest(content: Envelope | bytes) -> Any:
    return json.loads(kept(content).get("rest") or "{}")


def stored(fact_or_event: Any) -> Envelope:
    return fact_or_event if isinstance(fact_or_event, Envelope) else fact_or_event.envelope("id-1", NINE)


EVERYTHING: Mapping[str, Envelope] = {
    "request": requested(),
    **{fact.detail_type: stored(fact) for fact in facts()},
    **{kind: feedback(kind) for kind in SES_EVENTS},
    "other": envelope("Order Shipped", {"to": ANA}),
}

# ── Columns ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_columns_are_these() -> None:
    assert SCHEMA_VERSION == 2
    assert dict(COLUMNS) == {
        "event_id": "string",
        "kind": "string",
        "time": "timestamp",
        "arrival": "timestamp",
        "shard": "string",
        "sequence": "string",
        "email_id": "string",
        "original_email_id": "string",
        "attempt": "int32",
        "recipient_key": "string",
        "domain": "string",
        "source": "string",
        "template": "string",
        "subject": "string",
        "ses_message_id": "string",
        "mail_time": "timestamp",
        "bounce_type": "string",
        "bounce_sub_type": "string",
        "complaint_type": "string",
        "link": "string",
        "agent_class": "string",
        "machine": "bool",
        "error_code": "string",
        "metadata": "string",
        "rest": "string",
    }


def in_parquet(*rows: Mapping[str, Any]) -> list[dict[str, Any]]:
    table = pq.read_table(io.BytesIO(encoded(rows, {})))
    found: list[dict[str, Any]] = table.to_pylist()
    return found


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_kind_of_event_fits_into_the_columns(name: str) -> None:
    given = kept(EVERYTHING[name])
    (found,) = in_parquet(given)
    assert {column: value for column, value in found.items() if value is not None} == {
        column: value for column, value in given.items() if value is not None
    }


@law
@given(anything)
def test_whatever_the_bytes_the_row_fits_into_the_columns(data: bytes) -> None:
    assert len(in_parquet(row(record(data)))) == 1


@pytest.mark.parametrize("content", [*EVERYTHING.values(), b"\xff"], ids=[*EVERYTHING, "no event"])
def test_every_row_says_what_it_is_when_it_came_and_where_it_lies(content: Envelope | bytes) -> None:
    given = record(content, sequence=49680511073380382946848553188939313722915917137012850690)
    found = row(given)
    assert found["event_id"]
    assert found["kind"]
    assert found["time"].tzinfo
    assert (found["arrival"], found["shard"]) == (given.arrival, SHARD)
    assert found["sequence"] == "000049680511073380382946848553188939313722915917137012850690"


# ── Each kind ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_says_who_asked_for_which_mail() -> None:
    found = kept(requested(request(metadata={"campaignId": "x"}), id="event-7", source="shop"))
    place = {"arrival", "shard", "sequence"}
    assert {name: value for name, value in found.items() if name not in place} == {
        "event_id": "event-7",
        "kind": "Email Request",
        "time": times.parse(NINE),
        "email_id": ORDER,
        "original_email_id": ORDER,
        "attempt": 0,
        "recipient_key": ANA,
        "domain": "customer.example",
        "source": "shop",
        "template": "welcome",
        "metadata": '{"campaignId":"x"}',
    }


@pytest.mark.parametrize("to", [None, 7, ["a@b.example"], {"email": ANA}])
def test_a_request_to_nobody_has_no_recipient(to: object) -> None:
    assert "recipient_key" not in kept(requested({"to": to}))


def test_a_request_to_what_is_no_address_has_no_domain() -> None:
    found = kept(requested({"to": "Ana"}))
    assert (found["recipient_key"], found["domain"]) == ("ana", "")


def test_a_sent_mail_says_what_was_sent_to_whom() -> None:
    found = kept(stored(mail_sent()))
    assert (
        found
        | {
            "email_id": ORDER,
            "original_email_id": ORDER,
            "attempt": 0,
            "recipient_key": ANA,
            "domain": "customer.example",
            "source": "my.application",
            "template": "welcome",
            "subject": "Welcome, Ana",
            "metadata": '{"campaignId":"welcome-2026"}',
            "ses_message_id": MESSAGE_ID,
            "error_code": None,
        }
        == found
    )


def test_a_failed_mail_says_why() -> None:
    fact = stored(mail_failed())
    assert kept(fact)["error_code"] == "TEMPLATE_NOT_FOUND"
    assert rest(fact)["errorMessage"] == "there is no template 'welcome'"


def test_a_mail_that_failed_without_recipient_has_a_row() -> None:
    assert "recipient_key" not in kept(stored(mail_failed(to_email=None)))


def test_a_duplicate_names_the_event_that_came_first() -> None:
    assert rest(EVERYTHING["Mail Duplicate"])["firstEventId"] == "event-1"


def test_a_due_retry_points_to_its_request() -> None:
    assert rest(EVERYTHING["Send Due"])["place"] == {"shard": SHARD, "sequence": "1".zfill(60)}


@pytest.mark.parametrize("kind", ["Address Suppressed", "Address Released"])
def test_what_an_operator_did_to_an_address_has_its_recipient_and_reason(kind: str) -> None:
    assert kept(EVERYTHING[kind])["recipient_key"] == ANA
    assert rest(EVERYTHING[kind])["reason"] == "asked by phone"


@pytest.mark.parametrize(
    ("kind", "reason"), [("Sending Paused", "a wrong price"), ("Sending Resumed", "the price is right")]
)
def test_a_pause_says_what_it_is_about_and_why(kind: str, reason: str) -> None:
    found = kept(EVERYTHING[kind])
    assert (found["source"], found["template"]) == ("my.application", "newsletter")
    assert json.loads(found["metadata"]) == {"campaignId": "spring"}
    assert rest(EVERYTHING[kind])["reason"] == reason


def test_a_parked_record_says_who_parked_it_and_why() -> None:
    found = rest(EVERYTHING["Record Parked"])
    assert (found["consumer"], found["error"], found["attempts"]) == ("projector", "ValueError: no", 3)


def test_a_bounce_says_of_which_mail_and_what_kind() -> None:
    found = kept(feedback("Bounce", {"tags": tags("retry-1", ORDER, 1)}))
    assert (
        found
        | {
            "kind": "Bounce",
            "email_id": "retry-1",
            "original_email_id": ORDER,
            "attempt": 1,
            "recipient_key": ANA,
            "domain": "customer.example",
            "ses_message_id": MESSAGE_ID,
            "mail_time": times.parse(NINE),
            "bounce_type": "Permanent",
            "bounce_sub_type": "General",
        }
        == found
    )


def test_a_complaint_says_what_kind() -> None:
    assert kept(feedback("Complaint"))["complaint_type"] == "abuse"


def test_feedback_about_several_recipients_names_them_all() -> None:
    bounced = [recipient(ANA), recipient("bob@customer.example")]
    assert rest(feedback("Bounce", bouncedRecipients=bounced))["recipients"] == [ANA, "bob@customer.example"]


def test_feedback_about_nobodys_mail_has_a_row() -> None:
    found = kept(feedback("Bounce", {"tags": {}, "destination": []}, bouncedRecipients=[]))
    assert found["email_id"] is None
    assert "recipient_key" not in found


def test_recipients_are_keyed_as_they_are_suppressed() -> None:
    found = kept(requested(request(to="Ana.B@BÜCHER.example")))
    assert (found["recipient_key"], found["domain"]) == (
        "ana.b@xn--bcher-kva.example",
        "xn--bcher-kva.example",
    )


@pytest.mark.parametrize(
    ("agent", "named"),
    [
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) (via ggpht.com GoogleImageProxy)", "gmail proxy"),
        ("YahooMailProxy; https://help.yahoo.com", "yahoo proxy"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0)", "mobile"),
        ("Mozilla/5.0 (Linux; Android 16)", "mobile"),
        ("Microsoft Outlook 16.0", "desktop client"),
        ("Mozilla/5.0 Thunderbird/140.0", "desktop client"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "browser"),
        ("curl/8", "other"),
        ("", "other"),
        (None, None),
    ],
)
def test_a_user_agent_is_kept_as_its_class(agent: str | None, named: str | None) -> None:
    assert kept(feedback("Open", userAgent=agent))["agent_class"] == named


@pytest.mark.parametrize(
    ("link", "archived"),
    [
        ("https://acme.example/orders/42?token=x#y", "https://acme.example/orders/42"),
        ("https://acme.example:8443/a", "https://acme.example:8443/a"),
        ("https://ana:pass@acme.example/a", "https://acme.example/a"),
        ("https://acme.example?x", "https://acme.example"),
        ("/orders?x", "/orders"),
        ("mailto:ana@customer.example?subject=x", "mailto:ana@customer.example"),
        ("http://[bad", None),
        (None, None),
    ],
)
def test_a_link_is_kept_without_query_fragment_and_credentials(
    link: str | None, archived: str | None
) -> None:
    assert kept(feedback("Click", link=link))["link"] == archived


def test_an_event_of_no_kind_of_ours_is_kept_as_its_name() -> None:
    found = kept(envelope("Order Shipped", {"to": ANA, "secret": SECRET}))
    assert found.keys() == {"event_id", "kind", "time", "arrival", "shard", "sequence"}


# ── What is no event ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("data", NO_EVENTS.values(), ids=NO_EVENTS)
def test_what_is_no_event_is_kept_as_digest_size_and_error(data: bytes) -> None:
    found = kept(data)
    assert (found["kind"], found["time"]) == (UNREADABLE, found["arrival"])
    assert rest(data).keys() == {"digest", "size", "error"}
    assert rest(data)["size"] == len(data)


def test_the_same_bytes_have_the_same_digest_and_others_another() -> None:
    assert rest(b"[1]")["digest"] == rest(b"[1]")["digest"] != rest(b"[2]")["digest"]


def test_the_digest_is_the_sha_256_of_the_bytes() -> None:
    assert rest(b"")["digest"] == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


# ── What must not get in ──────────────────────────────────────────────────────────────────────────────────

BROKEN = json.loads(requested(request(templateData={"x": SECRET})).to_bytes())
LEAKS: Mapping[str, Envelope | bytes] = {
    "template data": requested(request(templateData={"password": SECRET})),
    "a nested template value": requested(request(templateData={"a": [{"b": SECRET}]})),
    "template data of another type": requested({"to": ANA, "templateData": SECRET}),
    "a template name of another type": requested({"to": ANA, "templateName": {"x": SECRET}}),
    "metadata of another type": requested({"to": ANA, "metadata": [SECRET]}),
    "a subject asked for": requested(request(subject=SECRET)),
    "a sender's name": requested(request(senderOverride={"email": "a@b.example", "name": SECRET})),
    "where replies go": requested(request(replyTo=f"{SECRET}@b.example")),
    "where one unsubscribes": requested(request(unsubscribe={"url": f"https://a.example/{SECRET}"})),
    "an unknown field of a request": requested(request(cardNumber=SECRET)),
    "an unknown field of an envelope": wire(json.loads(requested().to_bytes()) | {"note": SECRET}),
    "an unknown field of a fact": envelope(
        "Mail Sent", stored(mail_sent()).detail | {"body": SECRET}, source="sesmailengine"
    ),
    "an unknown field of a place": envelope(
        "Mail Sent",
        stored(mail_sent()).detail | {"place": {"shard": "s", "sequence": "1", "note": SECRET}},
        source="sesmailengine",
    ),
    "a header": feedback("Send", {"headers": [{"name": "X-Token", "value": SECRET}]}),
    "a common header": feedback("Send", {"commonHeaders": {"subject": SECRET, "from": [SECRET]}}),
    "the sender of a mail": feedback("Send", {"source": SECRET, "sourceArn": SECRET}),
    "the caller's address": feedback("Send", {"tags": tags() | {"ses:source-ip": [SECRET]}}),
    "a foreign tag": feedback("Send", {"tags": tags() | {"customer": [SECRET]}}),
    "a foreign tag under our name": feedback("Send", {"tags": {"emailId": [SECRET + "!"]}}),
    "an unknown field of the mail": feedback("Send", {"note": SECRET}),
    "an unknown field of feedback": feedback("Bounce", note=SECRET),
    "the reader's address": feedback("Open", ipAddress=SECRET),
    "the reader's user agent": feedback("Open", userAgent=f"Mozilla/5.0 {SECRET}"),
    "the complainer's user agent": feedback("Complaint", userAgent=SECRET),
    "the clicker's address": feedback("Click", ipAddress=SECRET),
    "the query of a link": feedback("Click", link=f"https://acme.example/a?token={SECRET}"),
    "the fragment of a link": feedback("Click", link=f"https://acme.example/a#{SECRET}"),
    "the credentials of a link": feedback("Click", link=f"https://ana:{SECRET}@acme.example/a"),
    "the tags of a link": feedback("Click", linkTags={"to": [SECRET]}),
    "the receiving server": feedback("Delivery", remoteMtaIp=SECRET, reportingMTA=SECRET),
    "the receiving server's answer": feedback("Delivery", smtpResponse=SECRET),
    "an object for a feedback id": feedback("Bounce", feedbackId={"x": SECRET}),
    "an object for a bounce type": feedback("Bounce", bounceType={"x": SECRET}),
    "an object for a status": feedback("Bounce", bouncedRecipients=[recipient(status={"x": SECRET})]),
    "an object for a delay": feedback("DeliveryDelay", delayType={"x": SECRET}),
    "a subscription": feedback("Subscription", newTopicPreferences={"x": SECRET}, contactList=SECRET),
    "any other event": envelope("Order Shipped", {"secret": SECRET}),
    "a truncated request": wire(BROKEN)[:-1],
    "a request without id": wire({name: value for name, value in BROKEN.items() if name != "id"}),
    "garbage for a time": wire(BROKEN | {"time": SECRET}),
    "text for a detail": wire(BROKEN | {"detail": SECRET}),
    "a list for a source": wire(BROKEN | {"source": [SECRET]}),
    "garbage for a time of feedback": feedback("Open", timestamp=SECRET),
    "garbage for an attempt": envelope(
        "Mail Sent", stored(mail_sent()).detail | {"retryAttempt": SECRET}, source="sesmailengine"
    ),
    "garbage for a version": envelope(
        "Mail Sent", stored(mail_sent()).detail | {"schemaVersion": SECRET}, source="sesmailengine"
    ),
    "plain bytes": SECRET.encode(),
}


@pytest.mark.parametrize("where", LEAKS)
def test_the_archive_does_not_learn(where: str) -> None:
    given = record(LEAKS[where])
    assert SECRET.encode() in given.data
    assert SECRET not in repr(row(given))
