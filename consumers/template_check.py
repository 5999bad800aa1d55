"""What is wrong with a template folder, found before it costs a mail: file, line, problem, remedy."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, UndefinedError, meta, nodes

from consumers.templates import FAULTS, FILES, HTML, LARGEST_FILE, METADATA, TEXT, metadata_strings, safely
from pipeline.requests import TEMPLATE_NAME

__all__ = ["Finding", "check"]

SAMPLE = "https://example.com/sample"

Texts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """`line` is 0 where the fault lies in no particular one."""

    template: str
    file: str
    line: int
    problem: str
    remedy: str

    def as_dict(self) -> dict[str, str | int]:
        return asdict(self)

    def __str__(self) -> str:
        place = f"{self.template}/{self.file}" + (f":{self.line}" if self.line else "")
        return f"{place}: {self.problem}; {self.remedy}"


Found = tuple[str, int, str, str]  # a finding but for the template's name


def check(name: str, texts: Texts) -> list[Finding]:
    """All that is found wrong with the files of one template."""
    found = list(_of_files(name, texts))
    if not found:
        found = list(chain.from_iterable(look(_Folder(texts)) for look in _LOOKS))
    return [Finding(name, *each) for each in dict.fromkeys(found)]


def _of_files(name: str, texts: Texts) -> Iterator[Found]:
    if not re.fullmatch(TEMPLATE_NAME, name):
        yield "", 0, f"'{name}' can't be the name of a template", "use letters, digits, '.', '_' and '-'"
    for file in FILES:
        if file not in texts:
            yield (
                file,
                0,
                "the file is missing",
                f"add {file}; a mail has an HTML part, a text part and metadata",
            )
        elif len(texts[file].encode()) > LARGEST_FILE:
            yield (
                file,
                0,
                f"the file is larger than {LARGEST_FILE // 1024} KB",
                "shorten it; mail clients cut far earlier",
            )
    yield from _of_metadata(texts.get("metadata.json", "{}"))


def _of_metadata(text: str) -> Iterator[Found]:
    try:
        metadata = json.loads(text)
    except json.JSONDecodeError as error:
        yield "metadata.json", error.lineno, f"this is no JSON: {error.msg}", "correct it at this line"
        return
    if not isinstance(metadata, dict):
        yield "metadata.json", 1, "this is no JSON object", "write { … }"
        return
    for key, value in metadata.items():
        line = _line_of(text, f'"{key}"')
        if key not in METADATA:
            yield "metadata.json", line, f"'{key}' is no key of metadata.json", f"use {', '.join(METADATA)}"
        elif not METADATA[key](value):
            yield "metadata.json", line, f"'{key}' has a value of the wrong kind", "see docs/TEMPLATES.md"


class _Folder:
    """A template's sources: each file, and each string of the metadata, with what compiles it."""

    def __init__(self, texts: Texts) -> None:
        self.texts = texts
        self.metadata: dict[str, Any] = json.loads(texts["metadata.json"])
        self.required: Sequence[str] = self.metadata.get("requiredVariables", [])
        self.optional: Sequence[str] = self.metadata.get("optionalVariables", [])

    def sources(self) -> Iterator[tuple[str, int, str, Environment]]:
        """Each as (file, lines before, source, environment)."""
        yield "template.html", 0, self.texts["template.html"], HTML
        yield "template.txt", 0, self.texts["template.txt"], TEXT
        for key, value in metadata_strings(self.metadata):
            line = _line_of(self.texts["metadata.json"], f'"{key.rpartition(".")[2]}"')
            yield "metadata.json", line - 1, value, TEXT

    def trees(self) -> Iterator[tuple[str, int, nodes.Template]]:
        """Those that can be parsed."""
        for file, before, source, environment in self.sources():
            try:
                yield file, before, environment.parse(source)
            except TemplateSyntaxError:
                continue


def _syntax(folder: _Folder) -> Iterator[Found]:
    for file, before, source, environment in folder.sources():
        try:
            safely(partial(environment.from_string, source))
        except TemplateSyntaxError as error:
            yield file, before + error.lineno, f"{error.message}", "correct the Jinja2 at this line"
        except FAULTS as error:
            yield file, before + 1, f"it can't be compiled: {error}", "make it simpler"


def _undeclared(folder: _Folder) -> Iterator[Found]:
    declared = {*folder.required, *folder.optional}
    known = set(HTML.globals)
    for file, before, tree in folder.trees():
        for name in sorted(meta.find_undeclared_variables(tree) - declared - known):
            line = before + next((n.lineno for n in tree.find_all(nodes.Name) if n.name == name), 1)
            remedy = "add it to requiredVariables or optionalVariables in metadata.json"
            yield file, line, f"the variable '{name}' is not declared", remedy


def _unguarded(folder: _Folder) -> Iterator[Found]:
    """Rendered with the required variables alone, and with each optional one besides."""
    required = dict.fromkeys(folder.required, SAMPLE)
    declared = {*folder.required, *folder.optional}
    for file, before, source, environment in folder.sources():
        for given in (required, *(required | {name: SAMPLE} for name in folder.optional)):
            try:
                safely(partial(_rendered, environment, source, given))
            except UndefinedError as error:
                name = (re.search(r"'(\w+)' is undefined", str(error)) or [None, None])[1]
                if name in declared:
                    remedy = f"write {{% if {name} is defined %}} around it, or {name} | default('')"
                    problem = f"the optional variable '{name}' is used without being tested"
                    yield file, before + _line_in_template(error), problem, remedy
            except FAULTS:  # sample values are no real ones, so other errors say nothing
                continue


def _rendered(environment: Environment, source: str, given: Mapping[str, str]) -> str:
    return environment.from_string(source).render(given)


def _unescaped(folder: _Folder) -> Iterator[Found]:
    remedy = "leave it out: values are escaped for HTML, and markup belongs into the template"
    for file, before, tree in folder.trees():
        if file == "template.html":
            for node in tree.find_all(nodes.Filter):
                if node.name in ("safe", "forceescape"):
                    yield (
                        file,
                        before + node.lineno,
                        f"|{node.name} puts values into the HTML unescaped",
                        remedy,
                    )
            for modifier in tree.find_all(nodes.EvalContextModifier):
                yield file, before + modifier.lineno, "escaping is turned off", remedy
        for other in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
            yield file, before + other.lineno, "a template can't use another one", "write its text here"


def _insecure_links(folder: _Folder) -> Iterator[Found]:
    html = folder.texts["template.html"]
    for found in re.finditer(
        r"""(?:href|src|background)\s*=\s*["']?\s*(http:[^"'\s>]*)""", html, re.IGNORECASE
    ):
        line = html.count("\n", 0, found.start()) + 1
        yield (
            "template.html",
            line,
            f"the link {found[1]} is not https",
            "use https: clients warn of anything else",
        )


_LOOKS: tuple[Callable[[_Folder], Iterator[Found]], ...] = (
    _syntax,
    _undeclared,
    _unguarded,
    _unescaped,
    _insecure_links,
)


def _line_of(text: str, part: str) -> int:
    at = text.find(part)
    return text.count("\n", 0, at) + 1 if at >= 0 else 1


def _line_in_template(error: BaseException) -> int:
    line, trace = 1, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
