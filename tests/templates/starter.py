"""What the tests of the starter templates share: the files, the sender's Jinja2 settings, the sample values."""

import json
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
NAMES = sorted(path.parent.name for path in TEMPLATES.glob("*/metadata.json"))
HTML = ImmutableSandboxedEnvironment(autoescape=True, undefined=StrictUndefined)
TEXT = ImmutableSandboxedEnvironment(autoescape=False, undefined=StrictUndefined)
VOID = {"br", "img", "meta"}


class Rendered(NamedTuple):
    subject: str
    html: str
    text: str
    metadata: dict[str, str]


@cache
def source(name: str, file: str) -> str:
    return (TEMPLATES / name / file).read_text(encoding="utf-8")


def metadata(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(source(name, "metadata.json"))
    return found


def every_variable(name: str) -> dict[str, Any]:
    sample = TEMPLATES / "_source" / "samples" / f"{name}.json"
    values: dict[str, Any] = json.loads(sample.read_text(encoding="utf-8"))
    return values


def required_alone(name: str) -> dict[str, Any]:
    values = every_variable(name)
    return {key: values[key] for key in metadata(name)["requiredVariables"]}


def metadata_strings(name: str) -> dict[str, str]:
    """Every string that is a template, those of `unsubscribe` too."""
    flat: dict[str, str] = {}
    for key, value in metadata(name).items():
        inner = value if isinstance(value, dict) else {key: value}
        flat |= {each: text for each, text in inner.items() if isinstance(text, str)}
    return flat


@cache
def compiled(environment: Environment, text: str) -> Template:
    return environment.from_string(text)


def sources(name: str) -> list[tuple[Environment, str]]:
    files = [(HTML, source(name, "template.html")), (TEXT, source(name, "template.txt"))]
    return [*files, *((TEXT, text) for text in metadata_strings(name).values())]


def rendered(name: str, values: dict[str, Any]) -> Rendered:
    strings = {
        key: compiled(TEXT, text).render(values).strip() for key, text in metadata_strings(name).items()
    }
    return Rendered(
        subject=strings["subject"],
        html=compiled(HTML, source(name, "template.html")).render(values),
        text=compiled(TEXT, source(name, "template.txt")).render(values),
        metadata=strings,
    )


class Page(HTMLParser):
    """A page as a reader meets it: elements in order, words, and tags that don't match."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.unbalanced: list[str] = []
        self._words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        self.unbalanced += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.unbalanced.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self._words.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self._words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for each, attributes in self.elements if each == tag]

    def links(self) -> set[str]:
        return {attributes["href"] for attributes in self.all("a")}

    def addresses(self) -> set[str]:
        return self.links() | {attributes["src"] for attributes in self.all("img")}
