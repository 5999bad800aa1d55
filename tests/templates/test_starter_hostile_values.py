"""Whatever a value holds, it stays text in the mail; whatever kind it is, the mail is rendered."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.templates.starter import NAMES, Page, every_variable, metadata, rendered, required_alone

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</td></tr></table></body>",
    "<!-- -->]]><![endif]-->",
    "</title></style><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% for x in [1] %}{{ self }}{% endfor %}",
    "{{ ''.__class__.__mro__ }}",
    "javascript:alert(1)",
    " https://example.com",
    "data:text/html,<script>alert(1)</script>",
    'https://example.com/"onclick="alert(1)',
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KNOWN_KEYS = st.sampled_from(
    ["name", "price", "quantity", "description", "title", "text", "url", "imageUrl", "items", "values", "get"]
)
ROWS = st.lists(st.dictionaries(KNOWN_KEYS, JSON, max_size=5) | JSON, max_size=4)


def leaves(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {change(key) if key == "Budget" else key: leaves(each, change) for key, each in value.items()}
    if isinstance(value, list):
        return [leaves(each, change) for each in value]
    return change(str(value))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("keep", ["instead of the value", "behind the value"])
def test_hostile_values_stay_text(name: str, hostile: str, keep: str) -> None:
    values = every_variable(name)
    harmless = Page(rendered(name, values).html)
    mail = rendered(
        name, leaves(values, lambda value: hostile if keep == "instead of the value" else value + hostile)
    )
    page = Page(mail.html)
    assert page.unbalanced == []
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in harmless.elements}
    assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on")]
    assert all(address.startswith("https://") for address in page.addresses())
    assert " ".join(hostile.split()) in page.words
    assert "49" not in page.words.replace("RM 1284 5567 3GB", "")


@pytest.mark.parametrize("name", NAMES)
def test_text_is_not_escaped(name: str) -> None:
    assert "Juniper & Oak" in rendered(name, every_variable(name)).text


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=60)
def test_optional_values_of_any_kind_are_borne(name: str, data: st.DataObject) -> None:
    optional = st.dictionaries(st.sampled_from(metadata(name)["optionalVariables"]), JSON | ROWS, max_size=8)
    mail = rendered(name, required_alone(name) | data.draw(optional))
    assert Page(mail.html).unbalanced == []
    assert mail.text


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=30)
def test_required_values_of_any_kind_are_borne(name: str, data: st.DataObject) -> None:
    required = {key: data.draw(JSON) for key in metadata(name)["requiredVariables"]}
    assert Page(rendered(name, required).html).unbalanced == []


@pytest.mark.parametrize("link", ["http://example.com/reset", "javascript:alert(1)", 7, None])
def test_a_link_that_is_not_https_is_written_out_instead(link: Any) -> None:
    page = Page(rendered("password-reset", {"userName": "John", "resetLink": link}).html)
    assert page.links() == set()
    assert f"Copy this address into your browser: {link}" in page.words


def test_a_visitor_can_not_break_the_subject_line() -> None:
    values = every_variable("contact-form-notification") | {"subject": "Hello\r\nBcc: all@example.com"}
    assert rendered("contact-form-notification", values).subject == "Hello Bcc: all@example.com"
