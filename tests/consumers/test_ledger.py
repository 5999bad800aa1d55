"""One contract for every ledger, and what a claim that stands means."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from consumers.dynamodb import LedgerTable
from consumers.ledger import Claim, Ledger, MemoryLedger, Standing, meaning
from pipeline.times import utc_now
from tests.builders import NINE, mail_sent, place
from tests.consumers.conftest import Deployed

OUTCOME = mail_sent().envelope("fact-1", NINE)
WORKERS = 8


@pytest.fixture(params=["memory", "table"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    if request.param == "memory":
        return MemoryLedger()
    deployed: Deployed = request.getfixturevalue("deployed")
    table = deployed.settings.send_ledger_table_name
    return LedgerTable(deployed.client("dynamodb"), table, timedelta(days=90), utc_now)


@pytest.fixture
def email_id() -> str:
    return f"order-{uuid.uuid4()}"


def claim(email_id: str, token: str = "mine", event_id: str = "event-1", **fields: float) -> Claim:
    return Claim(email_id, event_id, token, fields.get("send_before", 1764000000.125))


def at_once(count: int, action: Callable[[int], None]) -> None:
    """Carry the action out in so many threads that begin together."""
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait()
        action(number)

    threads = [threading.Thread(target=run, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# ── Claiming ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_first_claim_stands(ledger: Ledger, email_id: str) -> None:
    mine = claim(email_id)
    assert ledger.claim([mine]) == [mine]


def test_a_second_claim_finds_the_first(ledger: Ledger, email_id: str) -> None:
    first = claim(email_id, "first")
    ledger.claim([first])
    assert ledger.claim([claim(email_id, "second")]) == [first]


def test_a_claim_put_again_is_the_one_that_stands(ledger: Ledger, email_id: str) -> None:
    """As after an answer that was lost."""
    mine = claim(email_id)
    ledger.claim([mine])
    assert ledger.claim([mine]) == [mine]


def test_the_same_id_twice_in_one_call_gets_the_first_claim_for_both(ledger: Ledger, email_id: str) -> None:
    first, second = claim(email_id, "first"), claim(email_id, "second")
    assert ledger.claim([first, second]) == [first, first]


def test_claims_are_answered_in_the_order_in_which_they_were_asked_for(ledger: Ledger, email_id: str) -> None:
    taken = claim(f"{email_id}-3", "theirs")
    ledger.claim([taken])
    wanted = [claim(f"{email_id}-{n}") for n in range(60)]
    assert ledger.claim(wanted) == [*wanted[:3], taken, *wanted[4:]]


def test_no_claims_are_no_claims(ledger: Ledger) -> None:
    assert list(ledger.claim([])) == []


def test_the_first_of_many_claims_at_once_wins(ledger: Ledger, email_id: str) -> None:
    """All of them ask at the same moment.

    worker 1 … 8:  ──claim(token 1 … 8)──►  one of the tokens stands, and each of them is told which
    """
    answers: list[Claim] = []
    at_once(WORKERS, lambda n: answers.extend(ledger.claim([claim(email_id, f"token-{n}")])))
    assert len({answer.token for answer in answers}) == 1
    assert len(answers) == WORKERS


def test_many_claims_of_many_ids_at_once_have_one_winner_each(ledger: Ledger, email_id: str) -> None:
    """In whatever order they ask.

    worker 1:  claim(a, b, c, …) ─┐
    worker 2:  claim(…, c, b, a) ─┴─► for each id both see the same claim
    """
    ids = [f"{email_id}-{n}" for n in range(30)]
    seen: dict[str, set[str]] = {each: set() for each in ids}

    def run(number: int) -> None:
        order = ids if number % 2 else ids[::-1]
        for answer in ledger.claim([claim(each, f"token-{number}") for each in order]):
            seen[answer.email_id].add(answer.token)

    at_once(4, run)
    assert {len(tokens) for tokens in seen.values()} == {1}


# ── Closing ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_closed_claim_holds_the_outcome_verbatim(ledger: Ledger, email_id: str) -> None:
    mine = claim(email_id)
    ledger.claim([mine])
    ledger.close([replace(mine, outcome=OUTCOME)])
    assert ledger.claim([claim(email_id, "other")])[0].outcome == OUTCOME


def test_many_claims_are_closed_at_once(ledger: Ledger, email_id: str) -> None:
    mine = [claim(f"{email_id}-{n}") for n in range(60)]
    ledger.claim(mine)
    ledger.close([replace(each, outcome=OUTCOME) for each in mine])
    assert all(each.outcome for each in ledger.claim(mine))


def test_a_claim_is_closed_only_while_it_stands(ledger: Ledger, email_id: str) -> None:
    """The one who was taken over comes too late.

    A:  claim ───────────────────────────► close: too late, B's claim stays open
    B:          … replace (taken over) ──►
    """
    first, second = claim(email_id, "first"), claim(email_id, "second")
    ledger.claim([first])
    ledger.replace(first, second)
    ledger.close([replace(first, outcome=OUTCOME)])
    assert ledger.claim([first]) == [second]


def test_the_first_outcome_of_a_claim_stays(ledger: Ledger, email_id: str) -> None:
    mine = claim(email_id)
    ledger.claim([mine])
    ledger.close([replace(mine, outcome=OUTCOME)])
    ledger.close([replace(mine, outcome=mail_sent().envelope("fact-2", NINE))])
    assert ledger.claim([mine])[0].outcome == OUTCOME


def test_closing_a_claim_that_was_never_put_puts_none(ledger: Ledger, email_id: str) -> None:
    ledger.close([replace(claim(email_id, "never put"), outcome=OUTCOME)])
    mine = claim(email_id)
    assert ledger.claim([mine]) == [mine]


def test_one_claim_that_fell_does_not_keep_others_from_closing(ledger: Ledger, email_id: str) -> None:
    mine = [claim(f"{email_id}-{n}") for n in range(3)]
    ledger.claim(mine)
    ledger.replace(mine[1], claim(mine[1].email_id, "theirs"))
    ledger.close([replace(each, outcome=OUTCOME) for each in mine])
    assert [bool(each.outcome) for each in ledger.claim(mine)] == [True, False, True]


def test_closing_nothing_does_nothing(ledger: Ledger) -> None:
    assert ledger.close([]) == {}


def test_closing_tells_what_stands_then(ledger: Ledger, email_id: str) -> None:
    """So that the log gets what the claim holds, whoever closed it.

    a: closed now;  b: closed before, by another;  c: taken over;  d: never put
    """
    a, b, c, d = (claim(f"{email_id}-{name}") for name in "abcd")
    ledger.claim([a, b, c])
    closed = replace(b, outcome=mail_sent().envelope("fact-2", NINE))
    ledger.close([closed])
    theirs = claim(c.email_id, "theirs")
    ledger.replace(c, theirs)
    assert ledger.close([replace(each, outcome=OUTCOME) for each in (a, b, c, d)]) == {
        a.email_id: replace(a, outcome=OUTCOME),
        b.email_id: closed,
        c.email_id: theirs,
    }


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────────────


def test_claims_are_read_as_they_stand(ledger: Ledger, email_id: str) -> None:
    mine = [claim(f"{email_id}-{n}") for n in range(150)]
    ledger.claim(mine)
    ledger.close([replace(mine[0], outcome=OUTCOME)])
    found = ledger.read([*(each.email_id for each in mine), f"{email_id}-unknown"])
    assert found == {each.email_id: each for each in [replace(mine[0], outcome=OUTCOME), *mine[1:]]}


def test_those_that_stand_open_are_told_from_those_that_are_closed(ledger: Ledger, email_id: str) -> None:
    mine = [claim(f"{email_id}-{n}") for n in range(3)]
    ledger.claim(mine)
    ledger.close([replace(mine[1], outcome=OUTCOME)])
    asked = [*(each.email_id for each in mine), f"{email_id}-unknown"]
    assert ledger.still_open(asked) == {each.email_id: each for each in (mine[0], mine[2])}
    assert set(ledger.known(asked)) == {each.email_id for each in mine}


def test_a_claim_knows_where_its_request_lies(ledger: Ledger, email_id: str) -> None:
    mine = replace(claim(email_id), place=place(49640138567893425678934256789342567893425678934256789342))
    ledger.claim([mine])
    assert ledger.read([email_id]) == {email_id: mine}


def test_reading_nothing_finds_nothing(ledger: Ledger) -> None:
    assert ledger.read([]) == {}


# ── Taking over ───────────────────────────────────────────────────────────────────────────────────────────


def test_an_open_claim_can_be_taken_over(ledger: Ledger, email_id: str) -> None:
    theirs, mine = claim(email_id, "theirs"), replace(claim(email_id, "mine"), attempt=2)
    ledger.claim([theirs])
    assert ledger.replace(theirs, mine)
    assert ledger.claim([theirs]) == [mine]


def test_a_claim_that_has_changed_is_not_taken_over(ledger: Ledger, email_id: str) -> None:
    theirs = claim(email_id, "theirs")
    ledger.claim([theirs])
    ledger.replace(theirs, claim(email_id, "renewed"))
    assert not ledger.replace(theirs, claim(email_id, "mine"))


def test_a_closed_claim_is_not_taken_over(ledger: Ledger, email_id: str) -> None:
    theirs = claim(email_id, "theirs")
    ledger.claim([theirs])
    ledger.close([replace(theirs, outcome=OUTCOME)])
    assert not ledger.replace(theirs, claim(email_id, "mine"))


def test_a_claim_that_is_gone_is_not_taken_over(ledger: Ledger, email_id: str) -> None:
    assert not ledger.replace(claim(email_id, "theirs"), claim(email_id, "mine"))


def test_one_of_many_takeovers_at_once_succeeds(ledger: Ledger, email_id: str) -> None:
    """All of them have seen the same abandoned claim.

    worker 1 … 8:  ──replace(abandoned, mine)──►  one True, seven False
    """
    abandoned = claim(email_id, "abandoned")
    ledger.claim([abandoned])
    won: list[bool] = []
    at_once(WORKERS, lambda n: won.append(ledger.replace(abandoned, claim(email_id, f"token-{n}"))))
    assert won.count(True) == 1


# ── Releasing ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_released_claim_makes_room_for_another(ledger: Ledger, email_id: str) -> None:
    mine, theirs = claim(email_id, "mine"), claim(email_id, "theirs")
    ledger.claim([mine])
    ledger.release(mine)
    assert ledger.claim([theirs]) == [theirs]


def test_a_claim_that_was_taken_over_is_not_released(ledger: Ledger, email_id: str) -> None:
    mine, theirs = claim(email_id, "mine"), claim(email_id, "theirs")
    ledger.claim([mine])
    ledger.replace(mine, theirs)
    ledger.release(mine)
    assert ledger.claim([mine]) == [theirs]


def test_a_closed_claim_is_not_released(ledger: Ledger, email_id: str) -> None:
    mine = claim(email_id)
    ledger.claim([mine])
    ledger.close([replace(mine, outcome=OUTCOME)])
    ledger.release(mine)
    assert ledger.claim([mine])[0].outcome == OUTCOME


def test_releasing_what_is_not_there_does_nothing(ledger: Ledger, email_id: str) -> None:
    ledger.release(claim(email_id))


# ── What a standing claim means ───────────────────────────────────────────────────────────────────────────

MINE = claim("order", "mine", send_before=100.0)
THEIRS = claim("order", "theirs", send_before=100.0)


@pytest.mark.parametrize(
    ("standing", "now", "expected"),
    [
        (MINE, 0.0, Standing.MINE),
        (MINE, 1_000_000.0, Standing.MINE),
        (replace(MINE, outcome=OUTCOME), 0.0, Standing.CLOSED),
        (replace(THEIRS, outcome=OUTCOME), 0.0, Standing.CLOSED),
        (THEIRS, 0.0, Standing.BUSY),
        (THEIRS, 109.9, Standing.BUSY),
        (THEIRS, 110.0, Standing.ABANDONED),
        (replace(THEIRS, event_id="event-2"), 0.0, Standing.SPENT),
        (replace(THEIRS, event_id="event-2"), 1_000_000.0, Standing.SPENT),
        (replace(THEIRS, event_id="event-2", outcome=OUTCOME), 0.0, Standing.SPENT),
    ],
)
def test_what_a_standing_claim_means(standing: Claim, now: float, expected: Standing) -> None:
    assert meaning(standing, MINE, now, grace=10.0) is expected
