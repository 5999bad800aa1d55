"""What SES answers, and what it means for the mail."""

import math
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.stub import Stubber

from consumers.bootstrap import CALL_ONCE
from consumers.mail import Ambiguous, Mail, Refusal, Throttled, UnknownRefusal
from consumers.ses import SesMailer, send_rate
from pipeline.errors import Misconfigured, Unavailable, Unprocessable
from pipeline.logs import brief

MAIL = Mail(
    to="ana@customer.example",
    sender="Acme <hello@acme.example>",
    subject="Welcome, Ana",
    html="<p>Hi</p>",
    text="Hi",
    reply_to="help@acme.example",
    tags={"emailId": "b3JkZXI", "retryAttempt": "0"},
)
URL = "https://email.us-east-1.amazonaws.com/"


def client(endpoint: str | None = None) -> Any:
    return boto3.client(
        "sesv2",
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=CALL_ONCE,
    )


@pytest.fixture(scope="module")
def ses() -> Any:
    return client()


def answered(ses: Any, code: str, status: int, message: str = "because") -> Exception:
    """What sending raises when SES answers with this error."""
    with Stubber(ses) as stubber:
        stubber.add_client_error("send_email", code, message, status)
        with pytest.raises(Exception) as raised:  # noqa: PT011  which one is what the tests are about
            SesMailer(ses, "engine").send(MAIL)
    return raised.value


# ── Errors of SES ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("TooManyRequestsException", 429, Throttled),
        ("ThrottlingException", 400, Throttled),
        ("Throttling", 400, Throttled),
        ("LimitExceededException", 400, Misconfigured),
        ("SendingPausedException", 400, Misconfigured),
        ("AccountSuspendedException", 400, Misconfigured),
        ("MailFromDomainNotVerifiedException", 400, Misconfigured),
        ("NotFoundException", 404, Misconfigured),
        ("AccessDeniedException", 403, Misconfigured),
        ("AccessDenied", 403, Misconfigured),
        ("ExpiredTokenException", 403, Misconfigured),
        ("InvalidClientTokenId", 403, Misconfigured),
        ("UnrecognizedClientException", 403, Misconfigured),
        ("SignatureDoesNotMatch", 403, Misconfigured),
        ("RequestExpired", 400, Misconfigured),
        ("MessageRejected", 400, Refusal),
        ("BadRequestException", 400, Refusal),
        ("InternalFailure", 500, Ambiguous),
        ("InternalServiceErrorException", 500, Ambiguous),
        ("ServiceUnavailable", 503, Ambiguous),
        ("RequestTimeout", 408, Ambiguous),
        ("504", 504, Ambiguous),
        ("ValidationError", 400, UnknownRefusal),
        ("SomethingNewException", 400, UnknownRefusal),
        ("SomethingNewException", 500, Ambiguous),
    ],
)
def test_each_error_means_something_for_the_mail(
    ses: Any, code: str, status: int, expected: type[Exception]
) -> None:
    assert type(answered(ses, code, status)) is expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Maximum sending rate exceeded.", Throttled),
        ("anything else", Throttled),
        ("Daily message quota exceeded.", Unavailable),  # going slower is no help
    ],
)
def test_throttling_of_any_kind_is_waited_for(ses: Any, message: str, expected: type[Exception]) -> None:
    assert type(answered(ses, "ThrottlingException", 400, message)) is expected


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        ("ThrottlingException", "Maximum sending rate exceeded.", "SES: ThrottlingException"),
        ("ThrottlingException", "Daily message quota exceeded.", "SES: daily quota reached"),
        ("SendingPausedException", "Sending is paused for your account.", "SES: SendingPausedException"),
    ],
)
def test_what_is_waited_for_can_be_told_from_its_brief_form(
    ses: Any, code: str, message: str, reason: str
) -> None:
    assert brief(answered(ses, code, 400, message)) == reason


def test_a_refusal_has_a_stable_code_and_the_words_of_ses(ses: Any) -> None:
    refusal = answered(ses, "MessageRejected", 400, "Email address is not verified.")
    assert isinstance(refusal, Refusal)
    assert refusal.code == "SES_REFUSED"
    assert "MessageRejected" in refusal.sentence
    assert "Email address is not verified." in refusal.sentence


# ── Errors on the way ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EndpointConnectionError(endpoint_url=URL), Unavailable),
        (ConnectTimeoutError(endpoint_url=URL), Unavailable),
        (ProxyConnectionError(proxy_url=URL), Unavailable),
        (CredentialRetrievalError(provider="container", error_msg="no answer"), Unavailable),
        (NoCredentialsError(), Misconfigured),
        (PartialCredentialsError(provider="env", cred_var="key"), Misconfigured),
        (NoRegionError(), Misconfigured),
        (ReadTimeoutError(endpoint_url=URL), Ambiguous),
        (ConnectionClosedError(endpoint_url=URL), Ambiguous),
        (ResponseStreamingError(error="reset by peer"), Ambiguous),
    ],
)
def test_what_was_lost_on_the_way_is_ambiguous_once_it_may_have_arrived(
    error: Exception, expected: type[Exception]
) -> None:
    ses = client()

    def lose(**_: object) -> None:
        raise error

    ses.meta.events.register("before-send.sesv2.SendEmail", lose)
    with pytest.raises(expected) as raised:
        SesMailer(ses, "engine").send(MAIL)
    assert type(raised.value) is expected


