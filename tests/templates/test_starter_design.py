"""The starter templates as pages: well formed, accessible, dark as well as light, readable without pictures."""

import re
from typing import Any

import pytest

from tests.templates.starter import NAMES, TEMPLATES, Page, every_variable, rendered, required_alone

SOURCE = TEMPLATES / "_source"
# Which words stand on which ground; the page's own ground is `body`.
GROUNDS = {
    "body": ["company", "logo", "footnote", "link"],
    "card": [
        "kicker",
        "title",
        "section",
        "text",
        "quiet",
        "link",
        "lines-head",
        "line",
        "line-more",
        "line-price",
        "sum-label",
        "sum",
        "total-label",
        "total",
        "step",
        "quote-cell",
        "story-title",
        "story-image",
    ],
    "panel": ["figure-label", "figure", "fact-label", "fact"],
    "button": ["button-link"],
    "monogram": ["monogram"],
    "step-mark": ["step-mark"],
}
PAIRS = [(ground, words) for ground, each in GROUNDS.items() for words in each]

each_page = pytest.mark.parametrize(
    "page",
    [
        Page(rendered(name, values(name)).html)
        for name in NAMES
        for values in (every_variable, required_alone)
    ],
    ids=[f"{name}-{amount}" for name in NAMES for amount in ("all", "required")],
)


def colours(css: str, property_: str) -> dict[str, str]:
    """Class or element -> colour, the last rule winning."""
    found = {}
    for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", css):
        declared = re.search(rf"(?:^|;|\s){property_}: (#[0-9a-f]{{6}})", body)
        for selector in selectors.split(","):
            if declared:
                found[selector.strip().removeprefix(".")] = declared[1]
    return found


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def stylesheet(mode: str) -> str:
    if mode == "light":
        return re.sub(r"/\*.*?\*/", "", (SOURCE / "inlined.css").read_text(encoding="utf-8"), flags=re.DOTALL)
    return (SOURCE / "kept.css").read_text(encoding="utf-8").partition("(prefers-color-scheme: dark) {")[2]


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize(("ground", "words"), PAIRS)
def test_words_stand_out_from_their_ground(mode: str, ground: str, words: str) -> None:
    css = stylesheet(mode)
    assert contrast(colours(css, "color")[words], colours(css, "background-color")[ground]) >= 4.5


def test_every_colour_has_a_dark_twin() -> None:
    for property_ in ("color", "background-color"):
        light, dark = (colours(stylesheet(mode), property_) for mode in ("light", "dark"))
        assert light.keys() - dark.keys() == set()


@each_page
def test_tags_match(page: Page) -> None:
    assert page.unbalanced == []


@each_page
def test_says_its_language_title_and_heading(page: Page) -> None:
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("title")) == len(page.all("h1")) == 1
    assert not page.all("h3")


@each_page
def test_declares_both_colour_schemes_and_the_width_of_the_screen(page: Page) -> None:
    declared = {each.get("name"): each.get("content") for each in page.all("meta")}
    assert declared["color-scheme"] == declared["supported-color-schemes"] == "light dark"
    assert declared["viewport"] == "width=device-width, initial-scale=1"


@each_page
def test_a_table_is_a_frame_or_has_headings(page: Page) -> None:
    data = [table for table in page.all("table") if table.get("role") != "presentation"]
    assert all(table["class"] == "lines" for table in data)
    assert bool(data) == bool(page.all("th"))
    assert all(heading["scope"] in ("col", "row") for heading in page.all("th"))


@each_page
def test_every_picture_has_an_alternative(page: Page) -> None:
    assert all("alt" in picture for picture in page.all("img"))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_said_by_a_picture_alone(name: str) -> None:
    mail = rendered(name, required_alone(name))
    assert not Page(mail.html).all("img")
    assert "url(" not in mail.html


@each_page
def test_a_hidden_line_previews_the_mail(page: Page) -> None:
    first = next(attributes for tag, attributes in page.elements if tag == "div")
    assert first["class"] == "preheader"
    assert "display: none" in first["style"]


@each_page
def test_styles_are_inline_and_only_media_rules_stay(page: Page) -> None:
    classes = {name for _, attributes in page.elements for name in attributes.get("class", "").split()}
    assert all("style" in attributes for _, attributes in page.elements if attributes.get("class"))
    assert classes <= set(re.findall(r"\.([\w-]+)", stylesheet("light"))) | {"stacked"}


@pytest.mark.parametrize("name", NAMES)
def test_narrow_screens_and_dark_mode_are_looked_after(name: str) -> None:
    html = rendered(name, required_alone(name)).html
    assert "@media (max-width: 600px)" in html
    assert "@media (prefers-color-scheme: dark)" in html


@pytest.mark.parametrize(
    ("name", "link"), [("password-reset", "resetLink"), ("email-verification", "verificationLink")]
)
def test_the_address_behind_the_button_is_spelled_out(name: str, link: str) -> None:
    values: dict[str, Any] = required_alone(name)
    assert values[link] in Page(rendered(name, values).html).words


@pytest.mark.parametrize(
    "holder",
    [
        *("p", "company", "link", "button-link", "figure", "fact", "line", "line-price"),
        *("sum-label", "sum", "total-label", "total", "step", "quote-cell", "story-image"),
    ],
)
def test_a_long_word_is_broken_and_does_not_widen_the_page(holder: str) -> None:
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", stylesheet("light"))
    bodies = [body for selectors, body in rules if holder in re.split(r"[\s,.]+", selectors.strip())]
    assert any("overflow-wrap: anywhere" in body for body in bodies)
