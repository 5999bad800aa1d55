"""PartiQL text → statement: a recursive descent over the data manipulation that DynamoDB takes.

After "PartiQL for DynamoDB reference" in the Amazon DynamoDB developer guide. As on AWS, a word that PartiQL reserves
needs double quotes as a name, a REMOVE takes one path, and a parameter can't stand inside a collection literal.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

from moto.dynamodb.exceptions import MockValidationException

from infra.embedded.partiql import terms, updates
from infra.embedded.partiql.reading import Reader, malformed
from infra.embedded.partiql.terms import Condition, Operand
from infra.embedded.partiql.updates import Action

__all__ = ["Statement", "parse"]

_EXISTENCE = {"ATTRIBUTE_EXISTS": True, "ATTRIBUTE_NOT_EXISTS": False}


@dataclass(frozen=True, eq=False)
class Statement:
    """One compiled statement, shared by all its executions. Equal only to itself, so it can be a cache's key."""

    verb: str
    table: str = ""
    item: tuple[tuple[str, Operand], ...] = ()
    actions: tuple[Action, ...] = ()
    where: Condition | None = None
    returning: tuple[str, str] | None = None
    parameters: int = 0


@lru_cache(maxsize=2048)
def parse(text: str) -> Statement:
    """The statement; of a SELECT no more than that it is one.

    Raises:
        MockValidationException: the text isn't PartiQL that DynamoDB takes.
    """
    reader = Reader(text)
    verb = reader.take().key
    if verb == "SELECT":
        return Statement(verb)
    if verb not in _VERBS:
        raise malformed("Expected data manipulation")
    try:
        statement = _VERBS[verb](_Grammar(reader))
    except RecursionError:
        raise MockValidationException("Nesting Levels have exceeded supported limits") from None
    reader.accept(";")
    if reader.next.kind != "end":
        raise malformed("Unexpected token after expression")
    return statement


