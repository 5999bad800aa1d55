"""HTML, template source and header breaks, put wherever a request has a place: they stay text or are refused.

Through the gates, the templates and the headers, as every mail goes; and to SES, for what SES is given.
"""

# ruff: noqa: RUF001  letters of one script look like those of another

import re
from collections.abc import Iterator, Mapping
from email.header import decode_header, make_header
from email.utils import getaddresses, parseaddr
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.bootstrap import CALL_ONCE
from consumers.mail import Mail
from consumers.ses import SesMailer
from consumers.tasks import Task
from consumers.templates import compiled
from infra.embedded import EmbeddedAws
from infra.embedded.ses import SesConfig
from infra.stack import configuration, deploy
from pipeline.codec import Request, decode
from pipeline.events import MailFailed, MailSent
from pipeline.settings import Settings
from tests import builders
from tests.consumers.conftest import PARAMETERS, STACK
from tests.consumers.fakes import Clock, FakeReputation, FakeTemplates
from tests.consumers.office import delivery_of
from tests.templates.starter import Page

REFUSALS = {"HEADER_INVALID", "INVALID_REQUEST", "TEMPLATE_RENDERING_FAILED", "TEMPLATE_NOT_FOUND"}
EVIL = "evil@elsewhere.example"

# ── What is put ───────────────────────────────────────────────────────────────────────────────────────────

MARKUP = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</p></body></html><h1>Other mail</h1>",
    "</title></style><svg onload=alert(1)>",
    "<!-- --><![endif]-->&lt;b&gt;&amp;amp;",
]
SOURCE = [
    "{{ 7 * 7 }}",
    "{% for x in [1] %}{{ self }}{% endfor %}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{% raw %}{{ config }}{% endraw %}{# note #}",
    "${{ 7 * 7 }} #{ 7 * 7 } <%= 7 * 7 %>",
    "}}{{ 7 * 7 }}{{",
]
BREAKS = [
    f"Hello\r\nBcc: {EVIL}",
    f"Hello\nBcc: {EVIL}",
    f"Hello\rBcc: {EVIL}",
    f"Hello\r\n\r\n<h1>Other mail</h1>\r\nBcc: {EVIL}",
    f"Hello\0Bcc: {EVIL}",
    f"Hello\x0bBcc: {EVIL}\x1b[2J",
    f"Hello\x85Bcc: {EVIL}",
    f"Hello\u2028Bcc: {EVIL}",
    f"Hello\u2029Bcc: {EVIL}",
    f"=?utf-8?q?Hello=0d=0aBcc:_{EVIL}?=",
    "=?utf-8?b?SGVsbG8NCkJjYzogZXZpbEBlbHNld2hlcmUuZXhhbXBsZQ==?=",
    f"=?utf-8?q?{EVIL.replace('@', '=40')}=3e=20?=@acme.example",
    f"{EVIL}, hello@acme.example",
    f"Boss <{EVIL}>",
    f'"Boss" <{EVIL}>, "',
    f"hello@acme.example>\r\nBcc: <{EVIL}",
    f"hello@acme.example%0d%0aBcc:{EVIL}",
    f"hello?bcc={EVIL}",
    f"https://acme.example/>, <mailto:{EVIL}",
    f"https://acme.example/\r\nBcc: {EVIL}",
    "\u202egpj.exe\u202c",
    "Acme\u200f \u2066לקוח\u2069",
    "\u200bAcme\ufeff",
]
EVERYTHING = [*MARKUP, *SOURCE, *BREAKS]

# ── Where it is put ───────────────────────────────────────────────────────────────────────────────────────

HTML = """<!doctype html><html lang="en"><head><title>{{ title }}</title></head><body>
<p title="{{ inAttribute }}">{{ inText }}</p><a href='{{ inLink }}'>x</a>
{% for item in items %}<p>{{ item.name }}: {{ item['more'] }}</p>{% endfor %}</body></html>"""
TEXT = "{{ inText }}\n{% for item in items %}{{ item.name }}: {{ item['more'] }}\n{% endfor %}"
METADATA = """{
    "subject": "{{ subjectOf }}", "senderName": "{{ nameOf }}", "senderEmail": "{{ senderOf }}",
    "replyTo": "{{ replyOf }}", "unsubscribe": {"url": "{{ urlOf }}", "mailto": "{{ mailtoOf }}"}
}"""
LETTER = compiled("letter", HTML, TEXT, METADATA)
HARMLESS: Mapping[str, Any] = {
    "title": "Hello",
    "inAttribute": "Hello",
    "inText": "Hello",
    "inLink": "https://acme.example",
    "items": [{"name": "Tea", "more": "hot"}],
    "subjectOf": "Hello",
    "nameOf": "Acme",
    "senderOf": "hello@acme.example",
    "replyOf": "help@acme.example",
    "urlOf": "https://acme.example/off",
    "mailtoOf": "off@acme.example",
}
VARIABLES = [*sorted(HARMLESS.keys() - {"items"}), "items.name", "items.more"]
FIELDS = [
    "to",
    "subject",
    "senderOverride.name",
    "senderOverride.email",
    "replyTo",
    "unsubscribe.url",
    "unsubscribe.mailto",
    "templateName",
    "emailId",
    "metadata.campaign",
]


