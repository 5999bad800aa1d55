"""BatchExecuteStatement: each statement has an answer of its own."""

from typing import Any

import pytest

from tests.infra.embedded.partiql.tables import KEY, Mails, plain, refusal, request


def insert(key: str) -> dict[str, Any]:
    return request("INSERT INTO \"Mail\" VALUE {'emailId': ?}", key)


def test_statements_succeed_and_fail_each_on_its_own(mails: Mails) -> None:
    mails.put(version=1)
    assert mails.batch(
        insert("b"),
        request(f'UPDATE "Mail" SET x = 1 {KEY} AND version = 2'),
        insert("c"),
    ) == [
        {"TableName": "Mail"},
        {
            "Error": {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"},
            "TableName": "Mail",
        },
        {"TableName": "Mail"},
    ]
    assert [mails.get(key) for key in "abc"] == [
        {"emailId": "a", "version": 1},
        {"emailId": "b"},
        {"emailId": "c"},
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("INSERT INTO \"Mail\" VALUE {'emailId': 'a'}", "DuplicateItem"),
        (f'UPDATE "Mail" SET x = 1 {KEY} AND x = 2', "ConditionalCheckFailed"),
        (f'UPDATE "Mail" SET x = nope {KEY}', "ValidationError"),
        ('UPDATE "Mail" SET x = 1 WHERE x = 1', "ValidationError"),
        ("UPDETE", "ValidationError"),
        ("DELETE FROM Nowhere WHERE x = 1", "ResourceNotFound"),
    ],
)
def test_an_error_has_the_code_of_batches(mails: Mails, text: str, code: str) -> None:
    mails.put()
    failed, done = mails.batch(request(text), insert("b"))
    assert (failed["Error"]["Code"], done) == (code, {"TableName": "Mail"})


def test_returned_rows_are_items(mails: Mails) -> None:
    mails.put(x=1)
    (updated,) = mails.batch(request(f'UPDATE "Mail" SET x = 2 {KEY} RETURNING ALL NEW *'))
    (deleted,) = mails.batch(request(f'DELETE FROM "Mail" {KEY} RETURNING ALL OLD *'))
    assert plain(updated["Item"]) == plain(deleted["Item"]) == {"emailId": "a", "x": 2}


def test_a_batch_of_reads_stays_as_it_was(mails: Mails) -> None:
    mails.put(x=1)
    (read,) = mails.batch(request("SELECT * FROM Mail WHERE emailId = ?", "a"))
    assert plain(read["Item"]) == {"emailId": "a", "x": 1}


def test_25_statements_are_taken(mails: Mails) -> None:
    assert mails.batch(*(insert(str(i)) for i in range(25))) == [{"TableName": "Mail"}] * 25


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        ([insert(str(i)) for i in range(26)], "Member must have length less than or equal to 25"),
        (
            [insert("b"), request(f'SELECT * FROM "Mail" {KEY}')],
            "Read and write requests together in the same batch is not supported.",
        ),
        (
            [insert("a"), request(f'UPDATE "Mail" SET x = 1 {KEY}')],
            "Provided list of item keys contains duplicates",
        ),
    ],
)
def test_a_batch_is_refused_whole(mails: Mails, statements: list[dict[str, Any]], message: str) -> None:
    code, told = refusal(lambda: mails.batch(*statements))
    assert code == "ValidationException"
    assert message in told
    assert mails.client.scan(TableName="Mail")["Count"] == 0
