"""PartiQL text → tokens, and the names, paths and literals read off them."""

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from moto.dynamodb.exceptions import MockValidationException

from infra.embedded.partiql.keywords import RESERVED
from infra.embedded.partiql.terms import Path
from infra.embedded.partiql.values import Wire, checked

__all__ = ["Reader", "malformed"]

_TOKEN = re.compile(
    r"""(?:\s|--[^\n]*|/\*.*?\*/)*
    (?:(?P<string>'(?:[^']|'')*')
    |(?P<name>"(?:[^"]|"")+")
    |(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<word>[A-Za-z_$][\w$]*)
    |(?P<mark><<|>>|<=|>=|<>|!=|[-+=<>(){}\[\],.:;?*])
    |(?P<end>\Z))""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
T = TypeVar("T")


class Token(NamedTuple):
    kind: str
    text: str
    key: str
    """What the grammar compares: marks and unquoted words, in upper case; empty for all else."""


def malformed(what: str) -> MockValidationException:
    return MockValidationException(f"Statement wasn't well formed, can't be processed: {what}")


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    while not found or found[-1].kind != "end":
        match = _TOKEN.match(text, at)
        if match is None:
            raise malformed("Invalid character or unclosed literal")
        kind = str(match.lastgroup)
        found.append(_token(kind, match[kind]))
        at = match.end()
    return found


def _token(kind: str, text: str) -> Token:
    if kind in {"string", "name"}:
        return Token(kind, text[1:-1].replace(text[0] * 2, text[0]), "")
    return Token(kind, text, text.upper() if kind in {"word", "mark"} else "")


class Reader:
    """The tokens of one statement, and the place in them."""

    def __init__(self, text: str) -> None:
        self._left = _tokens(text)[::-1]
        self.parameters = 0

    @property
    def next(self) -> Token:
        return self._left[-1]

    def take(self) -> Token:
        return self._left.pop() if len(self._left) > 1 else self.next

    def accept(self, *keys: str) -> str:
        """The next word or mark, taken, if it is one of these; else empty."""
        return self.take().key if self.next.key in keys else ""

    def accept_call(self, *functions: str) -> str:
        """The name of the function whose call begins here, taken with its bracket, if it is one of these."""
        if self.next.key not in functions or self._left[-2].key != "(":
            return ""
        name = self.take().key
        self.expect("(")
        return name

    def expect(self, *keys: str) -> None:
        for key in keys:
            if not self.accept(key):
                raise self.unexpected(key)

    def unexpected(self, wanted: str) -> MockValidationException:
        return malformed(f"Unexpected {self.next.text or 'end of statement'!r}, expected {wanted}")

    def listed(self, one: Callable[[], T], closing: str) -> list[T]:
        """What stands between commas, to the closing mark, which is taken."""
        found: list[T] = []
        while not self.accept(closing):
            if found:
                self.expect(",")
            found.append(one())
        return found

    def name(self) -> str:
        if self.next.kind == "name" or (self.next.kind == "word" and self.next.key not in RESERVED):
            return self.take().text
        raise self.unexpected("a name; a reserved word needs double quotes")

    def path(self) -> Path:
        steps: list[str | int] = [self.name()]
        while sign := self.accept(".", "["):
            steps.append(self.name() if sign == "." else self._index())
        return tuple(steps)

    def _index(self) -> int:
        index = self.take().text
        if not index.isdecimal():
            raise MockValidationException(f"List index is not within the allowable range; index: [{index}]")
        self.expect("]")
        return int(index)

    def parameter(self) -> int | None:
        """The place of the parameter that stands here, if one does: they count in the order of the text."""
        if not self.accept("?"):
            return None
        self.parameters += 1
        return self.parameters - 1

    @property
    def at_path(self) -> bool:
        return self.next.kind == "name" or (self.next.kind == "word" and self.next.key not in _LITERALS)

    def literal(self) -> Wire:
        token = self.take()
        read = _LITERALS.get(token.key or token.kind)
        if read is None:
            raise malformed(f"Unexpected {token.text!r}, expected a value")
        return checked(read(self, token))

    def string(self) -> str:
        if self.next.kind != "string":
            raise self.unexpected("a string")
        return self.take().text

    def entries(self, value: Callable[[], T]) -> dict[str, T]:
        """The members of a tuple, its opening brace taken before."""
        found: dict[str, T] = {}

        def entry() -> None:
            key = self.string()
            self.expect(":")
            if key in found:
                raise MockValidationException(f"Duplicate keys in tuple. Key: {key} under root")
            found[key] = value()

        self.listed(entry, "}")
        return found


def _signed(reader: Reader, sign: Token) -> Wire:
    number = reader.literal()
    if "N" not in number:
        raise malformed(f"Unexpected value after {sign.text!r}, expected a number")
    digits = number["N"].removeprefix("-")
    return {"N": digits if (sign.text == "+") == (digits == number["N"]) else f"-{digits}"}


def _bag(reader: Reader, _: Token) -> Wire:
    members = reader.listed(reader.literal, ">>")
    kinds = {kind for member in members for kind in member}
    if not members:
        raise MockValidationException("Empty bags are not supported")
    if kinds not in ({"S"}, {"N"}):
        raise MockValidationException(
            "Unsupported data type in Bag. DynamoDB only supports either numbers or strings in bags"
        )
    (kind,) = kinds
    return {f"{kind}S": [member[kind] for member in members]}


def _no_parameter(*_: object) -> Wire:
    raise MockValidationException("Unsupported data type: Parameter under key root")


_LITERALS: dict[str, Callable[[Reader, Token], Wire]] = {
    "string": lambda _, token: {"S": token.text},
    "number": lambda _, token: {"N": token.text},
    "TRUE": lambda *_: {"BOOL": True},
    "FALSE": lambda *_: {"BOOL": False},
    "NULL": lambda *_: {"NULL": True},
    "+": _signed,
    "-": _signed,
    "[": lambda reader, _: {"L": reader.listed(reader.literal, "]")},
    "{": lambda reader, _: {"M": reader.entries(reader.literal)},
    "<<": _bag,
    "?": _no_parameter,
}