def asked(values: Mapping[str, str]) -> dict[str, Any]:
    """A request with the values at their places: a variable's name, or the path of a field."""
    data = dict(HARMLESS)
    detail: dict[str, Any] = builders.request(
        to="ana@customer.example", templateName="letter", templateData=data
    )
    for place, value in values.items():
        outer, _, inner = place.partition(".")
        if place in HARMLESS:
            data[place] = value
        elif outer == "items":
            data["items"] = [data["items"][0] | {inner: value}]
        elif inner:
            beside = {"email": "sales@acme.example"} if outer == "senderOverride" else {}
            detail[outer] = beside | detail.get(outer, {}) | {inner: value}
        else:
            detail[outer] = value
    return detail


class Outcome(NamedTuple):
    fact: MailSent | MailFailed
    mails: list[Mail]


def outcome(detail: dict[str, Any]) -> Outcome:
    mails: list[Mail] = []
    delivery = delivery_of(FakeTemplates(LETTER), Clock(), FakeReputation())
    record = builders.record(builders.requested(detail, id="event-1"))
    request = decode(record.data).body
    assert isinstance(request, Request)
    task = Task(request.email_id, request.email_id, 0, "event-1", record.place, request, record, lambda: None)
    return Outcome(delivery.outcome(task, None, lambda mail: mails.append(mail) or "ses-1"), mails)  # type: ignore[func-returns-value]


# ── What must come of it ──────────────────────────────────────────────────────────────────────────────────


def check(values: Mapping[str, str]) -> Mail | None:
    """The mail, if one was sent: it says what was put, where it was put, and does nothing."""
    fact, mails = outcome(asked(values))
    if isinstance(fact, MailFailed):
        assert fact.error_code in REFUSALS
        assert len(fact.error_message) > 20
        assert mails == []
        return None
    (mail,) = mails
    check_headers(mail)
    check_html(mail)
    check_words(mail, values)
    return mail


def check_headers(mail: Mail) -> None:
    subject = decoded(mail.subject) if mail.subject.isascii() and "=?" not in mail.subject else mail.subject
    for value in (mail.to, mail.sender, mail.reply_to or "", *mail.headers.values()):
        assert value.isascii()
        assert value.isprintable()
    for letter in ("\r", "\n", "\0", "\u2028", "\u2029", "\x85", "\x0b"):
        assert letter not in subject
        assert letter not in decoded(mail.sender)
    for value in filter(None, (mail.to, mail.sender, mail.reply_to)):
        (mailbox,) = getaddresses([value])
        assert re.fullmatch(r"[^\s<>,;\"@]+@(acme|customer|elsewhere)\.example", mailbox[1])
        assert "=?" not in mailbox[1]
    listed = mail.headers.get("List-Unsubscribe", "")
    assert re.fullmatch(r"(<(https?:|mailto:)[^<>\s]+>(, )?){0,2}", listed)
    assert "?" not in "".join(re.findall(r"<mailto:([^>]*)>", listed))


def check_html(mail: Mail) -> None:
    page = Page(mail.html)
    assert page.unbalanced == []
    assert {tag for tag, _ in page.elements} <= {"html", "head", "title", "body", "p", "a", "!doctype"}
    assert {name for _, attributes in page.elements for name in attributes} <= {"lang", "title", "href"}


def check_words(mail: Mail, values: Mapping[str, str]) -> None:
    """What was put is there as it was written, escaped, encoded or not; nothing was carried out."""
    page = Page(mail.html)
    shown = {
        "title": page.words,
        "inText": page.words,
        "items.name": page.words,
        "items.more": page.words,
        "inAttribute": " ".join(each.get("title", "") for each in page.all("p")),
        "inLink": page.all("a")[0]["href"],
        "subjectOf": mail.subject,
        "nameOf": decoded(parseaddr(mail.sender)[0]),
        "subject": mail.subject,
        "senderOverride.name": decoded(parseaddr(mail.sender)[0]),
    }
    taken_over = {"subjectOf": "subject", "nameOf": "senderOverride.name"}  # the request's own wins
    for place, value in values.items():
        if place in shown and taken_over.get(place) not in values:
            assert " ".join(value.split()) in " ".join(shown[place].split())
    if values.get("inText") is not None and mail.text is not None:
        assert values["inText"] in mail.text
    put = "".join(values.values())
    for evaluated in ("49", "TemplateReference", "<class "):
        assert evaluated in put or evaluated not in mail.html + mail.subject + (mail.text or "")


