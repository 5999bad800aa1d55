"""What is wrong with a template folder, found before it costs a mail: file, line, problem, remedy."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

from consumers.template_looks import LOOKS, Folder, Found, line_at, line_of_key
from consumers.templates import FILES, LARGEST_FILE, METADATA
from pipeline.requests import TEMPLATE_NAME

__all__ = ["Finding", "check"]

PRIORITIES = {"bulk", "transactional"}
PURPOSES = {
    "template.html": "it: the mail as most people see it",
    "template.txt": "it: the text part, for those who read no HTML",
    "metadata.json": "it: the subject and the names of the variables",
}

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
        place = "/".join(part for part in (self.template, self.file) if part)
        return f"{place}{f':{self.line}' if self.line else ''}: {self.problem}; {self.remedy}"


def check(name: str, texts: Texts) -> list[Finding]:
    """All that is found wrong with the files of one template."""
    found = list(chain(_of_name(name), _of_files(texts), _of_metadata(texts.get("metadata.json", "{}"))))
    if not found:
        folder = Folder(texts)
        found = list(chain.from_iterable(look(folder) for look in LOOKS))
    places = {file: number for number, file in enumerate(("", *FILES))}
    found.sort(key=lambda each: (places[each[0]], each[1]))
    return [Finding(name, *each) for each in dict.fromkeys(found)]


def _of_name(name: str) -> Iterator[Found]:
    if not re.fullmatch(TEMPLATE_NAME, name):
        yield "", 0, "this can't be the name of a template", "use letters, digits, '.', '_' and '-'"


def _of_files(texts: Texts) -> Iterator[Found]:
    if not texts:
        yield "", 0, "there is no template in it", "add template.html, or begin the folder's name with '_'"
        return
    for file in FILES:
        if file not in texts:
            yield file, 0, "the file is missing", f"add {PURPOSES[file]}"
            continue
        size = len(texts[file].encode("utf-8", "surrogateescape"))
        if size > LARGEST_FILE:
            problem = f"the file has {size // 1024} KB, and {LARGEST_FILE // 1024} are allowed"
            yield file, 0, problem, "shorten it; mail clients cut far earlier"
        broken = re.search("[\ud800-\udfff]", texts[file])
        if broken:
            yield file, line_at(texts[file], broken.start()), "this is not UTF-8", "save the file as UTF-8"


def _of_metadata(text: str) -> Iterator[Found]:
    try:
        metadata = json.loads(text)
    except json.JSONDecodeError as error:
        yield "metadata.json", error.lineno, f"this is no JSON: {error.msg}", "correct it at this line"
        return
    except RecursionError:
        yield "metadata.json", 1, "it is nested too deeply", "see docs/TEMPLATES.md"
        return
    if not isinstance(metadata, dict):
        yield "metadata.json", 1, "this is no JSON object", "write { … }"
        return
    for key, value in metadata.items():
        yield from (("metadata.json", line_of_key(text, key), *fault) for fault in _of_key(key, value))


def _of_key(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if key not in METADATA:
        yield f"'{key}' is no key of metadata.json", f"use {', '.join(METADATA)}"
    elif not METADATA[key](value):
        yield f"'{key}' has a value of the wrong kind", f"write {_wanted(key)}"
    elif key == "priority" and "{" not in value and value not in PRIORITIES:
        yield f"'{value}' is no priority", f"write {' or '.join(sorted(PRIORITIES))}"


def _wanted(key: str) -> str:
    if key == "unsubscribe":
        return '{"url": "https://…", "mailto": "…"}, or one of them'
    return "a list of names of variables" if key.endswith("Variables") else "a string"
