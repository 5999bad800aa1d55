from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.embedded.ses.bounce_types import BOUNCES, COMPLAINTS
from infra.embedded.ses.mail import Mail
from infra.embedded.ses.suppression_list import reason_of
from tests.infra.embedded.ses_world import SET, Json, World, client, world

ANA = "ana@customer.example"


def error_of(call: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**request)
    return error.value.response["Error"]["Code"]


def put(*addresses: str, reason: str = "BOUNCE") -> None:
    for address in addresses:
        client("sesv2").put_suppressed_destination(EmailAddress=address, Reason=reason)


def listed(**request: Any) -> list[str]:
    found = client("sesv2").list_suppressed_destinations(**request)["SuppressedDestinationSummaries"]
    return [entry["EmailAddress"] for entry in found]


def bounce_of(it: World, to: str) -> tuple[str, str]:
    it.send(to)
    (bounce,) = [event["bounce"] for event in it.events() if event["eventType"] == "Bounce"]
    return bounce["bounceType"], bounce["bounceSubType"]


def test_a_destination_that_was_put_is_found_and_listed() -> None:
    with world() as it:
        put("Ana+x@customer.example", reason="COMPLAINT")
        found = client("sesv2").get_suppressed_destination(EmailAddress="ana+x@customer.example")
        entry = found["SuppressedDestination"]
        assert (entry["EmailAddress"], entry["Reason"]) == ("Ana+x@customer.example", "COMPLAINT")
        assert entry["LastUpdateTime"].timestamp() == it.clock.now
        assert listed() == ["Ana+x@customer.example"]


def test_a_deleted_destination_is_gone_and_mailed_again() -> None:
    with world() as it:
        put("bob@example.com")
        client("sesv2").delete_suppressed_destination(EmailAddress="bob@example.com")
        it.send("bob@example.com")
        assert {event["eventType"] for event in it.events()} == {"Send", "Delivery"}
        assert listed() == []


@pytest.mark.parametrize("operation", ["get_suppressed_destination", "delete_suppressed_destination"])
def test_an_absent_destination_is_not_found(operation: str) -> None:
    with world():
        assert error_of(getattr(client("sesv2"), operation), EmailAddress=ANA) == "NotFoundException"


@pytest.mark.parametrize(
    "request_", [{"EmailAddress": ANA, "Reason": "BORED"}, {"EmailAddress": "ana", "Reason": "BOUNCE"}]
)
def test_a_malformed_destination_is_a_bad_request(request_: dict[str, Any]) -> None:
    with world():
        assert error_of(client("sesv2").put_suppressed_destination, **request_) == "BadRequestException"


def test_the_list_has_pages() -> None:
    with world():
        put("a@x.example", "b@x.example", "c@x.example")
        first = client("sesv2").list_suppressed_destinations(PageSize=2)
        assert len(first["SuppressedDestinationSummaries"]) == 2
        assert listed(PageSize=2, NextToken=first["NextToken"]) == ["c@x.example"]


def test_a_token_that_was_never_given_is_invalid() -> None:
    with world():
        call = client("sesv2").list_suppressed_destinations
        assert error_of(call, NextToken="soon") == "InvalidNextTokenException"


def test_the_list_is_narrowed_by_reason_and_time() -> None:
    with world() as it:
        put("a@x.example")
        it.clock.now += 3600
        put("b@x.example")
        put("c@x.example", reason="COMPLAINT")
        assert listed(Reasons=["COMPLAINT"]) == ["c@x.example"]
        since = it.ses.now() - timedelta(minutes=1)
        assert listed(StartDate=since) == ["b@x.example", "c@x.example"]
        assert listed(EndDate=since) == ["a@x.example"]


def test_a_mail_to_a_listed_address_bounces_from_the_list() -> None:
    with world() as it:
        put(ANA)
        assert bounce_of(it, "Ana <ANA@customer.example>") == ("Permanent", "OnAccountSuppressionList")


@pytest.mark.parametrize(
    ("kind", "details", "reason"),
    [
        ("Bounce", BOUNCES["General"].details(), "BOUNCE"),
        ("Complaint", {"complaintFeedbackType": "abuse"}, "COMPLAINT"),
    ],
)
def test_a_hard_bounce_or_complaint_puts_the_address_on_the_list(
    kind: str, details: Any, reason: str
) -> None:
    with world() as it:
        mail = _reported(it, ANA, kind, details)
        entry = client("sesv2").get_suppressed_destination(EmailAddress=ANA)["SuppressedDestination"]
        assert (entry["Reason"], entry["Attributes"]["MessageId"]) == (reason, mail.message_id)


def test_the_account_may_suppress_for_fewer_reasons() -> None:
    sesv2 = client("sesv2")
    with world() as it:
        sesv2.put_account_suppression_attributes(SuppressedReasons=["COMPLAINT"])
        _reported(it, ANA, "Bounce", BOUNCES["General"].details())
        assert (listed(), sesv2.get_account()["SuppressionAttributes"]["SuppressedReasons"]) == (
            [],
            ["COMPLAINT"],
        )


def test_a_configuration_set_may_overrule_the_account() -> None:
    with world() as it:
        client("sesv2").create_configuration_set(
            ConfigurationSetName="lenient", SuppressionOptions={"SuppressedReasons": []}
        )
        _reported(it, ANA, "Bounce", BOUNCES["General"].details(), ConfigurationSetName="lenient")
        assert listed() == []


def test_simulator_addresses_are_never_listed() -> None:
    with world() as it:
        it.send("bounce@simulator.amazonses.com")
        it.send("complaint@simulator.amazonses.com")
        it.events()
        assert listed() == []


@pytest.mark.parametrize("sub_type", BOUNCES)
def test_only_bounces_of_bad_addresses_suppress(sub_type: str) -> None:
    expected = "BOUNCE" if sub_type in {"General", "NoEmail"} else None
    assert reason_of("Bounce", ANA, BOUNCES[sub_type].details()) == expected


@pytest.mark.parametrize("kind", COMPLAINTS)
def test_all_complaints_suppress_except_not_spam(kind: str) -> None:
    expected = None if kind == "not-spam" else "COMPLAINT"
    assert reason_of("Complaint", ANA, {"complaintFeedbackType": kind}) == expected


def _reported(it: World, to: str, kind: str, details: Json, **request: Any) -> Mail:
    it.send(to, **{"ConfigurationSetName": SET} | request)
    (mail,) = it.ses.mails()
    it.ses.emit(mail, kind, details)
    it.events()
    return mail
