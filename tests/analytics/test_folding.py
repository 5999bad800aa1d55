"""Events are dealt out once and folded partition by partition: nothing is lost, nothing is in two of them."""

from pathlib import Path

import pytest

from analytics.folding import Folding
from pipeline.codec import decode
from pipeline.errors import UserError
from projections import reputation, suppression, tracking
from projections.rows import mail_of
from tests.projections.builders import at, delivered, hard_bounce, opened, sent
from tests.projections.in_sql import InSql

MAILS = 200
HISTORY = [
    record
    for n in range(MAILS)
    for record in (
        sent(f"m{n}", at(minutes=n)),
        delivered(f"m{n}", at(minutes=n + 1), mail_time=at(minutes=n)),
        opened(f"m{n}", at(minutes=n + 2), mail_time=at(minutes=n)),
        hard_bounce(f"m{n}", at(minutes=n + 3), to=f"person{n % 40}@b.example", mail_time=at(minutes=n)),
    )
]
LOG = [decode(data) for data in HISTORY]


@pytest.fixture
def sql(tmp_path: Path) -> InSql:
    sql = InSql(tmp_path / "its work")
    sql.take(HISTORY)
    return sql


def test_the_partitions_hold_every_mail_once(sql: InSql) -> None:
    assert sql.folding.deal("mails") == len(HISTORY)
    found = [mail_of(row) for number in range(3) for row in sql.folding.mails(number)]
    assert sorted(mail.email_id for mail in found) == sorted(f"m{n}" for n in range(MAILS))
    assert {mail.email_id: mail for mail in found} == tracking.fold(LOG)


def test_the_partitions_hold_every_address_once(sql: InSql) -> None:
    assert sql.folding.deal("suppression") == MAILS
    found = [history for number in range(3) for history in sql.folding.histories(number)]
    assert len(found) == 40
    assert {history.address: history for history in found} == suppression.fold(LOG)


def test_the_partitions_hold_every_minute_once(sql: InSql) -> None:
    sql.folding.deal("reputation")
    found = [pair for number in range(3) for pair in sql.folding.tallies(number)]
    assert len(found) == MAILS
    assert dict(found) == reputation.fold(LOG)


def test_what_was_dealt_is_not_dealt_again(sql: InSql, tmp_path: Path) -> None:
    facts = sql.folding.deal("mails")
    sql.take([])
    later = Folding(sql.connection, tmp_path / "its work", 3)
    assert later.deal("mails") == facts
    assert sum(1 for number in range(3) for _ in later.mails(number)) == MAILS


def test_what_was_left_of_an_interrupted_dealing_is_thrown_away(sql: InSql, tmp_path: Path) -> None:
    sql.folding.deal("mails")
    (tmp_path / "its work" / "mails.json").unlink()
    assert sql.folding.deal("mails") == len(HISTORY)
    assert sum(1 for number in range(3) for _ in sql.folding.mails(number)) == MAILS


def test_another_number_of_partitions_is_refused(sql: InSql, tmp_path: Path) -> None:
    sql.folding.deal("mails")
    with pytest.raises(UserError, match="dealt into 3 partitions, not 5"):
        Folding(sql.connection, tmp_path / "its work", 5).deal("mails")


def test_an_empty_partition_has_no_rows(tmp_path: Path) -> None:
    sql = InSql(tmp_path)
    assert sql.folding.deal("mails") == 0
    assert list(sql.folding.mails(1)) == []
