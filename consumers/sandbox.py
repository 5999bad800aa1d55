"""Jinja2 environments for templates that nobody vouches for.

Jinja2's sandbox keeps a template from the process; `consumers.budget` bounds what it makes, and the
watchdog how long it takes. An operation that makes something large in one step is measured before it.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import islice
from typing import Any

from jinja2 import StrictUndefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context, markup_join, str_join
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from consumers.budget import TooLarge, spend, spent_on, weight

__all__ = ["html_environment", "text_environment"]

WIDEST = 1_000
BITS = 4_096


class _MeasuredCode(CodeGenerator):
    """Code that has its concatenations and literals weighed."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802  Jinja2's name
        self.write("environment.joined((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def visit_List(self, node: nodes.List, frame: Frame) -> None:  # noqa: N802
        self._weighed(super().visit_List, node, frame)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:  # noqa: N802
        if node.ctx == "load":
            self._weighed(super().visit_Tuple, node, frame)
        else:
            super().visit_Tuple(node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802
        self._weighed(super().visit_Dict, node, frame)

    def _weighed(self, visit: Callable[[Any, Frame], None], node: nodes.Node, frame: Frame) -> None:
        if all(isinstance(part, nodes.Const) for part in node.iter_child_nodes()):
            return visit(node, frame)
        self.write("environment.spent_on(")
        visit(node, frame)
        self.write(")")
        return None


class _Environment(ImmutableSandboxedEnvironment):
    code_generator_class = _MeasuredCode
    intercepted_binops = frozenset({"+", "*", "**", "%"})
    spent_on = staticmethod(spent_on)

    def joined(self, parts: tuple[Any, ...]) -> str:
        spend(sum(len(part) if isinstance(part, str) else weight(part) for part in parts))
        return markup_join(parts) if self.autoescape else str_join(parts)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        _BEFORE_OPERATOR[operator](left, right)
        return spent_on(super().call_binop(context, operator, left, right))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Methods of strings only as far as they are known to make nothing large."""
        if isinstance(obj, str) and callable(value) and attr not in _BEFORE_METHOD:
            return False
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Any:
        """`str.format` and `str.format_map` in Jinja2's own safe form, measured."""
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None

        def measured(*args: Any, **kwargs: Any) -> Any:
            _narrow_format(value.__self__, args, kwargs)
            return spent_on(wrapped(*args, **kwargs))

        return measured

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, str):
            spend(weight(args) + weight(kwargs))
            _BEFORE_METHOD[obj.__name__](owner, *args, *kwargs.values())
        made = super().call(context, obj, *args, **kwargs)
        return spent_on(made) if isinstance(made, str | list | dict) else made


def html_environment() -> _Environment:
    return _environment(autoescape=True)


def text_environment() -> _Environment:
    return _environment(autoescape=False)


def _environment(*, autoescape: bool) -> _Environment:
    environment = _Environment(autoescape=autoescape, undefined=StrictUndefined)
    vars(environment)["concat"] = _concat  # what joins the output, macros and captured blocks
    del environment.globals["lipsum"]
    environment.globals["namespace"] = _Namespace
    for name in environment.filters.keys() - _NEVER_LARGE:
        environment.filters[name] = _measured(environment.filters[name], _BEFORE_FILTER.get(name, _nothing))
    return environment


def _concat(parts: Iterable[str]) -> str:
    kept: list[str] = []
    waiting = iter(parts)
    while some := list(islice(waiting, 32)):
        spend(sum(map(len, some)))
        kept += some
    return "".join(kept)


class _Namespace(Namespace):
    """A namespace may hold one text many times: it is not written out."""

    def __repr__(self) -> str:
        return "<namespace>"


def _measured(filter_function: Callable[..., Any], before: Callable[..., None]) -> Callable[..., Any]:
    """The filter, weighed; some take Jinja2's context or environment first."""
    passed = 1 if hasattr(filter_function, "jinja_pass_arg") else 0

    def measured(*args: Any, **kwargs: Any) -> Any:
        before(*args[passed:], *kwargs.values())
        made = filter_function(*args, **kwargs)
        return spent_on(made) if isinstance(made, str | list | dict) else made

    vars(measured).update(getattr(filter_function, "__dict__", {}))
    return measured


def _nothing(*_: Any) -> None:
    pass


def _narrow(_: Any, *arguments: Any) -> None:
    if any(isinstance(each, int) and abs(each) > WIDEST for each in arguments):
        raise TooLarge(f"it asks for a width of more than {WIDEST}")


def _narrow_format(template: Any, *arguments: Any) -> None:
    """Widths and precisions of %-formats and of `str.format`, also those taken from the arguments."""
    if not _is_narrow(str(template)):
        raise TooLarge(f"it asks for a format that may be wider than {WIDEST}")
    spend(weight(arguments))


@lru_cache(maxsize=1_000)
def _is_narrow(template: str) -> bool:
    return not re.search(r"\d{4}|%[^%a-zA-Z]*\*|{[^}]*{", template)


def _remainder(left: Any, right: Any) -> None:
    if isinstance(left, str):
        _narrow_format(left, right)


def _product(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        _few_bits(left.bit_length() + right.bit_length())
    for value, times in ((left, right), (right, left)):
        if isinstance(value, str | list | tuple) and isinstance(times, int):
            spend(weight(value) * max(times, 0))


def _power(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        _few_bits(left.bit_length() * abs(right))


def _few_bits(bits: int) -> None:
    if bits > BITS:
        raise TooLarge(f"it makes a number of more than {BITS} bits")


def _replaced(text: Any, old: Any = "", new: Any = "", *_: Any) -> None:
    text, old, new = str(text), str(old), str(new)
    spend((text.count(old) if old else len(text) + 1) * len(new))


def _joined(joiner: Any, values: Any = (), *_: Any) -> None:
    if isinstance(values, list | tuple):
        spend(len(str(joiner)) * len(values))


_BEFORE_OPERATOR: dict[str, Callable[[Any, Any], None]] = {
    "+": _nothing,
    "*": _product,
    "**": _power,
    "%": _remainder,
}
_BEFORE_METHOD: dict[str, Callable[..., None]] = {
    **dict.fromkeys(
        [
            "capitalize",
            "casefold",
            "count",
            "endswith",
            "find",
            "index",
            "isalnum",
            "isalpha",
            "isdecimal",
            "isdigit",
            "islower",
            "isnumeric",
            "isspace",
            "istitle",
            "isupper",
            "lower",
            "lstrip",
            "partition",
            "removeprefix",
            "removesuffix",
            "rfind",
            "rindex",
            "rpartition",
            "rsplit",
            "rstrip",
            "split",
            "splitlines",
            "startswith",
            "strip",
            "swapcase",
            "title",
            "upper",
            "unescape",
            "striptags",
        ],
        _nothing,
    ),
    **dict.fromkeys(("center", "ljust", "rjust", "zfill", "expandtabs"), _narrow),
    "replace": _replaced,
    "join": _joined,
    "format": _narrow_format,
}
_BEFORE_FILTER: dict[str, Callable[..., None]] = {
    **dict.fromkeys(("center", "indent", "tojson", "batch", "slice", "wordwrap"), _narrow),
    "format": _narrow_format,
    "replace": _replaced,
    "join": lambda values, joiner="", *_: _joined(joiner, values),
}
# Filters whose result is no larger than what they are given: not worth the weighing.
_NEVER_LARGE = {
    *("abs", "attr", "capitalize", "count", "d", "default", "e", "escape", "first", "float", "int", "last"),
    *(
        "length",
        "lower",
        "max",
        "min",
        "random",
        "round",
        "safe",
        "string",
        "striptags",
        "title",
        "trim",
        "upper",
    ),
    *("wordcount",),
}
