"""What DynamoDB refuses before it looks at the item."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.dynamodb.exceptions import MockValidationException

from infra.embedded.partiql.grammar import parse
from tests.infra.embedded.partiql.tables import KEY, Mails, refusal

MALFORMED = "Statement wasn't well formed, can't be processed: "
INVALID = "One or more parameter values were invalid: "
TWO_PATHS = (
    "Two document paths overlap with each other; must remove or rewrite one of these paths; "
    "path one: [m], path two: [m, x]"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELEKT 1", f"{MALFORMED}Expected data manipulation"),
        (f'UPDATE "Mail" SET x = 1 {KEY} garbage', f"{MALFORMED}Unexpected token after expression"),
        (f'UPDATE "Mail" SET x = 1, {KEY}', "Unexpected 'WHERE', expected a name"),
        (f'UPDATE "Mail" SET timestamp = 1 {KEY}', "a reserved word needs double quotes"),
        (f'UPDATE "Mail" REMOVE x, y {KEY}', "Unexpected ',', expected WHERE"),
        (f'UPDATE "Mail" {KEY}', "expected SET or REMOVE"),
        (f'UPDATE "Mail" SET x = \'open {KEY}', f"{MALFORMED}Invalid character or unclosed literal"),
        (f'UPDATE "Mail" SET x = if_not_exists(x, 1) {KEY}', "Unexpected '('"),
        (f'UPDATE "Mail" SET x = -? {KEY}', "Unsupported data type: Parameter"),
        (f'UPDATE "Mail" SET x = [?] {KEY}', "Unsupported data type: Parameter under key root"),
        (f'UPDATE "Mail" SET x = n--1 {KEY}', MALFORMED),
        (f'UPDATE "Mail" SET x = l[-1] {KEY}', "List index is not within the allowable range; index: [-]"),
        (f'UPDATE "Mail" SET x = << >> {KEY}', "Empty bags are not supported"),
        (f"UPDATE \"Mail\" SET x = <<1, 'a'>> {KEY}", "Unsupported data type in Bag"),
        (f"UPDATE \"Mail\" SET x = <<'b', 'b'>> {KEY}", "Input collection [b, b] contains duplicates"),
        (f"UPDATE \"Mail\" SET x = set_add(y, <<'b'>>) {KEY}", "The first argument to SET_ADD must equal"),
        (f'UPDATE "Mail" SET m.x = 1 SET m = 2 {KEY}', TWO_PATHS),
        (f'UPDATE "Mail" SET "emailId" = \'b\' {KEY}', "Cannot update attribute emailId"),
        (f'UPDATE "Mail"."by-to" SET x = 1 {KEY}', "This operation is not supported on an index"),
        (f'UPDATE "Mail" SET x = 1 {KEY} AND y', "expected IN"),
        (f'UPDATE "Mail" SET x = 1 {KEY} AND y IN []', "IN needs a list"),
        (f"UPDATE \"Mail\" SET x = 1 {KEY} AND attribute_exists('y')", "expected a name"),
        (f'UPDATE "Mail" SET x = 1 {KEY} AND "emailId" = \'b\'', "Multiple conditions on same key emailId"),
        ('UPDATE "Mail" SET x = 1 WHERE y = 1', "does not contain a mandatory equality"),
        ('UPDATE "Mail" SET x = 1 WHERE "emailId" = \'a\' OR y = 1', "mandatory equality"),
        ('UPDATE "Mail" SET x = 1 WHERE NOT "emailId" = \'a\'', "mandatory equality"),
        ('UPDATE "Mail" SET x = 1 WHERE "emailId" IN [\'a\']', "mandatory equality"),
        ('UPDATE "Mail" SET x = 1 WHERE "emailId" = y', "mandatory equality"),
        ('UPDATE "Mail" SET x = 1 WHERE "emailId" = 1', "The provided key element does not match the schema"),
        (
            'UPDATE "Mail" SET x = 1 WHERE "emailId" = \'\'',
            "cannot contain an empty string value. Key: emailId",
        ),
        ('UPDATE "Mail" SET x = 1', "expected WHERE"),
        (
            f'DELETE FROM "Mail" {KEY} RETURNING MODIFIED OLD *',
            "Only RETURNING ALL OLD * is allowed in DELETE",
        ),
        (f'DELETE FROM "Mail" {KEY} RETURNING ALL OLD', "expected *"),
        ("INSERT INTO \"Mail\" VALUE {'x': 1}", f"{INVALID}Missing the key emailId in the item"),
        ("INSERT INTO \"Mail\" VALUE {'emailId': 1}", "Type mismatch for key emailId expected: S actual: N"),
        (
            "INSERT INTO \"Mail\" VALUE {'emailId': 'a', 'emailId': 'b'}",
            "Duplicate keys in tuple. Key: emailId",
        ),
        ('INSERT INTO "Mail" VALUE {"emailId": \'a\'}', "expected a string"),
    ],
)
def test_a_statement_is_refused(mails: Mails, text: str, message: str) -> None:
    mails.put()
    code, told = refusal(lambda: mails.run(text))
    assert code == "ValidationException"
    assert message in told


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ({"N": "one"}, "The parameter cannot be converted to a numeric value: one"),
        ({"N": "1" * 39}, "Attempting to store more than 38 significant digits in a Number"),
        (
            {"N": "1e126"},
            "Number overflow. Attempting to store a number with magnitude larger than supported",
        ),
        (
            {"N": "1e-131"},
            "Number underflow. Attempting to store a number with magnitude smaller than supported",
        ),
        ({"SS": []}, f"{INVALID}An string set  may not be empty"),
        ({"NS": ["1", "1.0"]}, f"{INVALID}Input collection [1, 1.0] contains duplicates."),
        ({"NULL": False}, f"{INVALID}Null attribute value types must have the value of true"),
        ({"L": [{"M": {"x": {"N": "NaN"}}}]}, "The parameter cannot be converted to a numeric value: NaN"),
    ],
)
def test_an_invalid_parameter_is_refused(mails: Mails, parameter: Any, message: str) -> None:
    statement = f'UPDATE "Mail" SET x = ? {KEY}'
    code, told = refusal(lambda: mails.client.execute_statement(Statement=statement, Parameters=[parameter]))
    assert (code, told[: len(message)]) == ("ValidationException", message)


@pytest.mark.parametrize("parameters", [(), (1, 2)])
def test_parameters_must_be_as_many_as_their_places(mails: Mails, parameters: tuple[int, ...]) -> None:
    assert refusal(lambda: mails.run(f'UPDATE "Mail" SET x = ? {KEY}', *parameters)) == (
        "ValidationException",
        "Number of parameters in request and statement don't match.",
    )


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("x = nope", "The provided expression refers to an attribute that does not exist in the item"),
        (
            "x = s + 1",
            "Incorrect operand type for operator or function; operator or function: +, operand type: S",
        ),
        ("x = list_append(s, [1])", "operator or function: list_append, operand type: S"),
        ("s = set_add(s, <<'b'>>)", "An operand in the update expression has an incorrect data type"),
        ("s = set_add(s, 'b')", "The second argument to SET_ADD must be a value with type SET"),
        ("s.x = 1", "The document path provided in the update expression is invalid for update"),
        ('"to" = 5', f"{INVALID}Type mismatch for Index Key to Expected: S Actual: N IndexName: by-to"),
        ("\"at\" = ''", "attempted to update a secondary index key to a value that is not supported"),
    ],
)
def test_an_update_that_does_not_fit_the_item_is_refused(mails: Mails, assignment: str, message: str) -> None:
    mails.put(s="x")
    code, told = refusal(lambda: mails.run(f'UPDATE "Mail" SET {assignment} {KEY}'))
    assert code == "ValidationException"
    assert message in told


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ({"to": 5}, f"{INVALID}Type mismatch for Index Key to Expected: S Actual: N IndexName: by-to"),
        ({"at": ""}, "cannot contain an empty string value. IndexName: by-to, IndexKey: at"),
        ({"x": "x" * 409_600}, "Item size has exceeded the maximum allowed size"),
        (
            {"emailId": "é" * 1025},
            f"{INVALID}Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
    ],
)
def test_an_item_that_the_table_does_not_take_is_refused(
    mails: Mails, attribute: dict[str, Any], message: str
) -> None:
    item = {"emailId": "a", **attribute}
    names = ", ".join(f"'{name}': ?" for name in item)
    insert = f'INSERT INTO "Mail" VALUE {{{names}}}'
    code, told = refusal(lambda: mails.run(insert, *item.values()))
    assert code == "ValidationException"
    assert message in told


def test_an_item_grows_to_400_kb_and_no_further(mails: Mails) -> None:
    mails.put()
    update, overhead = f'UPDATE "Mail" SET x = ? {KEY}', len("emailId" + "a" + "x")
    mails.run(update, "x" * (409_600 - overhead))
    told = refusal(lambda: mails.run(update, "x" * (409_601 - overhead)))
    assert told == ("ValidationException", "Item size to update has exceeded the maximum allowed size")


def test_a_missing_table_is_not_found(mails: Mails) -> None:
    assert refusal(lambda: mails.run("DELETE FROM Nowhere WHERE x = 1"))[0] == "ResourceNotFoundException"


def test_a_text_has_8192_characters_at_most(mails: Mails) -> None:
    code, told = refusal(lambda: mails.run(f'DELETE FROM "Mail" {KEY}{" " * 8192}'))
    assert code == "ValidationException"
    assert "less than or equal to 8192" in told


WORDS = """
UPDATE INSERT DELETE FROM INTO VALUE SET REMOVE WHERE AND OR NOT IN IS MISSING BETWEEN NULL TRUE RETURNING ALL OLD
* ( ) [ ] { } << >> , . : ; ? = <> < - + 1 'a' "b" x begins_with( set_add( list_append( size(
"""
SOUP = st.lists(st.sampled_from(WORDS.split()), max_size=15).map(" ".join)


@settings(max_examples=300)
@given(
    st.sampled_from(["", 'UPDATE "T" SET x = ', 'UPDATE "T" SET x = 1 WHERE ']), SOUP | st.text(max_size=20)
)
def test_any_text_is_understood_or_refused(beginning: str, rest: str) -> None:
    try:
        statement = parse(beginning + rest)
    except MockValidationException:
        return
    assert statement.verb


@pytest.mark.parametrize("opening", ["(", "NOT ", "x IN [["])
def test_a_statement_nested_too_deep_is_refused(mails: Mails, opening: str) -> None:
    text = f'DELETE FROM "Mail" WHERE {opening * 4000}'[:8192]
    assert refusal(lambda: mails.run(text))[0] == "ValidationException"