def decoded(words: str) -> str:
    return str(make_header(decode_header(words)))


# ── Cases ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("value", EVERYTHING, ids=ascii)
@pytest.mark.parametrize("place", [*VARIABLES, *FIELDS])
def test_what_is_put_stays_text_or_is_refused(place: str, value: str) -> None:
    check({place: value})


@pytest.mark.parametrize("value", [*MARKUP, *SOURCE], ids=ascii)
@pytest.mark.parametrize(
    "place", ["title", "inAttribute", "inText", "inLink", "items.name", "subjectOf", "nameOf", "subject"]
)
def test_markup_and_source_are_sent_as_text(place: str, value: str) -> None:
    assert check({place: value}) is not None


@pytest.mark.parametrize(
    "mark", ["\r\n", "\n", "\r", "\0", "\x0b", "\x1b", "\x7f", "\x85", "\u2028", "\u2029"], ids=ascii
)
@pytest.mark.parametrize(
    "place",
    [
        *("subjectOf", "nameOf", "senderOf", "replyOf", "urlOf", "mailtoOf", "to", "subject"),
        *("senderOverride.name", "senderOverride.email", "replyTo", "unsubscribe.url", "unsubscribe.mailto"),
    ],
)
def test_a_break_within_a_header_is_refused_with_a_sentence(place: str, mark: str) -> None:
    fact, mails = outcome(asked({place: f"https://acme.example/{mark}hello@acme.example"}))
    assert isinstance(fact, MailFailed)
    assert mails == []
    assert fact.error_code in {"HEADER_INVALID", "INVALID_REQUEST"}
    assert re.search("one line|address|ASCII", fact.error_message)


@pytest.mark.parametrize("place", ["subject", "subjectOf", "nameOf", "senderOverride.name"])
@pytest.mark.parametrize("value", BREAKS[9:12] + BREAKS[20:], ids=ascii)
def test_look_alikes_and_marks_of_direction_are_shown_as_they_were_written(place: str, value: str) -> None:
    assert check({place: value}) is not None


HOSTILE = st.lists(
    st.sampled_from(
        [*EVERYTHING, "\r\n", "\n", "\0", "\u2028", "<", ">", '"', "'", "{{", "}}", "=?", "?=", "@", ",", ":"]
    )
    | st.text(max_size=12),
    min_size=1,
    max_size=4,
).map("".join)


@given(st.dictionaries(st.sampled_from([*VARIABLES, *FIELDS]), HOSTILE, min_size=1, max_size=8))
@settings(max_examples=250)
def test_whatever_is_put_in_many_places_at_once_stays_text_or_is_refused(values: dict[str, str]) -> None:
    check(
        {
            place: value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            for place, value in values.items()
        }
    )


# ── What SES is given ─────────────────────────────────────────────────────────────────────────────────────


class Post(NamedTuple):
    mailer: SesMailer
    aws: EmbeddedAws


@pytest.fixture(scope="module")
def post() -> Iterator[Post]:
    with EmbeddedAws(ses_config=SesConfig(max_send_rate=10_000)) as aws:
        deploy(aws.client("cloudformation"), STACK, PARAMETERS)
        settings = Settings.from_mapping(configuration(aws.client("cloudformation"), STACK))
        yield Post(SesMailer(aws.client("sesv2", CALL_ONCE), settings.configuration_set_name), aws)


@pytest.mark.parametrize(
    "place", ["inText", "subjectOf", "nameOf", "replyOf", "urlOf", "subject", "senderOverride.name", "to"]
)
def test_what_ses_is_given_is_one_mail_to_one_recipient(post: Post, place: str) -> None:
    for value in EVERYTHING:
        mail = check({place: value})
        if mail is None:
            continue
        before = len(post.aws.ses.mails())
        post.mailer.send(mail)
        given = post.aws.ses.mails()[before:]
        assert len(given) == 1
        assert given[0].recipients == (mail.to,)
        headers = dict(given[0].wire_headers)
        assert all(each.isascii() and each.isprintable() for each in headers.values())
        assert headers.keys() <= {
            *(
                "From",
                "To",
                "Reply-To",
                "Subject",
                "MIME-Version",
                "List-Unsubscribe",
                "List-Unsubscribe-Post",
            )
        }
        assert decoded(headers["Subject"]) == mail.subject
        assert (given[0].html, given[0].text) == (mail.html, mail.text)
