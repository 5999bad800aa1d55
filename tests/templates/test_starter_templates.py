"""The starter templates as files: complete, honest about their variables, and rendered as the sender does."""

import re
from typing import Any

import pytest
from jinja2 import UndefinedError, meta

from infra import inline_templates
from tests.templates.starter import (
    HTML,
    NAMES,
    TEMPLATES,
    TEXT,
    Page,
    every_variable,
    metadata,
    metadata_strings,
    rendered,
    required_alone,
    source,
    sources,
)

NINE = {
    "contact-form-notification",
    "email-verification",
    "invoice",
    "newsletter",
    "order-confirmation",
    "password-reset",
    "shipping-notification",
    "subscription-renewal",
    "welcome",
}
KEYS = {
    "subject",
    "senderName",
    "senderEmail",
    "replyTo",
    "priority",
    "unsubscribe",
    "requiredVariables",
    "optionalVariables",
    "version",
}
# What the integration guide's own calls pass.
GUIDE: list[tuple[str, dict[str, Any]]] = [
    ("welcome", {"userName": "John"}),
    ("welcome", {"userName": "John", "companyName": "My Company"}),
    (
        "welcome",
        {"userName": "John Doe", "companyName": "Acme Corp", "ctaUrl": "https://example.com/dashboard"},
    ),
    ("order-confirmation", {"userName": "John", "orderId": "ORD-123", "total": "$99.99"}),
    ("order-confirmation", {"customerName": "John", "orderId": 7, "items": [{"name": "Tea"}], "total": 9.5}),
    ("order-confirmation", {"customerName": "John", "orderId": "7", "items": ["Tea", "Honey"], "total": "9"}),
    ("password-reset", {"userName": "John", "resetLink": "https://example.com/reset/abc123"}),
    (
        "password-reset",
        {"userName": "John", "resetLink": "https://myapp.com/reset/t0k3n", "expiresIn": "24 hours"},
    ),
    ("invoice", {"userName": "John", "invoiceId": "INV-123", "amount": "$500.00"}),
    ("newsletter", {"userName": "Alice"}),
]
each_template = pytest.mark.parametrize("name", NAMES)
both_amounts_of_data = pytest.mark.parametrize("values_of", [every_variable, required_alone])


def test_the_nine_are_there() -> None:
    assert set(NAMES) == NINE == set(inline_templates.names())


@each_template
def test_html_is_what_the_design_source_makes(name: str) -> None:
    assert source(name, "template.html") == inline_templates.build(name), (
        "run python -m infra.inline_templates"
    )


@pytest.mark.parametrize(
    "html",
    [
        '<table><tbody>{% for x in y %}<tr><td class="a">{{ x }}</td></tr>{% endfor %}</tbody></table>',
        "<p title=\"{{ a['b'] }}\">&nbsp;{{ '<' ~ \"'\" }}{# note #}</p>",
    ],
)
def test_tags_survive_hiding_from_a_parser(html: str) -> None:
    hidden = inline_templates.TagsHidden(html)
    assert "{" not in hidden.html
    assert hidden.shown(hidden.html) == html


def test_a_tag_that_a_parser_loses_is_an_error() -> None:
    with pytest.raises(inline_templates.TagLost, match="came back 0 times"):
        inline_templates.TagsHidden("<p>{{ userName }}</p>").shown("<p></p>")


@each_template
def test_metadata_has_known_keys_of_the_right_kind(name: str) -> None:
    found = metadata(name)
    assert found.keys() <= KEYS
    assert found["priority"] == ("bulk" if name == "newsletter" else "transactional")
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["version"])
    assert set(found.get("unsubscribe", {})) == ({"url", "mailto"} if name == "newsletter" else set())
    assert set(found["requiredVariables"]).isdisjoint(found["optionalVariables"])


@each_template
def test_declares_exactly_the_variables_it_uses(name: str) -> None:
    used = set().union(
        *(meta.find_undeclared_variables(environment.parse(text)) for environment, text in sources(name))
    )
    assert used == {*metadata(name)["requiredVariables"], *metadata(name)["optionalVariables"]}


@each_template
def test_the_sample_has_every_variable(name: str) -> None:
    found = metadata(name)
    apart = {"paidDate"}  # an invoice is either paid or due
    assert every_variable(name).keys() == {*found["requiredVariables"], *found["optionalVariables"]} - apart


def test_a_paid_invoice_gives_thanks_and_asks_for_nothing() -> None:
    mail = rendered("invoice", required_alone("invoice") | {"paidDate": "4 March 2026"})
    assert mail.subject.startswith("Paid: ")
    for words in (Page(mail.html).words, mail.text):
        assert "Thank you for your payment" in words
        assert "due" not in words


