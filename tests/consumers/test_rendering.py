"""From a template and a request to a mail: precedence, what a template may reach, what may reach a header."""

import json
from typing import Any

import pytest

from consumers.mail import Mail, Refusal
from consumers.rendering import render, tags
from consumers.templates import compiled
from pipeline import ids, requests
from tests.builders import request

DEFAULT = ("Acme", "hello@acme.example")


def mail(
    html: str = "<p>Hi</p>",
    text: str | None = None,
    metadata: Any = None,
    default: Any = DEFAULT,
    **fields: Any,
) -> Mail:
    """The mail of a template and a request with these fields."""
    template = compiled("letter", html, text, json.dumps(metadata or {}))
    return render(template, requests.parse(request(**fields)), default)


def refusal(*arguments: Any, **fields: Any) -> Refusal:
    with pytest.raises(Refusal) as refused:
        mail(*arguments, **fields)
    return refused.value


def data(**values: Any) -> dict[str, Any]:
    return {"templateData": values}


# ── Precedence ────────────────────────────────────────────────────────────────────────────────────────────

OVERRIDE = {"email": "sales@acme.example", "name": "Sales"}
OF_TEMPLATE = {"senderEmail": "team@acme.example", "senderName": "Team"}


@pytest.mark.parametrize(
    ("override", "metadata", "sender"),
    [
        (None, {}, "Acme <hello@acme.example>"),
        (None, OF_TEMPLATE, "Team <team@acme.example>"),
        (OVERRIDE, OF_TEMPLATE, "Sales <sales@acme.example>"),
        (OVERRIDE, {}, "Sales <sales@acme.example>"),
        ({"email": "sales@acme.example"}, OF_TEMPLATE, "Team <sales@acme.example>"),
        ({"email": "sales@acme.example", "name": None}, {}, "Acme <sales@acme.example>"),
        (None, {"senderName": "Team"}, "Team <hello@acme.example>"),
        (None, {"senderEmail": "team@acme.example"}, "Acme <team@acme.example>"),
    ],
)
def test_the_sender_is_the_requests_then_the_templates_then_the_stacks(
    override: Any, metadata: Any, sender: str
) -> None:
    assert mail(metadata=metadata, senderOverride=override).sender == sender


def test_a_sender_without_a_name_is_a_bare_address() -> None:
    assert mail(default=("", "hello@acme.example")).sender == "hello@acme.example"


@pytest.mark.parametrize(
    ("own", "metadata", "reply_to"),
    [
        (None, {}, None),
        (None, {"replyTo": "help@acme.example"}, "help@acme.example"),
        ("ben@acme.example", {"replyTo": "help@acme.example"}, "ben@acme.example"),
        (None, {"replyTo": "{{ asker }}"}, "cleo@elsewhere.example"),
        (None, {"replyTo": "{% if false %}x{% endif %}"}, None),
    ],
)
def test_the_reply_address_is_the_requests_then_the_templates(
    own: str | None, metadata: Any, reply_to: str | None
) -> None:
    assert mail(metadata=metadata, replyTo=own, **data(asker="cleo@elsewhere.example")).reply_to == reply_to


@pytest.mark.parametrize(
    ("own", "metadata", "subject"),
    [
        ("Yours", {"subject": "Ours"}, "Yours"),
        (None, {"subject": "Ours"}, "Ours"),
        (None, {"subject": "Hello, {{ name }}"}, "Hello, Zoë & Co"),
        ("{{ name }}", {"subject": "Ours"}, "{{ name }}"),
        (None, {}, ""),
    ],
)
def test_the_subject_is_the_requests_as_it_stands_then_the_templates(
    own: str | None, metadata: Any, subject: str
) -> None:
    assert mail(metadata=metadata, subject=own, **data(name="Zoë & Co")).subject == subject


# ── List-Unsubscribe: exactly when it is asked for ────────────────────────────────────────────────────────

