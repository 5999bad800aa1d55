"""A template folder, read and compiled. Templates are untrusted code: see `consumers.sandbox`."""

import gc
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from jinja2 import Environment, Template, TemplateSyntaxError

from consumers.budget import renew
from consumers.mail import Refusal
from consumers.sandbox import html_environment, text_environment
from consumers.watchdog import Watchdog

__all__ = [
    "FAULTS",
    "FILES",
    "HTML",
    "LARGEST_FILE",
    "METADATA",
    "TEXT",
    "Compiled",
    "Templates",
    "compiled",
    "metadata_strings",
    "safely",
    "said",
]

FILES = ("template.html", "template.txt", "metadata.json")
LARGEST_FILE = 256 * 1024
SECONDS = 0.8

FAULTS = Exception
"""Whatever a template's code raises: the sandbox and the limits leave it nothing but itself to fail at."""

HTML, TEXT = html_environment(), text_environment()
_watchdog, _turn = Watchdog(SECONDS), threading.Lock()
Result = TypeVar("Result")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) and each.isidentifier() for each in value)


def _is_unsubscribe(value: Any) -> bool:
    return (
        isinstance(value, dict) and value.keys() <= {"url", "mailto"} and all(map(_is_text, value.values()))
    )


METADATA: Mapping[str, Callable[[Any], bool]] = {
    "subject": _is_text,
    "senderName": _is_text,
    "senderEmail": _is_text,
    "replyTo": _is_text,
    "priority": _is_text,
    "version": _is_text,
    "unsubscribe": _is_unsubscribe,
    "requiredVariables": _is_names,
    "optionalVariables": _is_names,
}
"""The keys of metadata.json, and what a value must be."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """`strings` has the templates of metadata.json by key, as `subject` or `unsubscribe.url`."""

    name: str
    html: Template
    text: Template | None
    strings: Mapping[str, Template]
    required: tuple[str, ...] = ()


class Templates(Protocol):
    def get(self, name: str) -> Compiled:
        """Raises Refusal if there is no such template or it can't be compiled."""
        ...


def safely(action: Callable[[], Result]) -> Result:
    """Run a template's code within its limits of time and size. Raises one of FAULTS.

    One at a time: the interpreter has no two at once anyway, and so what a hostile one makes is there once.
    """
    with _turn, _uncollected():
        renew()
        return _watchdog.call(action)


@contextmanager
def _uncollected() -> Iterator[None]:
    """The collector waits: it runs other code's callbacks, which must not find the stack used up by a template."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def said(error: BaseException) -> str:
    """What is wrong, in words for the template's author."""
    if isinstance(error, TemplateSyntaxError):
        return f"line {error.lineno}: {(error.message or '').removesuffix('.')}"
    if isinstance(error, RecursionError):
        return "it is nested, or calls itself, too deeply"
    if isinstance(error, MemoryError):
        return "it is nested too deeply or takes too much memory"
    return str(error).removesuffix(".") or type(error).__name__


def compiled(name: str, html: str, text: str | None, metadata: str) -> Compiled:
    """Raises Refusal naming the fault."""
    try:
        return safely(lambda: _compiled(name, html, text, metadata))
    except FAULTS as error:
        sentence = f"template '{name}' can't be used: {said(error)}"
        raise Refusal(
            "TEMPLATE_INVALID", f"{sentence}; `sesmailengine templates check` tells more"
        ) from error


def _compiled(name: str, html: str, text: str | None, metadata: str) -> Compiled:
    found = _metadata(metadata)
    return Compiled(
        name,
        _part(FILES[0], HTML, html),
        _part(FILES[1], TEXT, text) if text is not None else None,
        {key: _part(f"'{key}' in {FILES[2]}", TEXT, value) for key, value in metadata_strings(found)},
        tuple(found.get("requiredVariables", ())),
    )


def _part(place: str, environment: Environment, source: str) -> Template:
    try:
        return environment.from_string(source)
    except FAULTS as error:
        raise ValueError(f"{place}: {said(error)}") from error


def _metadata(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{FILES[2]}: this is no JSON: {said(error)}") from error
    if not isinstance(found, dict):
        raise TypeError(f"{FILES[2]} must hold an object")
    wrong = [key for key, value in found.items() if key in METADATA and not METADATA[key](value)]
    if wrong:
        raise TypeError(f"'{wrong[0]}' in {FILES[2]} has a value of the wrong kind")
    return found


def metadata_strings(metadata: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The strings of metadata.json that are templates, by key; keys that mean nothing are none of them."""
    for key, value in metadata.items():
        if key in METADATA and isinstance(value, str):
            yield key, value
    for key, value in metadata.get("unsubscribe", {}).items():
        yield f"unsubscribe.{key}", value
