import re
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws

from infra.embedded.ses import Faults, SesConfig, install, uninstall
from infra.embedded.ses.errors import SesError
from tests.infra.embedded.ses_world import ACCOUNT, NOON, REGION, Json, World, client, simple, world


def content(**simple_content: Any) -> Json:
    body = {"Text": {"Data": "x"}}
    return {"Content": {"Simple": {"Subject": {"Data": "s"}, "Body": body} | simple_content}}


def tag(name: str, value: str = "v") -> Json:
    return {"EmailTags": [{"Name": name, "Value": value}]}


def header(name: str = "X-A", value: str = "v", times: int = 1) -> Json:
    return content(Headers=[{"Name": name, "Value": value}] * times)


def to(*addresses: str, **more: Any) -> Json:
    return {"Destination": {"ToAddresses": list(addresses)} | more}


REFUSED = {
    "tag name alphabet": tag("e mail"),
    "tag value alphabet": tag("emailId", "a=b"),
    "tag value non-ASCII": tag("emailId", "é"),
    "tag value length": tag("emailId", "a" * 257),
    "tag value empty": tag("emailId", ""),
    "sixteen headers": header(times=16),
    "header name colon": header(name="X:A"),
    "header name length": header(name="A" * 127),
    "header value length": header(value="a" * 996),
    "header name and value length": header(name="A" * 10, value="a" * 990),
    "header value line break": header(value="a\r\nBcc: eve@example.com"),
    "header value non-ASCII": header(value="é"),
    "subject line break": content(Subject={"Data": "a\nBcc: eve@example.com"}),
    "sender line break": {"FromEmailAddress": "Acme\r\nX: y <orders@acme.example>"},
    "no body": content(Body={}),
    "no content": {"Content": {}},
    "template content": {"Content": {"Template": {"TemplateName": "t"}}},
    "no recipients": to(),
    "51 recipients": to(*["a@example.com"] * 25, CcAddresses=["b@example.com"] * 26),
    "no domain": to("ana"),
    "empty domain": to("ana@"),
    "empty local part": to("@example.com"),
    "space in the local part": to("a b@example.com"),
    "non-ASCII local part": to("añil@example.com"),
    "non-ASCII domain": to("ana@exämple.com"),
    "dots": to("ana..b@example.com"),
    "domain dots": to("ana@example..com"),
    "domain character": to("ana@exam_ple.com"),
    "reply-to": {"ReplyToAddresses": ["nobody"]},
    "no sender": {"FromEmailAddress": ""},
    "non-ASCII display name": {"FromEmailAddress": "Añil <orders@acme.example>"},
    "41 MB": content(Body={"Text": {"Data": "x" * (31 * 1024 * 1024)}}),
    "broken raw": {"Content": {"Raw": {"Data": b""}}},
}

ACCEPTED = {
    "tag of 256 characters": tag("emailId", "a" * 256),
    "fifteen headers": header(times=15),
    "longest header": header(name="A" * 6, value="a" * 990),
    "50 recipients": to(*["a@example.com"] * 50),
    "blind copies only": {"Destination": {"BccAddresses": ["a@example.com"]}},
    "encoded display name": {"FromEmailAddress": "=?utf-8?q?A=C3=B1il?= <orders@acme.example>"},
    "quoted display name": to('"Doe, Ana" <ana@example.com>'),
    "non-ASCII subject": content(Subject={"Data": "Größe"}),
    "A-label domain": to("ana@xn--exmple-cua.com"),
}

RAW = b"""\
From: =?utf-8?q?A=C3=B1il?= <orders@acme.example>
To: Ana <ana@example.com>
Cc: bob@example.com
Bcc: eve@example.com
Reply-To: help@acme.example
Subject: =?utf-8?q?Gr=C3=B6=C3=9Fe?=
X-Campaign: spring
X-SES-CONFIGURATION-SET: engine
X-SES-MESSAGE-TAGS: emailId=order-1, retryAttempt=0
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain; charset=utf-8

plain
--b
Content-Type: text/html; charset=utf-8

<p>rich</p>
--b--
"""


