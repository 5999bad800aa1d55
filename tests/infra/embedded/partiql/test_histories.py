"""A history of statements leaves what the same history of item calls leaves, where moto's item calls are right."""

import re
from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NUMBER = st.integers(-2, 2).map(lambda n: {"N": str(n)})
TEXT = st.sampled_from(["", "a", "ab", "b"]).map(lambda s: {"S": s})
SET = st.sets(st.sampled_from("pqr"), min_size=1).map(lambda s: {"SS": sorted(s)})
VALUE = {"n": NUMBER, "o": NUMBER, "s": TEXT, "t": SET}
OUTCOMES = {
    "ConditionalCheckFailedException": "refused",
    "DuplicateItemException": "refused",
    "ValidationException": "invalid",
}
fresh_key = count()


class Part(NamedTuple):
    """A piece of a statement or expression, with a `?` for each value."""

    text: str
    values: tuple[Any, ...] = ()


class Insert(NamedTuple):
    key: str
    item: dict[str, Any]


class Update(NamedTuple):
    key: str
    sets: list[Part]
    add: list[Part]
    delete: list[Part]
    remove: list[str]
    condition: Part


class Delete(NamedTuple):
    key: str
    condition: Part


def atom(template: str, *values: st.SearchStrategy[Any]) -> st.SearchStrategy[Part]:
    return st.tuples(*values).map(lambda given: Part(template, given))


def joined(parts: list[Part], separator: str) -> Part:
    return Part(separator.join(part.text for part in parts), sum((part.values for part in parts), ()))


def grouped(parts: list[Part], word: str) -> Part:
    text, values = joined(parts, f" {word} ")
    return Part(f"({text})", values)


def inverted(part: Part) -> Part:
    text = part.text if part.text.startswith("(") else f"({part.text})"
    return Part(f"NOT {text}", part.values)


ATOMS = st.one_of(
    *(atom(f"{name} {sign} ?", VALUE[name]) for name in "nos" for sign in ("=", "<>", "<", "<=", ">", ">=")),
    *(atom(f"attribute_{verb}({name})") for name in VALUE for verb in ("exists", "not_exists")),
    atom("n BETWEEN ? AND ?", NUMBER, NUMBER),
    atom("n IN (?, ?)", NUMBER, NUMBER),
    atom("t = ?", SET),
    atom("contains(t, ?)", st.sampled_from("pqr").map(lambda s: {"S": s})),
    atom("contains(s, ?)", TEXT),
    atom("begins_with(s, ?)", TEXT),
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        inner.map(inverted),
        st.builds(grouped, st.lists(inner, min_size=2, max_size=3), st.sampled_from(["AND", "OR"])),
    ),
    max_leaves=5,
)
KEYS = st.sampled_from("ab")
ITEMS = st.fixed_dictionaries({}, optional=VALUE)
SETTERS = {
    "n": st.one_of(atom("n = ?", NUMBER), atom("n = n + ?", NUMBER), atom("n = n - ?", NUMBER)),
    "o": st.one_of(atom("o = ?", NUMBER), atom("o = n")),
    "s": atom("s = ?", TEXT),
}


@st.composite
def updates(draw: st.DrawFn) -> Update:
    names = draw(st.sets(st.sampled_from("nost"), min_size=1))
    use = {name: draw(st.sampled_from(["set", "remove"])) for name in sorted(names)}
    sets = [draw(SETTERS[name]) for name, how in use.items() if how == "set" and name != "t"]
    member = [draw(atom("t ?", SET))] if use.get("t") == "set" else []
    add, delete = (member, []) if draw(st.booleans()) else ([], member)
    return Update(
        draw(KEYS), sets, add, delete, [n for n, how in use.items() if how == "remove"], draw(CONDITIONS)
    )


HISTORIES = st.lists(
    st.one_of(st.builds(Insert, KEYS, ITEMS), updates(), st.builds(Delete, KEYS, CONDITIONS)),
    min_size=1,
    max_size=6,
)