def test_what_the_sdk_refuses_never_reaches_ses_and_is_not_understood(ses: Any) -> None:
    with pytest.raises(Unprocessable):
        SesMailer(ses, "engine").send(replace(MAIL, to=7))  # type: ignore[arg-type]


@pytest.fixture
def serving() -> Iterator[Callable[[bytes], str]]:
    """A server that reads a request and answers with some bytes, or with none: its address."""
    servers: list[socketserver.TCPServer] = []

    def serve(answer: bytes) -> str:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                length = 0
                while (line := self.rfile.readline().strip()) != b"":
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                self.rfile.read(length)
                self.wfile.write(answer)

        server = socketserver.TCPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=[0.01]).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_connection_that_was_never_made_took_nothing() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as closed:
        port = closed.server_address[1]
    with pytest.raises(Unavailable):
        SesMailer(client(f"http://127.0.0.1:{port}"), "engine").send(MAIL)


def test_a_connection_closed_without_an_answer_is_ambiguous(serving: Callable[[bytes], str]) -> None:
    with pytest.raises(Ambiguous):
        SesMailer(client(serving(b"")), "engine").send(MAIL)


def test_half_an_answer_is_ambiguous(serving: Callable[[bytes], str]) -> None:
    with pytest.raises(Ambiguous):
        SesMailer(client(serving(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{")), "engine").send(MAIL)


def test_an_answer_of_something_else_than_ses_is_ambiguous(serving: Callable[[bytes], str]) -> None:
    with pytest.raises(Ambiguous):
        SesMailer(client(serving(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")), "engine").send(
            MAIL
        )


def test_ses_is_called_once_whatever_it_answers(serving: Callable[[bytes], str]) -> None:
    ses = client(serving(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"))
    calls: list[object] = []
    ses.meta.events.register("before-send.sesv2.SendEmail", lambda request, **_: calls.append(request))
    with pytest.raises(Ambiguous):
        SesMailer(ses, "engine").send(MAIL)
    assert len(calls) == 1


# ── What SES is asked ─────────────────────────────────────────────────────────────────────────────────────


def asked(ses: Any, mail: Mail) -> dict[str, Any]:
    """The parameters with which SES is called for a mail."""
    seen: list[dict[str, Any]] = []
    hook = "before-parameter-build.sesv2.SendEmail"

    def look(params: dict[str, Any], **_: object) -> None:
        seen.append(params)

    ses.meta.events.register(hook, look)
    with Stubber(ses) as stubber:
        stubber.add_response("send_email", {"MessageId": "ses-1"})
        assert SesMailer(ses, "engine").send(mail) == "ses-1"
    ses.meta.events.unregister(hook, look)
    return seen[0]


def test_the_mail_reaches_ses_as_it_is(ses: Any) -> None:
    call = asked(ses, MAIL)
    simple = call["Content"]["Simple"]
    assert call["FromEmailAddress"] == MAIL.sender
    assert call["Destination"] == {"ToAddresses": [MAIL.to]}
    assert call["ReplyToAddresses"] == [MAIL.reply_to]
    assert simple["Subject"] == {"Data": MAIL.subject, "Charset": "UTF-8"}
    assert simple["Body"] == {
        "Html": {"Data": MAIL.html, "Charset": "UTF-8"},
        "Text": {"Data": MAIL.text, "Charset": "UTF-8"},
    }


def test_the_tags_and_the_configuration_set_bring_feedback(ses: Any) -> None:
    call = asked(ses, MAIL)
    assert call["ConfigurationSetName"] == "engine"
    assert call["EmailTags"] == [
        {"Name": "emailId", "Value": "b3JkZXI"},
        {"Name": "retryAttempt", "Value": "0"},
    ]


def test_a_mail_without_text_and_reply_address_has_neither(ses: Any) -> None:
    call = asked(ses, Mail(MAIL.to, MAIL.sender, "Hi", "<p>Hi</p>"))
    assert "Text" not in call["Content"]["Simple"]["Body"]
    assert call["ReplyToAddresses"] == []


# ── The account ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_send_rate_is_the_accounts(ses: Any) -> None:
    with Stubber(ses) as stubber:
        quota = {"Max24HourSend": 200.0, "MaxSendRate": 14.0, "SentLast24Hours": 0.0}
        stubber.add_response("get_account", {"SendQuota": quota})
        assert send_rate(ses) == 14.0


@pytest.mark.parametrize("unlimited", [-1.0, -5.0])
def test_a_rate_without_a_limit_is_infinite(ses: Any, unlimited: float) -> None:
    with Stubber(ses) as stubber:
        quota = {"Max24HourSend": -1.0, "MaxSendRate": unlimited, "SentLast24Hours": 0.0}
        stubber.add_response("get_account", {"SendQuota": quota})
        assert send_rate(ses) == math.inf


def test_an_account_that_may_send_nothing_waits_for_an_operator(ses: Any) -> None:
    with Stubber(ses) as stubber:
        quota = {"Max24HourSend": 0.0, "MaxSendRate": 0.0, "SentLast24Hours": 0.0}
        stubber.add_response("get_account", {"SendQuota": quota})
        with pytest.raises(Misconfigured, match="MaxSendRate is 0"):
            send_rate(ses)


def test_an_account_that_cannot_be_asked_is_waited_for(ses: Any) -> None:
    with Stubber(ses) as stubber:
        stubber.add_client_error("get_account", "TooManyRequestsException", "slower", 429)
        with pytest.raises(Unavailable):
            send_rate(ses)