def code(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_an_accepted_mail_is_kept_with_everything_that_was_said() -> None:
    with world() as it:
        message_id = it.send(
            "Ana <ana@example.com>",
            {"emailId": "order-1"},
            ReplyToAddresses=["help@acme.example"],
            **content(Headers=[{"Name": "X-Campaign", "Value": "spring"}], Body={"Html": {"Data": "<p>"}}),
        )
        (mail,) = it.ses.mails()
    assert mail.message_id == message_id
    assert (mail.source, mail.to) == ("Acme <orders@mail.acme.example>", ("Ana <ana@example.com>",))
    assert (mail.reply_to, mail.subject) == (("help@acme.example",), "s")
    assert (mail.html, mail.text) == ("<p>", None)
    assert (mail.headers, mail.tags) == ((("X-Campaign", "spring"),), {"emailId": "order-1"})
    assert (mail.configuration_set, mail.region) == ("engine", REGION)
    assert (mail.time.timestamp(), mail.email_id) == (NOON, "order-1")


def test_message_ids_have_the_form_of_ses_and_differ() -> None:
    with world() as it:
        ids = {it.send() for _ in range(20)}
    assert len(ids) == 20
    assert all(
        re.fullmatch(r"0100[0-9a-f]{12}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-000000", i) for i in ids
    )


@pytest.mark.parametrize("name", REFUSED)
def test_a_malformed_mail_is_a_bad_request(name: str) -> None:
    with world() as it:
        with pytest.raises(ClientError) as error:
            it.send(**REFUSED[name])
        assert code(error) == ("BadRequestException", 400)
        assert (it.ses.mails(), it.ses.counters["refused"]) == ((), 1)


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_mail_at_the_limits_is_accepted(name: str) -> None:
    with world() as it:
        it.send(**ACCEPTED[name])
        assert it.ses.counters["accepted"] == 1


def test_an_unknown_configuration_set_is_not_found() -> None:
    with world() as it:
        with pytest.raises(ClientError) as error:
            it.send(ConfigurationSetName="absent")
        assert code(error) == ("NotFoundException", 404)


def test_a_raw_mail_is_read() -> None:
    with world() as it:
        client("sesv2").send_email(Content={"Raw": {"Data": RAW}})
        (mail,) = it.ses.mails()
        kinds = {event["eventType"] for event in it.events()}
    assert mail.source == "=?utf-8?b?QcOxaWw=?= <orders@acme.example>"
    assert mail.recipients == ("ana@example.com", "bob@example.com", "eve@example.com")
    assert (mail.subject, mail.reply_to) == ("Größe", ("help@acme.example",))
    assert (mail.text, mail.html) == ("plain", "<p>rich</p>")
    assert mail.tags == {"emailId": "order-1", "retryAttempt": "0"}
    assert mail.configuration_set == "engine"
    assert ("X-Campaign", "spring") in mail.headers
    assert mail.raw == RAW
    assert kinds == {"Send", "Delivery"}


def test_the_request_of_a_raw_mail_has_the_last_word() -> None:
    with world() as it:
        it.send("zoe@example.com", {"emailId": "order-2"}, Content={"Raw": {"Data": RAW}})
        (mail,) = it.ses.mails()
    assert mail.recipients == ("zoe@example.com",)
    assert (mail.tags, mail.source) == ({"emailId": "order-2"}, "Acme <orders@mail.acme.example>")


@pytest.mark.parametrize(
    "sender", ["orders@acme.example", "Acme <any@mail.acme.example>", "Me@one.example", "me@ONE.example"]
)
def test_a_verified_identity_may_send(sender: str) -> None:
    with world(verified=("acme.example", "me@one.example")) as it:
        it.send(FromEmailAddress=sender)
        assert it.ses.counters["accepted"] == 1


@pytest.mark.parametrize("sender", ["orders@other.example", "you@one.example", "a@notacme.example"])
def test_an_unverified_identity_is_rejected(sender: str) -> None:
    with world(verified=("acme.example", "me@one.example")) as it:
        with pytest.raises(ClientError) as error:
            it.send(FromEmailAddress=sender)
        assert code(error) == ("MessageRejected", 400)
        assert error.value.response["Error"]["Message"] == (
            "Email address is not verified. The following identities failed the check in region "
            f"US-EAST-1: {sender}"
        )


def test_an_injected_throttle_takes_nothing() -> None:
    with world(faults=Faults(throttled=1.0)) as it:
        with pytest.raises(ClientError) as error:
            it.send()
        assert code(error) == ("ThrottlingException", 400)
        assert (it.ses.mails(), it.ses.counters["throttled"]) == ((), 1)


@pytest.mark.parametrize(("fault", "taken"), [("lost_before", 0), ("lost_after", 1)])
def test_a_lost_answer_leaves_open_whether_the_mail_was_taken(fault: str, taken: int) -> None:
    with world(faults=Faults(**{fault: 1.0})) as it:
        with pytest.raises(ReadTimeoutError):
            it.send()
        assert (len(it.ses.mails()), it.ses.counters["lost"]) == (taken, 1)


def test_faults_strike_a_share_of_the_calls_and_the_same_ones_again() -> None:
    def struck() -> list[bool]:
        with world(faults=Faults(throttled=0.3), seed=5) as it:
            return [_succeeds(it) for _ in range(60)]

    first = struck()
    assert struck() == first
    assert 5 < first.count(False) < 35


def _succeeds(it: World) -> bool:
    try:
        it.send()
    except ClientError:
        return False
    return True


def test_raw_data_that_is_not_base64_is_a_bad_request() -> None:
    with world() as it, pytest.raises(SesError, match="BadRequestException"):
        it.ses.send(simple() | {"Content": {"Raw": {"Data": "é"}}}, ACCOUNT, REGION)


def test_a_call_takes_the_configured_latency() -> None:
    slept: list[float] = []
    with mock_aws():
        ses = install(SesConfig(latency=0.25), sleep=slept.append)
        try:
            client("sesv2").send_email(**simple() | {"ConfigurationSetName": ""})
            client("sesv2").get_account()
            assert (slept, ses.counters["accepted"]) == ([0.25], 1)
        finally:
            uninstall()
