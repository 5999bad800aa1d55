"""The starter templates' HTML, made from the one design in `templates/_source/`.

A mail client reads style attributes; a designer reads a stylesheet. This puts the layout around the words
of each mail, writes `inlined.css` into style attributes, and leaves `kept.css` (media queries) in the head:

    python -m infra.inline_templates            writes templates/{name}/template.html
    python -m infra.inline_templates --check    says which of them differ, exit 1

While templates are built, what stands in square brackets (`[[ … ]]`, `[% … %]`) is carried out; what stands in
braces is left for the sender. The plain-text twins and metadata.json are written by hand.
"""

from __future__ import annotations

import re
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import css_inline
from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TagLost", "TagsHidden", "build", "main", "names", "rendered"]

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
SOURCE = TEMPLATES / "_source"

NOTICE = "{#- Made from templates/_source by infra/inline_templates.py: change it there. -#}\n"
LEFT_FOR_THE_SENDER = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|&#?\w+;", re.DOTALL)
BLANK_LINES = re.compile(r"\n\s*\n+")


class TagLost(ValueError):
    """The HTML parser dropped, doubled or moved into text what the sender needs: mend the source."""


class TagsHidden:
    """Keeps Jinja2 away from an HTML parser, which would move or escape it.

    A statement becomes a comment, since a comment may stand between the rows of a table; an expression (and an
    entity, which would come back as another spelling) becomes a word, since it may stand in an attribute.
    """

    def __init__(self, html: str) -> None:
        self._tags: dict[str, str] = {}
        self._numbers = count(1)
        self.html = LEFT_FOR_THE_SENDER.sub(self._hide, html)

    def _hide(self, match: re.Match[str]) -> str:
        tag = match[0]
        token = f"kept{next(self._numbers)}tag"
        if tag.startswith(("{%", "{#")):
            token = f"<!--{token}-->"
        self._tags[token] = tag
        return token

    def shown(self, html: str) -> str:
        """The same tags at their places. Raises TagLost unless each is there exactly once."""
        for token, tag in self._tags.items():
            if html.count(token) != 1:
                raise TagLost(f"{tag} came back {html.count(token)} times from inlining")
            html = html.replace(token, tag)
        return html


def names() -> Iterator[str]:
    return (path.stem for path in sorted((SOURCE / "mails").glob("*.html")))


def rendered(name: str) -> str:
    """One mail's HTML with its stylesheet still apart: layout and words put together."""
    environment = Environment(
        loader=FileSystemLoader(SOURCE),
        autoescape=False,  # noqa: S701  its input is our own source; the sender's environment escapes
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
    )
    kept_css = (SOURCE / "kept.css").read_text(encoding="utf-8").strip()
    return environment.get_template(f"mails/{name}.html").render(kept_css=kept_css)


def build(name: str) -> str:
    hidden = TagsHidden(rendered(name))
    inliner = css_inline.CSSInliner(
        keep_style_tags=True,
        load_remote_stylesheets=False,
        extra_css=(SOURCE / "inlined.css").read_text(encoding="utf-8"),
    )
    html = hidden.shown(inliner.inline(hidden.html)).replace(' data-css-inline="ignore"', "")
    return NOTICE + BLANK_LINES.sub("\n", html).strip() + "\n"


def main(arguments: list[str]) -> int:
    stale = []
    for name in names():
        target = TEMPLATES / name / "template.html"
        html = build(name)
        if target.exists() and target.read_text(encoding="utf-8") == html:
            continue
        stale.append(name)
        if "--check" not in arguments:
            target.parent.mkdir(exist_ok=True)
            target.write_text(html, encoding="utf-8")
    for name in stale:
        sys.stdout.write(f"{name}: {'differs from its source' if '--check' in arguments else 'written'}\n")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