@each_template
@both_amounts_of_data
def test_renders_a_subject_of_one_line(name: str, values_of: Any) -> None:
    subject = rendered(name, values_of(name)).subject
    assert 5 < len(subject) < 80
    assert "\n" not in subject


@each_template
def test_a_missing_required_variable_is_named(name: str) -> None:
    for missing in metadata(name)["requiredVariables"]:
        values = {key: value for key, value in required_alone(name).items() if key != missing}
        for environment, file in ((HTML, "template.html"), (TEXT, "template.txt")):
            with pytest.raises(UndefinedError, match=f"'{missing}' is undefined"):
                environment.from_string(source(name, file)).render(values)


@pytest.mark.parametrize(("name", "values"), GUIDE)
def test_every_call_of_the_guide_is_rendered(name: str, values: dict[str, Any]) -> None:
    mail = rendered(name, values)
    words = Page(mail.html).words
    for value in values.values():
        if isinstance(value, (str, int)) and not str(value).startswith("https://"):
            assert str(value) in words
            assert str(value) in mail.text


@each_template
def test_required_alone_leaves_no_gaps(name: str) -> None:
    mail = rendered(name, required_alone(name))
    for text in (Page(mail.html).words, mail.text, mail.subject):
        assert not re.search(r"None|Undefined|\(\)| [,.;:!?]|,\.|:\s*$", text)


@each_template
@both_amounts_of_data
def test_text_reads_like_a_letter(name: str, values_of: Any) -> None:
    text = rendered(name, values_of(name)).text
    assert text == text.strip()
    assert "\n\n\n" not in text
    assert not re.search(r"[ \t]$|<[a-z/]|&[a-z#]+;|\{[{%]", text, re.MULTILINE)
    assert text[0].isupper() or text.startswith(values_of(name).get("formSenderEmail", "\n"))


@each_template
def test_every_value_is_said_in_both_parts(name: str) -> None:
    values = every_variable(name)
    mail = rendered(name, values)
    page = Page(mail.html)
    stepping_back = {"logoUrl", "unsubscribeEmail"}  # a picture, and what a link says already
    if {"customerName", "firstName"} & values.keys():
        stepping_back |= {"userName"}
    for key in values.keys() - stepping_back:
        if isinstance(values[key], str):
            first = values[key].splitlines()[0]
            assert first in mail.text, key
            assert first in page.words or first in page.links(), key


@each_template
def test_every_link_is_in_the_text_too(name: str) -> None:
    mail = rendered(name, every_variable(name))
    assert Page(mail.html).links() <= set(re.findall(r"https://\S+", mail.text))


@each_template
def test_every_link_is_https(name: str) -> None:
    mail = rendered(name, every_variable(name))
    assert all(address.startswith("https://") for address in Page(mail.html).addresses())
    for _, text in sources(name):
        assert "http://" not in text


@each_template
def test_stands_alone_and_escapes(name: str) -> None:
    for _, text in sources(name):
        assert not re.search(
            r"\|\s*safe\b|Markup|\{%-?\s*(include|import|from|extends|autoescape|block)\b", text
        )


@each_template
def test_sizes_stay_below_what_the_bucket_and_the_mailboxes_take(name: str) -> None:
    for file in ("template.html", "template.txt", "metadata.json"):
        assert (TEMPLATES / name / file).stat().st_size <= 256 * 1024
    assert len(rendered(name, every_variable(name)).html.encode()) < 100 * 1024  # Gmail clips at 102 KB


@each_template
def test_name_and_reply_address_come_from_the_request_or_are_empty(name: str) -> None:
    alone, full = rendered(name, required_alone(name)).metadata, rendered(name, every_variable(name)).metadata
    assert "senderEmail" not in metadata_strings(name)
    if name == "contact-form-notification":
        assert alone["replyTo"] == full["replyTo"] == "tomas.lindqvist@example.com"
    else:
        assert (alone["senderName"], alone["replyTo"]) == ("", "")
        assert (full["senderName"], full["replyTo"]) == ("Juniper & Oak", "help@juniperandoak.example")


def test_newsletter_offers_to_unsubscribe_as_far_as_it_is_told_how() -> None:
    full, alone = every_variable("newsletter"), required_alone("newsletter")
    assert rendered("newsletter", full).metadata["url"] == full["unsubscribeLink"]
    assert rendered("newsletter", full).metadata["mailto"] == full["unsubscribeEmail"]
    assert rendered("newsletter", alone).metadata["url"] == ""
    assert "reply to this mail" in rendered("newsletter", alone).text