WEB = "https://acme.example/off"
LISTED = {"List-Unsubscribe": f"<{WEB}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
OF_METADATA = {"unsubscribe": {"url": "{{ off | default('') }}", "mailto": "{{ offAt | default('') }}"}}


@pytest.mark.parametrize(
    ("own", "metadata", "values", "headers"),
    [
        (None, {}, {}, {}),
        (None, {}, {"off": WEB, "unsubscribeLink": WEB}, {}),
        (None, {"unsubscribe": {}}, {}, {}),
        (None, {"unsubscribe": {"url": WEB}}, {}, LISTED),
        (None, OF_METADATA, {}, {}),
        (None, OF_METADATA, {"off": WEB}, LISTED),
        (
            None,
            OF_METADATA,
            {"off": "http://acme.example/off"},
            {"List-Unsubscribe": "<http://acme.example/off>"},
        ),
        (None, OF_METADATA, {"offAt": "off@acme.example"}, {"List-Unsubscribe": "<mailto:off@acme.example>"}),
        ({"url": WEB}, {}, {}, LISTED),
        ({"url": WEB}, OF_METADATA, {"off": "https://other.example", "offAt": "off@acme.example"}, LISTED),
        (
            {"mailto": "off@acme.example"},
            OF_METADATA,
            {"off": WEB},
            {"List-Unsubscribe": "<mailto:off@acme.example>"},
        ),
        ({}, OF_METADATA, {"off": WEB}, {}),
        ({"url": None, "mailto": None}, OF_METADATA, {"off": WEB}, {}),
    ],
)
def test_the_ways_to_unsubscribe_are_the_requests_else_the_templates(
    own: Any, metadata: Any, values: Any, headers: dict[str, str]
) -> None:
    assert mail(metadata=metadata, unsubscribe=own, **data(**values)).headers == headers


# ── Bodies ────────────────────────────────────────────────────────────────────────────────────────────────


def test_html_is_escaped() -> None:
    assert mail("{{ name }}", **data(name="<script>")).html == "&lt;script&gt;"


def test_text_is_not_escaped() -> None:
    assert mail(text="{{ name }}", **data(name="<b> & co")).text == "<b> & co"


def test_a_template_without_a_text_makes_a_mail_without_one() -> None:
    assert mail().text is None


def test_the_recipient_is_the_canonical_form() -> None:
    assert mail(to="Ana.Maria+x@BÜCHER.example").to == "Ana.Maria+x@xn--bcher-kva.example"


# ── What a template asks for and isn't given ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("html", "text", "metadata"),
    [
        ("{{ orderId }}", None, {}),
        ("<p>Hi</p>", "{{ orderId }}", {}),
        ("<p>Hi</p>", None, {"subject": "{{ orderId }}"}),
        ("<p>Hi</p>", None, {"senderName": "{{ orderId }}"}),
        ("{% for line in orderId %}{% endfor %}", None, {}),
    ],
)
def test_an_undefined_variable_is_named(html: str, text: str | None, metadata: Any) -> None:
    refused = refusal(html, text, metadata)
    assert refused.code == "TEMPLATE_RENDERING_FAILED"
    assert "'orderId'" in refused.sentence


def test_a_missing_attribute_is_named() -> None:
    assert "'total'" in refusal("{{ order.total }}", **data(order={})).sentence


def test_a_required_variable_is_named() -> None:
    refused = refusal(metadata={"requiredVariables": ["orderId"]})
    assert refused.code == "TEMPLATE_VARIABLE_MISSING"
    assert "'orderId'" in refused.sentence


@pytest.mark.parametrize(
    "html",
    [
        "{{ 1 / 0 }}",
        "{{ name + 1 }}",
        "{{ name.x.y }}",
        "{{ name() }}",
        "{{ [1][7].x }}",
    ],
)
def test_what_cannot_be_computed_is_a_refusal(html: str) -> None:
    assert refusal(html, **data(name="Ana")).code == "TEMPLATE_RENDERING_FAILED"


def test_a_template_that_calls_itself_without_end_is_a_refusal() -> None:
    endless = "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}"
    assert refusal(endless).code == "TEMPLATE_RENDERING_FAILED"


@pytest.mark.parametrize(
    ("html", "metadata", "said"),
    [
        (
            "<p>\n{{ orderId }}",
            {},
            "template.html, line 2: 'orderId' is undefined; give it in templateData, or test it in the template",
        ),
        (
            "<p>",
            {"subject": "{{ orderId }}"},
            "subject, line 1: 'orderId' is undefined; give it in templateData",
        ),
        (
            "<p>\n\n{{ order.total }}",
            {},
            "template.html, line 3: 'dict object' has no attribute 'total'; give it",
        ),
        (
            "{{ name + 1 }}",
            {},
            'template.html, line 1: can only concatenate str (not "int") to str; check templateData',
        ),
        (
            "{% macro m() %}\n{{ m() }}{% endmacro %}{{ m() }}",
            {},
            "it is nested, or calls itself, too deeply; make the",
        ),
        (
            "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
            {},
            "template.html: it takes",
        ),
        (
            "{{ 'x' * 9999999 }}",
            {},
            "template.html, line 1: it makes more than a mail can hold; make the template, or what",
        ),
        (
            "{{ name.upper }}",
            {},
            "template.html, line 1: it writes out a function, 'upper': call it with (); check",
        ),
        ("{{ '\\ud83d' }}", {}, "template.html: it writes half a letter (a lone surrogate)"),
        (
            "{{ cycler() }}",
            {},
            "template.html, line 1: at least one item has to be provided; check templateData",
        ),
        (
            "{{ name | truncate(0) }}",
            {},
            "template.html, line 1: expected length >= 3, got 0; check templateData",
        ),
    ],
)
def test_a_fault_is_told_with_its_place_and_a_remedy(html: str, metadata: Any, said: str) -> None:
    sentence = refusal(html, None, metadata, **data(name="Ana", order={})).sentence
    assert sentence.startswith("template 'letter' could not be rendered: ")
    assert said in sentence


