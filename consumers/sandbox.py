"""Jinja2 environments for templates that nobody vouches for.

Jinja2's sandbox keeps a template from the process; `consumers.budget` bounds what it makes, and the
watchdog how long it takes. Whatever makes a text, a list or a number is weighed; what makes something large
in one step, or is long at it in C code, is measured before it begins.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

from jinja2 import BaseLoader, StrictUndefined, TemplateError, TemplateRuntimeError, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, Undefined, markup_join, str_join
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Namespace
from markupsafe import escape

from consumers.budget import TooLarge, gathered, made, spend, weight
from consumers.formats import formatted
from consumers.measures import FILTERS, METHODS, OPERATORS

__all__ = ["html_environment", "text_environment"]

MOST_CODE = 750_000  # characters of Python; compiling takes some 130 times as many bytes
LARGEST_LITERAL = 10**18
PIECES = 128
SMALL = 256  # a piece of output of this size is weighed with its neighbours
LAZY = {"batch", "items", "map", "reject", "rejectattr", "reverse", "select", "selectattr", "slice", "unique"}
"""Filters that make one thing after the other: in a sandbox, they make a list."""
PASSED_ON = {"attr", "count", "d", "default", "first", "last", "length", "max", "min", "random"}
"""Filters that make nothing: what they give is there already."""
LEFT_OUT = {"pprint"}
METHOD_TYPES = (BuiltinFunctionType, FunctionType, MethodType, type)


class _MeasuredCode(CodeGenerator):
    """Code that has its outputs, concatenations, slices and literals weighed."""

    def _output_child_pre(self, _node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        if frame.eval_ctx.volatile:
            self.write("(environment.shown if context.eval_ctx.autoescape else environment.written)(")
        else:
            self.write(f"environment.{'shown' if frame.eval_ctx.autoescape else 'written'}(")
        if finalize.src is not None:
            self.write(finalize.src)

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        if not isinstance(node, nodes.TemplateData):
            _sayable(node.as_const(frame.eval_ctx))
        return super()._output_child_to_const(node, frame, finalize)

    def visit_Const(self, node: nodes.Const, frame: Frame) -> None:  # noqa: N802  Jinja2's name
        if isinstance(node.value, int) and abs(node.value) > LARGEST_LITERAL:
            raise TooLarge(f"it holds a number above {LARGEST_LITERAL:g}")
        super().visit_Const(node, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        self.write("environment.joined((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802
        self._weighed(super().visit_Getitem, node, frame, isinstance(node.arg, nodes.Slice))

    def visit_List(self, node: nodes.List, frame: Frame) -> None:  # noqa: N802
        self._weighed(super().visit_List, node, frame)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:  # noqa: N802
        self._weighed(super().visit_Tuple, node, frame, node.ctx == "load")

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802
        self._weighed(super().visit_Dict, node, frame)

    def _weighed(
        self, visit: Callable[[Any, Frame], None], node: nodes.Node, frame: Frame, wanted: bool = True
    ) -> None:
        self.write("environment.made(" if wanted else "")
        visit(node, frame)
        self.write(")" if wanted else "")


class _Environment(ImmutableSandboxedEnvironment):
    code_generator_class = _MeasuredCode
    intercepted_binops = frozenset(OPERATORS)
    made = staticmethod(made)

    def shown(self, value: Any) -> str:
        """A value in the output, escaped."""
        return _output(escape(value)) if type(value) is str else _output(escape(_sayable(value)))

    def written(self, value: Any) -> str:
        return _output(value) if type(value) is str else _output(str(_sayable(value)))

    def joined(self, parts: tuple[Any, ...]) -> str:
        spend(sum(map(weight, parts)))
        return markup_join(parts) if self.autoescape else str_join(parts)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        OPERATORS[operator](left, right)
        return made(super().call_binop(context, operator, left, right))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Of Python's own things, those methods that are known to make nothing large."""
        if isinstance(value, METHOD_TYPES) and not isinstance(obj, _TEMPLATE_THINGS):
            return attr in METHODS.get(type(obj), ())
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Any:
        """`str.format` and `str.format_map` in Jinja2's own safe form, measured."""
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None

        def measured(*args: Any, **kwargs: Any) -> Any:
            formatted(value.__self__, args, kwargs)
            return made(wrapped(*args, **kwargs))

        return measured

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, str):
            METHODS[str][obj.__name__](owner, *args, **kwargs)
        elif obj is Cycler or (isinstance(obj, Macro) and (obj.catch_varargs or obj.catch_kwargs)):
            spend(weight(args) + weight(kwargs))  # it makes them a thing of their own
        return made(super().call(context, obj, *args, **kwargs))

    def _compile(self, source: str, filename: str) -> CodeType:
        if len(source) > MOST_CODE:
            raise TooLarge("it holds too many expressions and tags")
        return super()._compile(source, filename)


def _output(text: str) -> str:
    if len(text) > SMALL:
        spend(len(text))
    return text


def _sayable(value: Any) -> Any:
    if isinstance(value, METHOD_TYPES):
        raise TemplateRuntimeError(f"it writes out a function, '{value.__name__}': call it with ()")
    return value


class _NoOthers(BaseLoader):
    def get_source(self, _environment: Any, _template: str) -> Any:
        raise TemplateError("a template can't use another one")


class _Namespace(Namespace):
    """A namespace may hold one text many times: it is not written out."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        _check_mappings(args[1:])
        Namespace.__init__(*args, **kwargs)

    def __repr__(self) -> str:
        return "<namespace>"


def _dict(*args: Any, **kwargs: Any) -> dict[Any, Any]:
    _check_mappings(args)
    return dict(*args, **kwargs)


def _check_mappings(values: Iterable[Any]) -> None:
    """From a list of pairs, C code would make a dict whose keys may collide."""
    if not all(isinstance(value, dict) for value in values):
        raise TypeError("write a dict as {key: value}")


_TEMPLATE_THINGS = (BlockReference, Cycler, LoopContext, Macro, Namespace, Undefined)


def html_environment() -> _Environment:
    return _environment(autoescape=True)


def text_environment() -> _Environment:
    return _environment(autoescape=False)


def _environment(*, autoescape: bool) -> _Environment:
    environment = _Environment(autoescape=autoescape, undefined=StrictUndefined, loader=_NoOthers())
    vars(environment)["concat"] = _concat  # what joins the output, macros and captured blocks
    del environment.globals["lipsum"]
    environment.globals.update(namespace=_Namespace, dict=_dict)
    for name in LEFT_OUT:
        del environment.filters[name]
    for name in environment.filters.keys() - PASSED_ON:
        environment.filters[name] = _measured(name, environment.filters[name])
    return environment


def _concat(parts: Iterable[str]) -> str:
    kept: list[str] = []
    waiting = iter(parts)
    while some := list(islice(waiting, PIECES)):
        spend(sum(map(len, some)) + len(some))
        kept += some
    return "".join(kept)


def _measured(name: str, filter_function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, weighed; some take Jinja2's context or environment first."""
    passed = 1 if hasattr(filter_function, "jinja_pass_arg") else 0
    before = FILTERS.get(name)

    def measured(*args: Any, **kwargs: Any) -> Any:
        if before:
            before(*args[passed:], **kwargs)
        result = filter_function(*args, **kwargs)
        return gathered(result) if name in LAZY and not isinstance(result, str) else made(result)

    vars(measured).update(getattr(filter_function, "__dict__", {}))
    return measured
