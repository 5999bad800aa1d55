"""What rendering costs beside bare Jinja2: of the same compiled templates, and of plain ones without a sandbox."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined

from consumers.rendering import render
from consumers.template_folders import starter_folders
from consumers.templates import compiled, metadata_strings
from pipeline.requests import parse

ROUNDS = 15
RENDERS = 40
SAMPLES = Path(__file__).parents[2] / "templates" / "_source" / "samples"


def microseconds(action: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    for _ in range(RENDERS):
        action()
    return (time.perf_counter() - begun) / RENDERS * 1e6


@pytest.mark.bench
def test_rendering_against_bare_jinja2() -> None:
    print(f"\n{'template':28}{'render':>10}{'same bare':>12}{'plain':>10}{'x bare':>9}{'x plain':>9}")  # noqa: T201
    for name, texts in starter_folders().items():
        data = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
        request = parse({"to": "ana@example.com", "templateName": name, "templateData": data})
        template = compiled(name, texts["template.html"], texts["template.txt"], texts["metadata.json"])
        same = [template.html, *([template.text] if template.text else []), *template.strings.values()]
        html, text = (
            Environment(autoescape=True, undefined=StrictUndefined),
            Environment(undefined=StrictUndefined),
        )
        plain = [html.from_string(texts["template.html"]), text.from_string(texts["template.txt"])]
        plain += [text.from_string(each) for _, each in metadata_strings(json.loads(texts["metadata.json"]))]
        actions = (
            lambda template=template, request=request: render(template, request, ("", "a@b.example")),
            lambda same=same, data=data: [each.render(data) for each in same],
            lambda plain=plain, data=data: [each.render(data) for each in plain],
        )
        figures = [
            median(column)
            for column in zip(*([microseconds(a) for a in actions] for _ in range(ROUNDS)), strict=True)
        ]
        ours, bare, unboxed = figures
        print(  # noqa: T201
            f"{name:28}{ours:7.0f} µs{bare:9.0f} µs{unboxed:7.0f} µs{ours / bare:9.2f}{ours / unboxed:9.2f}"
        )
