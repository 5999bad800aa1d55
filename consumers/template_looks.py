"""Looks at the sources of a template, each for one kind of fault."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jinja2 import Environment, Template, TemplateSyntaxError, UndefinedError, meta, nodes

from consumers.headers import address, list_unsubscribe, one_line
from consumers.rendering import line_of
from consumers.templates import FAULTS, HTML, TEXT, metadata_strings, safely, said

__all__ = ["LOOKS", "Folder", "Found", "line_at", "line_of_key"]

LINK = re.compile(
    r"""(?:\b(?:href|src|background|action|poster)\s*=|\burl\()\s*["']?\s*([^"'\s>){]*)""", re.IGNORECASE
)
OPEN_LINK = re.compile(r"\bhttp://[^\s\"'<>)]*", re.IGNORECASE)
BARE_ATTRIBUTE = re.compile(r"<[a-z][^<>]*?\s[\w-]+=\{\{", re.IGNORECASE)
GOOD_SCHEMES = ("https:", "mailto:", "tel:", "sms:", "cid:", "data:", "#")

Texts = Mapping[str, str]
Found = tuple[str, int, str, str]  # file, line, problem, remedy


class Source(NamedTuple):
    """A file, or one string of the metadata, that begins after `before` lines; `fault` if it is no template."""

    file: str
    key: str
    before: int
    text: str
    tree: nodes.Template
    template: Template | None
    fault: tuple[int, str] | None

    def found(self, line: int, problem: str, remedy: str) -> Found:
        return self.file, self.before + line, problem, remedy


class Folder:
    """A template's sources, each compiled once."""

    def __init__(self, texts: Texts) -> None:
        self.texts = texts
        metadata: dict[str, Any] = json.loads(texts["metadata.json"])
        self.required: Sequence[str] = metadata.get("requiredVariables", [])
        self.optional: Sequence[str] = metadata.get("optionalVariables", [])
        self.sources = [
            _source("template.html", "", 0, texts["template.html"], HTML),
            _source("template.txt", "", 0, texts["template.txt"], TEXT),
        ]
        for key, value in metadata_strings(metadata):
            line = line_of_key(texts["metadata.json"], key.rpartition(".")[2])
            self.sources.append(_source("metadata.json", key, line - 1, value, TEXT))

    def samples(self) -> Iterator[Mapping[str, Any]]:
        """The required variables alone, with each optional one besides, and all."""
        required = dict.fromkeys(self.required, SAMPLE)
        yield required
        yield from (required | {name: SAMPLE} for name in self.optional)
        yield required | dict.fromkeys(self.optional, SAMPLE)


def _source(file: str, key: str, before: int, text: str, environment: Environment) -> Source:
    tree, template, fault = environment.parse(""), None, None
    try:
        tree = safely(lambda: environment.parse(text))
        template = safely(lambda: environment.from_string(text))
    except TemplateSyntaxError as error:
        fault = error.lineno, (error.message or "this is no Jinja2").removesuffix(".")
    except FAULTS as error:
        fault = 1, f"it can't be compiled: {said(error)}"
    return Source(file, key, before, text, tree, template, fault)


class _Sample(str):
    """A value for any variable: has every attribute, can be called, and iterates over two of its kind."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        if name in ("unsafe_callable", "alters_data"):  # what Jinja2 asks before it calls
            return False
        return super().__getattribute__(name) if name[0] == "_" else self

    def __getitem__(self, _: Any) -> Any:
        return self

    def __call__(self, *_: Any, **__: Any) -> Any:
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter((self, self))


SAMPLE = _Sample("https://example.com/sample")

# ── Looks ─────────────────────────────────────────────────────────────────────────────────────────────────


def _syntax(folder: Folder) -> Iterator[Found]:
    for source in folder.sources:
        if source.fault:
            yield source.found(*source.fault, "correct the Jinja2 at this line")


def _undeclared(folder: Folder) -> Iterator[Found]:
    known = {*folder.required, *folder.optional, *HTML.globals}
    for source in folder.sources:
        used = meta.find_undeclared_variables(source.tree) if source.template else set()
        for name in sorted(used - known):
            line = next((each.lineno for each in source.tree.find_all(nodes.Name) if each.name == name), 1)
            remedy = "add it to requiredVariables or optionalVariables in metadata.json"
            yield source.found(line, f"the variable '{name}' is not declared", remedy)


def _unguarded(folder: Folder) -> Iterator[Found]:
    for source in folder.sources:
        for sample in folder.samples() if source.template else ():
            try:
                _rendered(source, sample)
            except UndefinedError as error:
                name = (re.search(r"'(\w+)' is undefined", str(error)) or [None, ""])[1]
                if name in folder.optional:
                    remedy = f"write {{% if {name} is defined %}} around it, or {name} | default('')"
                    problem = f"the optional variable '{name}' is used without being tested"
                    yield source.found(line_of(error) or 1, problem, remedy)
            except FAULTS:  # sample values are no real ones, so other errors say nothing
                continue


def _rendered(source: Source, sample: Mapping[str, Any]) -> str:
    template = source.template
    return safely(lambda: template.render(sample)) if template else ""


def _unescaped(folder: Folder) -> Iterator[Found]:
    remedy = "leave it out: values are escaped for HTML, and markup belongs into the template"
    html = folder.sources[0]
    for node in html.tree.find_all(nodes.Filter):
        if node.name == "safe":
            yield html.found(node.lineno, "|safe puts a value into the HTML unescaped", remedy)
    for modifier in html.tree.find_all(nodes.EvalContextModifier):
        if any(option.value != nodes.Const(True) for option in modifier.options):
            yield html.found(modifier.lineno, "escaping is turned off", remedy)
    for match in BARE_ATTRIBUTE.finditer(html.text):
        problem = "the attribute has no quotes, so a value with a space would end it"
        yield html.found(line_at(html.text, match.end()), problem, 'write quotes: href="{{ … }}"')


def _other_templates(folder: Folder) -> Iterator[Found]:
    for source in folder.sources:
        for node in source.tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
            yield source.found(node.lineno, "a template can't use another one", "write its text here")


def _links(folder: Folder) -> Iterator[Found]:
    html, *others = folder.sources
    remedy = "begin it with https://: clients warn of anything else, or don't follow it"
    for match in LINK.finditer(html.text):
        if match[1] and not match[1].lower().startswith(GOOD_SCHEMES):
            yield html.found(line_at(html.text, match.start(1)), f"the link {match[1]} is not https", remedy)
    for source in others:
        for match in OPEN_LINK.finditer(source.text):
            line = line_at(source.text, match.start())
            yield source.found(line, f"the link {match[0]} is not https", remedy)


def _headers(folder: Folder) -> Iterator[Found]:
    """What is written out in metadata.json and would be refused with each mail."""
    for source in folder.sources:
        try:
            _check_header(source)
        except ValueError as error:
            yield source.found(1, str(error), "correct it, for every mail would be refused")


def _check_header(source: Source) -> None:
    if not source.key or not source.text.strip() or "{" in source.text:
        return
    match source.key:
        case "senderEmail" | "replyTo":
            address(source.text.strip(), source.key)
        case "unsubscribe.url":
            list_unsubscribe(source.text.strip(), "")
        case "unsubscribe.mailto":
            list_unsubscribe("", source.text.strip())
        case _:
            one_line(source.text, source.key)


LOOKS: Sequence[Callable[[Folder], Iterator[Found]]] = (
    _syntax,
    _undeclared,
    _unguarded,
    _unescaped,
    _other_templates,
    _links,
    _headers,
)


def line_at(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def line_of_key(text: str, key: str) -> int:
    return line_at(text, max(text.find(f'"{key}"'), 0))
