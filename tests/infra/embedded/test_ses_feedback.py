import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.embedded.ses.bounce_types import BOUNCES
from infra.embedded.ses.config import SesConfig
from infra.embedded.ses.event_types import EVENT_TYPES
from infra.embedded.ses.events import Occurrence, event
from infra.embedded.ses.feedback import Planned, plan
from infra.embedded.ses.mail import Mail
from tests.infra.embedded.ses_world import ACCOUNT, REGION, SET, Json, World, client, world

AT = datetime(2026, 11, 24, 9, 15, 2, 114_000, UTC)

MAIL_KEYS = {
    "timestamp",
    "messageId",
    "source",
    "sourceArn",
    "sendingAccountId",
    "destination",
    "headersTruncated",
    "tags",
}
HEADER_KEYS = {"headers", "commonHeaders"}
AUTOMATIC = {
    "ses:operation",
    "ses:configuration-set",
    "ses:source-ip",
    "ses:from-domain",
    "ses:caller-identity",
}

# The keys of the documented samples: of the event's own object, and of its recipients.
RECIPIENT = {"emailAddress", "action", "status", "diagnosticCode"}
SAMPLES = {
    "success": ("Delivery", "delivery", {"timestamp", "processingTimeMillis", "recipients", "smtpResponse", "reportingMTA", "remoteMtaIp"}),
    "bounce": ("Bounce", "bounce", {"bounceType", "bounceSubType", "timestamp", "feedbackId", "reportingMTA", "bouncedRecipients"}),
    "ooto": ("Bounce", "bounce", {"bounceType", "bounceSubType", "timestamp", "feedbackId", "bouncedRecipients"}),
    "complaint": ("Complaint", "complaint", {"timestamp", "feedbackId", "complaintSubType", "complainedRecipients", "userAgent", "complaintFeedbackType", "arrivalDate"}),
    "success+reject": ("Reject", "reject", {"reason"}),
    "success+open": ("Open", "open", {"timestamp", "ipAddress", "userAgent", "isBotEvent"}),
    "success+click": ("Click", "click", {"timestamp", "ipAddress", "userAgent", "link", "linkTags", "isBotEvent"}),
    "success+delay": ("DeliveryDelay", "deliveryDelay", {"timestamp", "delayType", "expirationTime", "reportingMTA", "delayedRecipients"}),
}  # fmt: skip


def mail(**more: Any) -> Mail:
    known: Json = {
        "time": AT,
        "account": ACCOUNT,
        "region": REGION,
        "source": "Acme <orders@mail.acme.example>",
    }
    return Mail(message_id="m-1", to=("Ana <ana@customer.example>",), subject="Your order", **known | more)


def occurrence(kind: str, of: Mail | None = None, **details: Any) -> Occurrence:
    it = of or mail()
    return Occurrence(it, it.recipients[0], kind, it.time + timedelta(seconds=1.396), details)


def sent(local: str = "success", tags: Mapping[str, str] | None = None, **config: Any) -> dict[str, Json]:
    """The events that a mail to the simulator brings, by type."""
    with world(**config) as it:
        it.send(f"{local}@simulator.amazonses.com", tags)
        return {event["eventType"]: event for event in it.events()}


@pytest.mark.parametrize("local", SAMPLES)
def test_an_event_has_the_keys_of_its_sample(local: str) -> None:
    kind, key, keys = SAMPLES[local]
    found = sent(local)[kind]
    assert found.keys() == {"eventType", "mail", key}
    assert found[key].keys() == keys


def test_the_mail_of_an_event_is_the_mail_that_was_sent() -> None:
    found = sent("success", {"emailId": "order-1"})["Send"]
    assert found["send"] == {}
    assert found["mail"].keys() == MAIL_KEYS | HEADER_KEYS
    assert found["mail"]["tags"].keys() == AUTOMATIC | {"emailId"}
    assert found["mail"]["tags"]["emailId"] == ["order-1"]
    assert found["mail"]["tags"]["ses:configuration-set"] == [SET]
    assert found["mail"]["tags"]["ses:from-domain"] == ["mail.acme.example"]
    assert found["mail"]["destination"] == ["success@simulator.amazonses.com"]
    assert found["mail"]["sourceArn"] == f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/mail.acme.example"