# ── What a template may not reach ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "html",
    [
        "{{ ''.__class__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ name.__init__.__globals__ }}",
        "{{ lipsum.__globals__['os'].popen('id').read() }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ self._TemplateReference__context }}",
        "{{ ''['__class__'] }}",
        "{{ '' | attr('__class__') }}",
        "{{ '{0.__class__}'.format(name) }}",
        "{{ '%s'.__mod__ }}",
        "{{ items.append(1) }}",
        "{{ order.update({'a': 1}) }}",
        "{% include 'other' %}",
        "{% import 'other' as x %}",
        "{% extends 'other' %}",
    ],
)
def test_an_escape_from_the_sandbox_is_refused(html: str) -> None:
    assert refusal(html, **data(name="Ana", items=[], order={})).code in {
        "TEMPLATE_RENDERING_FAILED",
        "TEMPLATE_INVALID",
    }


def test_template_data_is_never_a_template() -> None:
    assert mail("{{ name }}", **data(name="{{ 7 * 7 }}")).html == "{{ 7 * 7 }}"


def test_rendering_leaves_the_request_as_it_was() -> None:
    letter = compiled("letter", "{% set order = 1 %}{{ order }}", None, "{}")
    asked = requests.parse(request(templateData={"order": {"a": [1]}}))
    render(letter, asked, DEFAULT)
    assert asked.template_data == {"order": {"a": [1]}}


# ── What may not reach a header ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mark", ["\r", "\n", "\r\n", "\0"])
@pytest.mark.parametrize("header", ["subject", "senderName", "senderEmail", "replyTo"])
def test_a_header_break_from_a_variable_is_refused(header: str, mark: str) -> None:
    value = f"ana@customer.example{mark}Bcc: everyone@customer.example"
    refused = refusal(metadata={header: "{{ value }}"}, **data(value=value))
    assert refused.code == "HEADER_INVALID"


@pytest.mark.parametrize("header", ["senderEmail", "replyTo"])
def test_a_variable_that_is_no_address_is_refused(header: str) -> None:
    refused = refusal(metadata={header: "{{ value }}"}, **data(value="a@b.example, c@d.example"))
    assert refused.code == "HEADER_INVALID"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"subject": "Hello\x07"},
            "the subject must be one line without line breaks or other control characters",
        ),
        ({"subject": "ä" * 900}, "the subject is too long for a header"),
        ({"senderOverride": {"email": "a@b.example", "name": "A\x07"}}, "the sender's name must be one line"),
        (
            {"unsubscribe": {"url": "ftp://acme.example"}},
            "the unsubscribe url must be a web address: https://…",
        ),
        ({"to": "=?utf-8?q?a?=@acme.example"}, "the recipient's address must not hold '=?'"),
        ({"replyTo": "=?utf-8?q?a?=@acme.example"}, "the reply address must not hold '=?'"),
    ],
)
def test_what_a_request_puts_into_a_header_is_refused_with_the_headers_name(fields: Any, said: str) -> None:
    refused = refusal(**fields)
    assert refused.code == "HEADER_INVALID"
    assert refused.sentence.startswith(f"the mail can't be addressed: {said}")


def test_a_name_that_looks_like_an_address_is_quoted() -> None:
    assert mail(metadata={"senderName": "Acme <ceo@acme.example>,"}).sender == (
        '"Acme <ceo@acme.example>," <hello@acme.example>'
    )


def test_a_name_in_another_script_is_an_encoded_word() -> None:
    assert mail(metadata={"senderName": "Łódź"}).sender.isascii()


# ── Templates that can't be used ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("html", "text", "metadata"),
    [
        ("{{ name", None, "{}"),
        ("{% if x %}", None, "{}"),
        ("{{ name | nosuchfilter }}", None, "{}"),
        ("<p>Hi</p>", "{% endif %}", "{}"),
        ("<p>Hi</p>", None, "{"),
        ("<p>Hi</p>", None, "[]"),
        ("<p>Hi</p>", None, '{"subject": "{{"}'),
        ("<p>Hi</p>", None, "[" * 100_000),
        ("".join(f"{{% for a{n} in x %}}" for n in range(30)) + "{% endfor %}" * 30, None, "{}"),
        ("{{ " + "(" * 10_000 + " }}", None, "{}"),
    ],
    ids=range(10),
)
def test_a_template_that_cannot_be_compiled_is_refused(html: str, text: str | None, metadata: str) -> None:
    with pytest.raises(Refusal) as refused:
        compiled("letter", html, text, metadata)
    assert refused.value.code == "TEMPLATE_INVALID"
    assert "'letter'" in refused.value.sentence


# ── Tags ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_tags_hold_any_id_in_what_ses_allows() -> None:
    own = tags("größe 注文", "order", 1)
    assert ids.from_tag(own["emailId"]) == "größe 注文"
    assert own["retryAttempt"] == "1"
    assert all(value.isascii() and len(value) <= 256 for value in own.values())