def as_statement(step: Insert | Update | Delete, table: str, key: str) -> dict[str, Any]:
    where = Part('WHERE "emailId" = ? AND ', ({"S": key},))
    match step:
        case Insert(_, item):
            names = "".join(f", '{name}': ?" for name in item)
            part = Part(
                f"INSERT INTO \"{table}\" VALUE {{'emailId': ?{names}}}", ({"S": key}, *item.values())
            )
        case Update(_, sets, add, delete, remove, condition):
            changed = [Part(f"SET {text}", values) for text, values in sets]
            changed += [Part("SET t = set_add(t, ?)", values) for _, values in add]
            changed += [Part("SET t = set_delete(t, ?)", values) for _, values in delete]
            changed += [Part(f"REMOVE {name}") for name in remove]
            part = joined([Part(f'UPDATE "{table}"'), *changed, joined([where, condition], "")], " ")
        case Delete(_, condition):
            part = joined([Part(f'DELETE FROM "{table}"'), joined([where, condition], "")], " ")
    return {"Statement": part.text, "Parameters": list(part.values)}


def by_statement(client: "DynamoDBClient", step: Insert | Update | Delete, key: str) -> None:
    client.execute_statement(**as_statement(step, "Mail", key))


def by_item_call(client: "DynamoDBClient", step: Insert | Update | Delete, key: str) -> None:
    table: dict[str, Any] = {"TableName": "Mail"}
    wire = {"emailId": {"S": key}}
    match step:
        case Insert(_, item):
            client.put_item(
                Item={**wire, **item}, ConditionExpression="attribute_not_exists(emailId)", **table
            )
        case Update(_, sets, add, delete, remove, condition):
            clauses = {"SET": sets, "ADD": add, "DELETE": delete, "REMOVE": [Part(name) for name in remove]}
            parts = [joined([Part(f"{word} "), joined(c, ", ")], "") for word, c in clauses.items() if c]
            names, values = numbered(joined([Part("attribute_exists(emailId) AND "), condition], ""), "c")
            expression, more = numbered(joined(parts, " "), "u")
            client.update_item(
                Key=wire,
                UpdateExpression=expression,
                ConditionExpression=names,
                **given_values({**values, **more}),
                **table,
            )
        case Delete(_, condition):
            either = joined([Part("attribute_not_exists(emailId) OR "), condition], "")
            text, values = numbered(either, "c")
            client.delete_item(Key=wire, ConditionExpression=text, **given_values(values), **table)


def numbered(part: Part, prefix: str) -> tuple[str, dict[str, Any]]:
    places = count()
    text = re.sub(r"\?", lambda _: f":{prefix}{next(places)}", part.text)
    return text, {f":{prefix}{place}": value for place, value in enumerate(part.values)}


def given_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"ExpressionAttributeValues": values} if values else {}


def outcome(write: Callable[..., None], client: "DynamoDBClient", step: Any, key: str) -> tuple[str, Any]:
    try:
        write(client, step, key)
        result = "done"
    except ClientError as error:
        result = OUTCOMES[error.response["Error"]["Code"]]
    item = client.get_item(TableName="Mail", Key={"emailId": {"S": key}}).get("Item", {})
    item.pop("emailId", None)
    if "t" in item:
        item["t"]["SS"] = sorted(item["t"]["SS"])
    return result, item


@settings(max_examples=40)
@given(HISTORIES)
def test_statements_do_what_item_calls_do(
    client: "DynamoDBClient", history: list[Insert | Update | Delete]
) -> None:
    run = next(fresh_key)
    for step in history:
        stated = outcome(by_statement, client, step, f"{run}-{step.key}-statement")
        called = outcome(by_item_call, client, step, f"{run}-{step.key}-item-call")
        assert stated == called, as_statement(step, "Mail", step.key)