def test_the_message_id_of_an_event_is_the_one_that_the_call_returned() -> None:
    with world() as it:
        message_id = it.send()
        assert {event["mail"]["messageId"] for event in it.events()} == {message_id}


def test_common_headers_and_headers_say_what_the_sender_said() -> None:
    body = event(occurrence("Send", mail(reply_to=("help@acme.example",), headers=(("X-A", "1"),))))["mail"]
    assert body["commonHeaders"] == {
        "from": ["Acme <orders@mail.acme.example>"],
        "replyTo": ["help@acme.example"],
        "to": ["Ana <ana@customer.example>"],
        "messageId": "m-1",
        "subject": "Your order",
    }
    assert {"name": "Subject", "value": "Your order"} in body["headers"]
    assert {"name": "X-A", "value": "1"} in body["headers"]
    assert body["headersTruncated"] is False


def test_headers_above_10_kb_are_cut() -> None:
    headers = tuple((f"X-{number}", "v" * 900) for number in range(15))
    body = event(occurrence("Send", mail(headers=headers)))["mail"]
    assert body["headersTruncated"] is True
    assert sum(len(header["value"]) for header in body["headers"]) < 10 * 1024


def test_a_delay_comes_without_headers() -> None:
    assert event(occurrence("DeliveryDelay"))["mail"].keys() == MAIL_KEYS


def test_a_hard_bounce_says_what_the_server_said() -> None:
    (recipient,) = sent("bounce")["Bounce"]["bounce"]["bouncedRecipients"]
    assert recipient.keys() == RECIPIENT
    assert (recipient["status"], recipient["action"]) == ("5.1.1", "failed")


def test_an_out_of_office_reply_names_the_recipient_alone() -> None:
    bounce = sent("ooto")["Bounce"]["bounce"]
    assert bounce["bouncedRecipients"] == [{"emailAddress": "ooto@simulator.amazonses.com"}]


@pytest.mark.parametrize("sub_type", BOUNCES)
def test_each_sub_type_arrives_with_its_bounce_type(sub_type: str) -> None:
    bounce = sent(f"bounce+{sub_type}")["Bounce"]["bounce"]
    assert (bounce["bounceType"], bounce["bounceSubType"]) == BOUNCES[sub_type][:2]


def test_a_rendering_failure_has_a_space_in_its_name_and_failure_as_its_object() -> None:
    found = event(occurrence("Rendering Failure", templateName="t"))
    assert found["eventType"] == "Rendering Failure"
    assert found["failure"].keys() == {"templateName", "errorMessage"}


def test_a_subscription_has_the_keys_of_its_sample() -> None:
    keys = {"timestamp", "contactList", "source", "newTopicPreferences", "oldTopicPreferences"}
    assert event(occurrence("Subscription"))["subscription"].keys() == keys


def test_times_have_milliseconds_and_follow_from_the_mails_time() -> None:
    delivery = event(occurrence("Delivery"))
    assert delivery["mail"]["timestamp"] == "2026-11-24T09:15:02.114Z"
    assert delivery["delivery"]["timestamp"] == "2026-11-24T09:15:03.510Z"
    assert delivery["delivery"]["processingTimeMillis"] == 1396


def test_a_click_names_the_first_link_of_the_mail() -> None:
    assert sent("success+click")["Click"]["click"]["link"] == "https://acme.example/a?b=1&c=2"


def test_a_click_in_a_mail_without_links_still_names_one() -> None:
    assert event(occurrence("Click"))["click"]["link"].startswith("https://")


def test_each_recipient_has_its_own_feedback_and_the_mail_one_send() -> None:
    with world() as it:
        it.send(
            Destination={"ToAddresses": ["a@example.com"], "BccAddresses": ["bounce@simulator.amazonses.com"]}
        )
        assert Counter(event["eventType"] for event in it.events()) == {"Send": 1, "Delivery": 1, "Bounce": 1}