class _Grammar:
    def __init__(self, reader: Reader) -> None:
        self.read = reader

    def insert(self) -> Statement:
        self.read.expect("INTO")
        table = self.table()
        self.read.expect("VALUE", "{")
        item = self.read.entries(self.value)
        return Statement("INSERT", table, tuple(item.items()), parameters=self.read.parameters)

    def update(self) -> Statement:
        table, actions = self.table(), self.actions()
        where, returning = self.where(), self.returning()
        return Statement("UPDATE", table, (), actions, where, returning, self.read.parameters)

    def delete(self) -> Statement:
        self.read.expect("FROM")
        table, where, returning = self.table(), self.where(), self.returning()
        if returning not in {None, ("ALL", "OLD")}:
            raise MockValidationException(
                f"Invalid returning clause: RETURNING {' '.join(returning or ())} *. "
                "Only RETURNING ALL OLD * is allowed in DELETE statements."
            )
        return Statement("DELETE", table, (), (), where, returning, self.read.parameters)

    def table(self) -> str:
        name = self.read.name()
        if self.read.accept("."):
            raise MockValidationException("This operation is not supported on an index")
        return name

    def where(self) -> Condition:
        self.read.expect("WHERE")
        return self.condition()

    def returning(self) -> tuple[str, str] | None:
        if not self.read.accept("RETURNING"):
            return None
        extent, side = self.read.accept("ALL", "MODIFIED"), self.read.accept("OLD", "NEW")
        if not (extent and side):
            raise self.read.unexpected("(ALL | MODIFIED) (OLD | NEW) *")
        self.read.expect("*")
        return extent, side

    def actions(self) -> tuple[Action, ...]:
        found: list[Action] = []
        while clause := self.read.accept("SET", "REMOVE"):
            if clause == "REMOVE":
                found.append(Action(self.read.path(), None))
                continue
            found.append(self.assignment())
            while self.read.accept(","):
                found.append(self.assignment())
        if not found:
            raise self.read.unexpected("SET or REMOVE")
        return _apart(found)

    def assignment(self) -> Action:
        path = self.read.path()
        self.read.expect("=")
        if name := self.read.accept_call("SET_ADD", "SET_DELETE"):
            if self.read.path() != path:
                raise MockValidationException(f"The first argument to {name} must equal the assignment value")
            self.read.expect(",")
            value = updates.set_operation(name, path, self.value())
            self.read.expect(")")
            return Action(path, value)
        return Action(path, updates.assigned(self.sum()))

    def sum(self) -> Operand:
        left = self.term()
        if sign := self.read.accept(*updates.SIGNS):
            return updates.arithmetic(sign, left, self.term())
        return left

    def term(self) -> Operand:
        if not self.read.accept_call("LIST_APPEND"):
            return self.attribute_or_value()
        head = self.term()
        self.read.expect(",")
        tail = self.term()
        self.read.expect(")")
        return updates.list_append(head, tail)

    def condition(self) -> Condition:
        return self.chain("OR", self.conjunction, terms.any_of)

    def conjunction(self) -> Condition:
        return self.chain("AND", self.negation, terms.all_of)

    def chain(
        self, word: str, part: Callable[[], Condition], join: Callable[[list[Condition]], Condition]
    ) -> Condition:
        parts = [part()]
        while self.read.accept(word):
            parts.append(part())
        return join(parts) if len(parts) > 1 else parts[0]

    def negation(self) -> Condition:
        return terms.negated(self.negation()) if self.read.accept("NOT") else self.predicate()

    def predicate(self) -> Condition:
        if self.read.accept("("):
            inner = self.condition()
            self.read.expect(")")
            return inner
        name = self.read.accept_call(*terms.PREDICATES, *_EXISTENCE)
        return self.call(name) if name else self.comparison()

    def call(self, name: str) -> Condition:
        whole = self.attribute()
        if name in _EXISTENCE:
            self.read.expect(")")
            missing = terms.is_type(whole, "MISSING")
            return terms.negated(missing) if _EXISTENCE[name] else missing
        self.read.expect(",")
        part = self.operand()
        self.read.expect(")")
        return terms.predicate(name, whole, part)

    def comparison(self) -> Condition:
        left = self.operand()
        if sign := self.read.accept(*terms.COMPARISONS):
            return terms.compared(sign, left, self.operand())
        if self.read.accept("IS"):
            return self.negatable(lambda: self.type(left))
        return self.negatable(lambda: self.range(left))

    def negatable(self, condition: Callable[[], Condition]) -> Condition:
        return terms.negated(condition()) if self.read.accept("NOT") else condition()

    def type(self, of: Operand) -> Condition:
        name = self.read.accept(*terms.TYPES)
        if not name:
            raise self.read.unexpected("a type")
        return terms.is_type(of, name)

    def range(self, of: Operand) -> Condition:
        if self.read.accept("BETWEEN"):
            low = self.operand()
            self.read.expect("AND")
            return terms.between(of, low, self.operand())
        self.read.expect("IN")
        closing = {"[": "]", "(": ")"}.get(self.read.accept("[", "("))
        members = self.read.listed(self.operand, closing) if closing else []
        if not members:
            raise malformed("IN needs a list with at least one member")
        return terms.contained(of, members)

    def operand(self) -> Operand:
        if self.read.accept_call("SIZE"):
            of = self.attribute()
            self.read.expect(")")
            return terms.size(of)
        return self.attribute_or_value()

    def attribute_or_value(self) -> Operand:
        return self.attribute() if self.read.at_path else self.value()

    def attribute(self) -> Operand:
        return terms.attribute(self.read.path())

    def value(self) -> Operand:
        place = self.read.parameter()
        return terms.literal(self.read.literal()) if place is None else terms.parameter(place)


def _apart(actions: list[Action]) -> tuple[Action, ...]:
    """In the order of their paths, none of which leads to another's."""
    for one, other in permutations([action.path for action in actions], 2):
        if other[: len(one)] == one:
            raise MockValidationException(
                "Two document paths overlap with each other; must remove or rewrite one of these paths; "
                f"path one: [{', '.join(map(str, one))}], path two: [{', '.join(map(str, other))}]"
            )
    return tuple(sorted(actions, key=updates.in_order))


_VERBS: dict[str, Callable[[_Grammar], Statement]] = {
    "INSERT": _Grammar.insert,
    "UPDATE": _Grammar.update,
    "DELETE": _Grammar.delete,
}
