"""A pipe's InputTemplate: text with variables such as `<$.body.mail.messageId>` or `<aws.pipes.event.json>`.

Outside quotes a variable becomes JSON (a string with quotes), inside quotes text; what isn't there becomes
null or nothing. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-input-transformation.html
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from infra.embedded.json_path import PathNotFound, at

__all__ = ["render"]

VARIABLE = re.compile(r"<(\$[^<>]*|aws\.pipes\.[A-Za-z.-]+)>")
QUOTE = re.compile(r'(?<!\\)(?:\\\\)*"')


class Part(NamedTuple):
    """Literal text, then a variable (the last part has none), which may be inside quotes."""

    text: str
    variable: str
    quoted: bool


def render(template: str, event: Mapping[str, Any], reserved: Mapping[str, Any]) -> str:
    """`reserved` holds the variables that begin with `aws.pipes.`."""
    return "".join(part.text + _value(part, event, reserved) for part in _parts(template))


@cache
def _parts(template: str) -> tuple[Part, ...]:
    parts, quoted = [], False
    pieces = VARIABLE.split(template)  # text and variables alternate
    for text, variable in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
        quoted ^= len(QUOTE.findall(text)) % 2 == 1
        parts.append(Part(text, variable, quoted))
    return tuple(parts)


def _value(part: Part, event: Mapping[str, Any], reserved: Mapping[str, Any]) -> str:
    if not part.variable:
        return ""
    try:
        value = at(event, part.variable) if part.variable.startswith("$") else reserved[part.variable]
    except (PathNotFound, KeyError):
        return "" if part.quoted else "null"
    if not part.quoted:
        return _json(value)
    return _json(value if isinstance(value, str) else _json(value))[1:-1]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
