"""The page on templates: its example passes the check, and its tables say what the code does."""

import re
from pathlib import Path

from consumers.template_check import check
from consumers.template_folders import starter_folders
from consumers.templates import METADATA

PAGE = (Path(__file__).parents[2] / "docs" / "TEMPLATES.md").read_text(encoding="utf-8")


def block(file: str) -> str:
    found: str = re.findall(rf"`{re.escape(file)}`:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL)[0]
    return found


def test_the_example_passes_the_check() -> None:
    files = ("template.html", "template.txt", "metadata.json")
    assert check("appointment", {file: block(file) for file in files}) == []


def test_every_key_of_the_metadata_is_explained() -> None:
    table = PAGE.split("## metadata.json")[1].split("## Variables")[0]
    assert (
        set(re.findall(r"`(\w+)`", re.sub(r"\|[^|]*\|$", "|", table, flags=re.MULTILINE))) >= METADATA.keys()
    )


def test_every_starter_template_is_named() -> None:
    assert {name for name in starter_folders() if f"`{name}`" not in PAGE} == set()
