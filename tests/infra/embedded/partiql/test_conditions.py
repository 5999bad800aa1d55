"""The conditions of a WHERE."""

import pytest

from tests.infra.embedded.partiql.tables import KEY, Mails, refusal

ITEM = {
    "n": 5,
    "s": "alpha",
    "yes": True,
    "nothing": None,
    "tags": {"p", "q"},
    "l": [1, "two"],
    "m": {"x": [{"y": "z"}]},
}


@pytest.mark.parametrize(
    "condition",
    [
        "n = 5",
        "5 = n",
        "n <> 4",
        "n != 4",
        "n < 5.5",
        "n <= 5",
        "n > -5",
        "n >= 5",
        "nope <> 1",
        "s <> 5",
        "n BETWEEN 5 AND 6",
        "n IN [4, 5]",
        "n IN (4, 5)",
        "n NOT IN [4]",
        "n NOT BETWEEN 6 AND 7",
        "nope IS MISSING",
        "n IS NOT MISSING",
        "nothing IS NULL",
        "s IS STRING AND m IS NOT LIST",
        "attribute_exists(m.x[0].y)",
        "ATTRIBUTE_NOT_EXISTS (nope)",
        "begins_with(\"s\", 'al')",
        "contains(s, 'lph')",
        "contains(tags, 'q')",
        "contains(l, 'two')",
        "attribute_type(tags, 'SS')",
        "size(l) = 2",
        "yes = true AND s = 'alpha'",
        "(n = 4 OR s = 'alpha') AND NOT (n = 4)",
        "(n = 5 OR n = 4 AND s = 'beta')",
        "NOT n = 4 AND NOT begins_with(s, 'x')",
        "m.x[0].y = 'z'",
        "tags = <<'q', 'p'>>",
        "l = [1, 'two']",
        "m = {'x': [{'y': 'z'}]}",
        "\"n\" = 5 -- the number\n AND /* the text */ s = 'alpha';",
    ],
)
def test_a_condition_that_holds_lets_the_write_through(mails: Mails, condition: str) -> None:
    mails.put(**ITEM)
    assert mails.run(f'UPDATE "Mail" SET done = 1 {KEY} AND {condition}') == []


@pytest.mark.parametrize(
    "condition",
    [
        "n = '5'",
        "n < 5",
        "n > 'alpha'",
        "nope < 5",
        "nope = 5",
        "NOT nope <> 5",
        "n BETWEEN 6 AND 7",
        "nope BETWEEN 1 AND 2",
        "n IN [4, 6]",
        "n IS MISSING",
        "nope IS NULL",
        "attribute_exists(m.x[1])",
        "begins_with(n, '5')",
        "contains(tags, 'r')",
        "size(n) = 1",
        "(n = 4 OR s = 'beta')",
        "NOT (n = 5 OR s = 'x')",
    ],
)
def test_a_condition_that_fails_keeps_the_write_out(mails: Mails, condition: str) -> None:
    mails.put(**ITEM)
    update = f'UPDATE "Mail" SET done = 1 {KEY} AND {condition}'
    assert refusal(lambda: mails.run(update))[0] == "ConditionalCheckFailedException"
