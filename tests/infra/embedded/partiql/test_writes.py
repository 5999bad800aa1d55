"""INSERT, UPDATE and DELETE of one item."""

import sys
from decimal import Decimal
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.infra.embedded.partiql.tables import KEY, Mails, changes, plain, refusal, request

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def test_insert_stores_the_item(mails: Mails) -> None:
    assert mails.run("INSERT INTO \"Mail\" VALUE {'emailId': ?, 'x': ?, 'n': 1}", "a", {"y": [True]}) == []
    assert mails.get() == {"emailId": "a", "x": {"y": [True]}, "n": 1}


def test_insert_never_overwrites(mails: Mails) -> None:
    mails.put(x=1)
    insert = "INSERT INTO \"Mail\" VALUE {'emailId': 'a', 'x': 2}"
    assert refusal(lambda: mails.run(insert)) == (
        "DuplicateItemException",
        "Duplicate primary key exists in table",
    )
    assert mails.get() == {"emailId": "a", "x": 1}


def test_update_sets_and_removes(mails: Mails) -> None:
    mails.put(version=3, b=1, c=2)
    update = 'UPDATE "Mail" SET "a" = ? SET "b" = ? REMOVE "c" WHERE "emailId" = ? AND "version" = ?'
    assert mails.run(update, "x", "y", "a", 3) == []
    assert mails.get() == {"emailId": "a", "version": 3, "a": "x", "b": "y"}


def test_update_never_inserts(mails: Mails) -> None:
    assert refusal(lambda: mails.run(f'UPDATE "Mail" SET x = 1 {KEY}')) == (
        "ConditionalCheckFailedException",
        "The conditional request failed",
    )
    assert mails.get() is None


def test_a_failed_condition_leaves_the_item(mails: Mails) -> None:
    mails.put(version=4)
    update = f'UPDATE "Mail" SET "x" = 1 {KEY} AND "version" = ?'
    assert refusal(lambda: mails.run(update, 3))[0] == "ConditionalCheckFailedException"
    assert mails.get() == {"emailId": "a", "version": 4}


def test_a_failed_condition_returns_the_item_to_who_asks(mails: Mails) -> None:
    mails.put(version=4, tags={"x"}, raw=b"\x01", deep={"l": [b"\x02"]})
    old: Any = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    update = request(f'UPDATE "Mail" SET x = 1 {KEY} AND version = 5')
    with pytest.raises(ClientError) as refused:
        mails.client.execute_statement(**update, **old)
    (response,) = mails.batch({**update, **old})
    item: Any = refused.value.response
    assert plain(item["Item"]) == plain(response["Error"]["Item"]) == mails.get()


def test_delete_removes_the_item(mails: Mails) -> None:
    mails.put(x=1)
    assert mails.run(f'DELETE FROM "Mail" {KEY} AND x = 1') == []
    assert mails.get() is None


def test_delete_with_a_failed_condition_leaves_the_item(mails: Mails) -> None:
    mails.put(x=1)
    delete = f'DELETE FROM "Mail" {KEY} AND x = 2'
    assert refusal(lambda: mails.run(delete))[0] == "ConditionalCheckFailedException"
    assert mails.get() == {"emailId": "a", "x": 1}


def test_delete_of_a_missing_item_succeeds_whatever_the_condition(mails: Mails) -> None:
    assert mails.run(f'DELETE FROM "Mail" {KEY} AND x = 2') == []


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("n = n + 2", {"n": 7}),
        ("n = n-1", {"n": 4}),
        ("n = - - 1", {"n": 1}),
        ("n = 0.5 - n", {"n": Decimal("-4.5")}),
        ("twin = l", {"twin": [1]}),
        ("l = list_append(l, [2, 3])", {"l": [1, 2, 3]}),
        ("l = LIST_APPEND([0], l)", {"l": [0, 1]}),
        ("tags = set_add(tags, <<'q', 'p'>>)", {"tags": {"p", "q"}}),
        ("fresh = set_add(fresh, <<1>>)", {"fresh": {1}}),
        ("tags = set_delete(tags, <<'x'>>)", {"tags": {"p"}}),
        ("tags = set_delete(tags, <<'p'>>)", {"tags": None}),
        ("m.x.y = 1, m.z = 2", {"m": {"x": {"y": 1}, "z": 2}}),
        ("l[0] = 'first'", {"l": ["first"]}),
        ("l[7] = 'last'", {"l": [1, "last"]}),
        ("n = l[0] SET l[0] = n", {"n": 1, "l": [5]}),
        ('quoted = \'it\'\'s\' SET "a ""b""" = null', {"quoted": "it's", 'a "b"': None}),
        ("data = {'a': [true, 1e2], 'b': {}}", {"data": {"a": [True, 100], "b": {}}}),
    ],
)
def test_set_computes_from_the_old_item(mails: Mails, assignment: str, expected: dict[str, Any]) -> None:
    old = {"n": 5, "l": [1], "tags": {"p"}, "m": {"x": {}}}
    mails.put(**old)
    mails.run(f'UPDATE "Mail" SET {assignment} {KEY}')
    new = mails.get() or {}
    assert {name: new.get(name) for name in old | expected} == old | expected