def test_only_the_types_that_a_destination_matches_are_published() -> None:
    with world() as it:
        change_destination(it, MatchingEventTypes=["BOUNCE"])
        it.send("bounce@simulator.amazonses.com")
        assert [event["eventType"] for event in it.events()] == ["Bounce"]


def test_a_disabled_destination_gets_nothing() -> None:
    with world() as it:
        change_destination(it, Enabled=False)
        it.send()
        assert (it.events(), it.ses.counters["published"]) == ([], 0)


def test_a_mail_without_configuration_set_makes_no_events() -> None:
    with world() as it:
        it.send(ConfigurationSetName="")
        assert it.events() == []


def test_an_event_bridge_destination_gets_the_envelope_on_the_default_bus() -> None:
    with world() as it:
        bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
        change_destination(it, SnsDestination=None, EventBridgeDestination={"EventBusArn": bus})
        target = {"Id": "q", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:feedback"}
        client("events").put_rule(Name="r", EventPattern=json.dumps({"source": ["aws.ses"]}))
        client("events").put_targets(Rule="r", Targets=[target])
        it.send()
        found = {envelope["detail-type"]: envelope for envelope in it.events()}
    assert found.keys() == {"Email Sent", "Email Delivered"}
    assert found["Email Sent"]["detail"]["eventType"] == "Send"
    assert found["Email Sent"]["resources"] == [f"arn:aws:ses:{REGION}:{ACCOUNT}:configuration-set/{SET}"]


def test_a_share_of_the_events_comes_twice_word_for_word() -> None:
    with world(duplicates=1.0) as it:
        it.send()
        seen = Counter(json.dumps(event, sort_keys=True) for event in it.events())
    assert list(seen.values()) == [2, 2]


def test_duplicates_are_the_same_events_at_every_run() -> None:
    def doubled() -> list[Planned]:
        config = SesConfig(duplicates=0.1, seed=4)
        mails = (mail(tags={"emailId": str(number)}) for number in range(300))
        return [item for it in mails for item in plan(it, config, lambda _: False)]

    first, again = doubled(), doubled()
    assert first == again
    assert len(first) / len({(id(item.occurrence)) for item in first}) == pytest.approx(1.1, abs=0.05)


def test_events_overtake_each_other() -> None:
    config = SesConfig(duplicates=0.0)
    mails = (mail(tags={"emailId": str(number)}) for number in range(50))
    first = {
        min(plan(it, config, lambda _: False), key=lambda item: item.wait).occurrence.kind for it in mails
    }
    assert first >= {"Send", "Delivery"}


def test_waits_are_short_and_scale() -> None:
    def longest(scale: float) -> float:
        return max(item.wait for item in plan(mail(), SesConfig(delay_scale=scale), lambda _: False))

    assert (0.01 < longest(1.0) < 1.0, longest(0.0)) == (True, 0.0)
    assert longest(2.0) == pytest.approx(2 * longest(1.0))


def test_more_can_be_reported_about_a_mail() -> None:
    with world() as it:
        it.send()
        it.events()
        it.ses.emit(it.ses.mails()[0], "Complaint", {"complaintFeedbackType": "abuse"})
        assert [event["eventType"] for event in it.events()] == ["Complaint"]


def test_what_cannot_be_published_is_counted_and_the_rest_goes_on() -> None:
    with world() as it:
        it.send()
        it.events()
        client("sns").delete_topic(TopicArn=it.topic)
        it.send()
        assert it.ses.settle(timeout=30)
        assert (it.ses.counters["published"], it.ses.counters["undeliverable"]) == (2, 2)


def test_every_type_of_event_can_be_built() -> None:
    assert all(event(occurrence(kind))["eventType"] == kind for kind in EVENT_TYPES)


def change_destination(it: World, **changes: Any) -> None:
    known = {
        "Enabled": True,
        "MatchingEventTypes": ["SEND", "DELIVERY"],
        "SnsDestination": {"TopicArn": it.topic},
    }
    wanted = {name: value for name, value in (known | changes).items() if value is not None}
    client("sesv2").update_configuration_set_event_destination(
        ConfigurationSetName=SET, EventDestinationName="to-sns", EventDestination=wanted
    )
