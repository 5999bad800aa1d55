"""What rendering a loaded template costs, against Jinja2 alone: the same compiled templates, and unsandboxed ones."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined, Template

from consumers.budget import renew
from consumers.rendering import HEADERS, render
from consumers.template_folders import starter_folders, starter_sample
from consumers.templates import Compiled, compiled, metadata_strings
from pipeline import requests

ROUNDS, TIMES = 15, 20
PLAIN_HTML = Environment(autoescape=True, undefined=StrictUndefined)
PLAIN_TEXT = Environment(autoescape=False, undefined=StrictUndefined)


@pytest.mark.bench
def test_rendering_against_jinja2_alone() -> None:
    """A mail is the HTML, the text and the strings of metadata.json that headers are made of."""
    report = ["\nmicroseconds a mail, medians, in turn:          render   bare  plain   of bare  of plain"]
    for name, texts in starter_folders().items():
        template = compiled(name, texts["template.html"], texts["template.txt"], texts["metadata.json"])
        data = starter_sample(name) or {}
        asked = {"to": "ana@example.com", "templateName": name, "templateData": data}
        request = requests.parse(asked)
        whole, bare, plain = in_turn(
            lambda: render(template, request, ("", "hello@acme.example")),  # noqa: B023  called at once
            rendering(parts_of(template), data),
            rendering(plain_parts(texts), data),
        )
        ratios = f"{whole / bare:9.2f} {whole / plain:9.2f}"
        report.append(f"{name:45} {whole:8.0f} {bare:6.0f} {plain:6.0f} {ratios}")
    print("\n".join(report))  # noqa: T201  a benchmark's report


def parts_of(template: Compiled) -> list[Template]:
    strings = [template.strings[key] for key in HEADERS if key in template.strings]
    return [template.html, *([template.text] if template.text else []), *strings]


def plain_parts(texts: Mapping[str, str]) -> list[Template]:
    strings = dict(metadata_strings(json.loads(texts["metadata.json"])))
    return [
        PLAIN_HTML.from_string(texts["template.html"]),
        PLAIN_TEXT.from_string(texts["template.txt"]),
        *(PLAIN_TEXT.from_string(strings[key]) for key in HEADERS if key in strings),
    ]


def rendering(parts: Sequence[Template], data: Mapping[str, Any]) -> Callable[[], Any]:
    return lambda: [part.render(data) for part in parts]


def in_turn(*actions: Callable[[], Any]) -> list[float]:
    """Microseconds of each, the median of rounds in which they take turns."""
    taken: list[list[float]] = [[] for _ in actions]
    for _ in range(ROUNDS):
        for action, times in zip(actions, taken, strict=True):
            renew(10**12)  # what is rendered outside the sender has no budget of its own
            begun = time.perf_counter()
            for _ in range(TIMES):
                action()
            times.append((time.perf_counter() - begun) / TIMES)
    return [1e6 * median(times) for times in taken]
