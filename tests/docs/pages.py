"""The pages for users, and what can be taken out of them."""

import re
from pathlib import Path

__all__ = ["DOCS", "GUIDE", "blocks", "inline", "section", "table"]

ROOT = Path(__file__).parents[2]
DOCS = {page: (ROOT / "docs" / page).read_text(encoding="utf-8") for page in ("INTEGRATION.md", "STATUS.md")}
GUIDE = (ROOT / "tests" / "infra" / "guide.md").read_text(encoding="utf-8")
FENCED = re.compile(r"^[ ]*```.*?^[ ]*```", re.DOTALL | re.MULTILINE)


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks, without the indentation of a list they stand in."""
    return re.findall(rf"^[ ]*```{language}\n(.*?)^[ ]*```", text, re.DOTALL | re.MULTILINE)


def inline(text: str) -> list[str]:
    """Code inside sentences and tables."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def section(page: str, heading: str) -> str:
    """From a heading to the next one."""
    text = re.split(rf"^#+ {re.escape(heading)}$", DOCS[page], flags=re.MULTILINE)[1]
    return text[: f"{_without_comments(text)}\n#".index("\n#")]


def _without_comments(text: str) -> str:
    """Of the same length: a comment in a block begins as a heading does."""
    return FENCED.sub(lambda block: block[0].replace("#", " "), text)


def table(text: str) -> list[list[str]]:
    """The rows of the first table, without its head."""
    lines = [line for line in text.split("\n") if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