def test_remove_counts_list_members_before_the_update(mails: Mails) -> None:
    mails.put(l=["a", "b", "c"], m={"x": 1})
    mails.run(f'UPDATE "Mail" REMOVE l[0] REMOVE l[2] REMOVE m.x REMOVE m.y {KEY}')
    assert mails.get() == {"emailId": "a", "l": ["b"], "m": {}}


def test_an_update_that_fails_half_way_changes_nothing(mails: Mails) -> None:
    mails.put(m={"x": 1})
    refused = refusal(lambda: mails.run(f'UPDATE "Mail" SET m.x = 2, gone.x = 3 {KEY}'))
    assert refused[1] == "The document path provided in the update expression is invalid for update"
    assert mails.get() == {"emailId": "a", "m": {"x": 1}}


@pytest.mark.parametrize("assignment", ["twin = [1]", "twin = l", "twin = list_append(l, [])"])
def test_what_was_set_is_shared_with_nothing(mails: Mails, assignment: str) -> None:
    """UpdateItem, in moto, changes lists in place."""
    update = f'UPDATE "Mail" SET {assignment} {KEY}'
    mails.put(l=[1])
    mails.run(update)
    mails.client.update_item(
        TableName="Mail",
        Key={"emailId": {"S": "a"}},
        UpdateExpression="SET twin[0] = :changed",
        ExpressionAttributeValues={":changed": {"N": "2"}},
    )
    changed = mails.get()
    mails.run(update)
    assert changed == {"emailId": "a", "l": [1], "twin": [2]}
    assert mails.get() == {"emailId": "a", "l": [1], "twin": [1]}


RETURNED = [
    ("ALL OLD", {"emailId": "a", "x": 1, "l": ["p", "q", "r"], "m": {"k": 1, "other": 2}}),
    ("ALL NEW", {"emailId": "a", "l": ["P", "q", "R"], "m": {"k": 2, "other": 2}, "new": True}),
    ("MODIFIED OLD", {"x": 1, "l": ["p", "r"], "m": {"k": 1}}),
    ("MODIFIED NEW", {"l": ["P", "R"], "m": {"k": 2}, "new": True}),
]


@pytest.mark.parametrize(("returning", "expected"), RETURNED)
def test_update_returns_what_is_asked_for(mails: Mails, returning: str, expected: dict[str, Any]) -> None:
    mails.put(x=1, l=["p", "q", "r"], m={"k": 1, "other": 2})
    sets = "SET l[2] = 'R', l[0] = 'P' SET m.k = 2 SET new = true"
    assert mails.run(f'UPDATE "Mail" {sets} REMOVE x {KEY} RETURNING {returning} *') == [expected]


def test_nothing_modified_returns_no_row(mails: Mails) -> None:
    mails.put(x=1)
    assert mails.run(f'UPDATE "Mail" REMOVE x {KEY} RETURNING MODIFIED NEW *') == []


def test_delete_returns_the_old_item(mails: Mails) -> None:
    mails.put(x=1)
    delete = f'DELETE FROM "Mail" {KEY} RETURNING ALL OLD *'
    assert [mails.run(delete), mails.run(delete)] == [[{"emailId": "a", "x": 1}], []]


def test_select_stays_as_it_was(mails: Mails) -> None:
    mails.put(x=1)
    assert mails.run(f'SELECT * FROM "Mail" {KEY}') == [{"emailId": "a", "x": 1}]


def test_a_table_with_a_sort_key_needs_both(client: "DynamoDBClient") -> None:
    pairs = Mails(client)
    pairs.run("INSERT INTO Pairs VALUE {'pk': 'p', 'sk': 1}")
    pairs.run("INSERT INTO Pairs VALUE {'pk': 'p', 'sk': 2}")
    pairs.run("UPDATE Pairs SET x = ? WHERE (sk = ? AND pk = ?) AND x IS MISSING", "new", 2, "p")
    half = refusal(lambda: pairs.run("DELETE FROM Pairs WHERE pk = 'p'"))
    pairs.run("DELETE FROM Pairs WHERE pk = 'p' AND sk = 1.0")
    assert half[1] == "Where clause does not contain a mandatory equality on all key attributes"
    assert [plain(item) for item in client.scan(TableName="Pairs")["Items"]] == [
        {"pk": "p", "sk": 2, "x": "new"}
    ]


def test_updates_of_one_item_from_many_threads_all_count(mails: Mails) -> None:
    mails.put(n=0)
    update = request(f'UPDATE "Mail" SET n = n + 1 {KEY}')

    def count() -> None:
        for _ in range(10):
            mails.batch(update)

    threads = [Thread(target=count) for _ in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    assert mails.get() == {"emailId": "a", "n": 80}


def test_a_stream_tells_old_and_new(client: "DynamoDBClient") -> None:
    client.create_table(
        TableName="Streamed",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    for text in (
        "INSERT INTO Streamed VALUE {'id': 'a', 'n': 1}",
        "UPDATE Streamed SET n = 2 WHERE id = 'a'",
        "DELETE FROM Streamed WHERE id = 'a'",
    ):
        Mails(client).run(text)
    assert changes("Streamed") == [
        ("INSERT", None, {"id": "a", "n": 1}),
        ("MODIFY", {"id": "a", "n": 1}, {"id": "a", "n": 2}),
        ("REMOVE", {"id": "a", "n": 2}, None),
    ]
