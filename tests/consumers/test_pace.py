"""The pace: so many mails a second over all processes, and a little kept for transactional mail."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from consumers.dynamodb import PaceTable
from consumers.pace import Block, Grants, MemoryGrants, Pace, SendRate
from infra.embedded import EmbeddedAws
from infra.stack import deploy
from pipeline.errors import Unavailable

RATE = 14.0
START = 1_000_000.0


class Seconds:
    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as aws:
        deploy(
            aws.client("cloudformation"),
            "Paced",
            {"DefaultSenderEmail": "a@b.example", "DeletionProtection": "false"},
        )
        yield aws


@pytest.fixture(params=["memory", "table"])
def grants(request: pytest.FixtureRequest) -> Grants:
    if request.param == "memory":
        return MemoryGrants()
    client = request.getfixturevalue("aws").client("dynamodb")
    client.delete_item(TableName="Paced-Reputation", Key={"day": {"S": "pace"}, "minute": {"S": "sending"}})
    return PaceTable(client, "Paced-Reputation")


def test_a_block_is_granted_once_and_no_further(grants: Grants) -> None:
    assert grants.take(7, 5, 14) == Block(7, 5)
    assert grants.take(7, 9, 14) == Block(7, 9)
    assert grants.take(7, 1, 14) == Block(7, 0)


def test_who_wants_more_than_is_left_gets_what_is_left(grants: Grants) -> None:
    grants.take(7, 10, 14)
    assert grants.take(7, 10, 14) == Block(7, 4)


def test_a_new_block_begins_whole(grants: Grants) -> None:
    grants.take(7, 14, 14)
    assert grants.take(8, 3, 14) == Block(8, 3)


def test_who_is_behind_in_time_takes_of_the_current_block(grants: Grants) -> None:
    grants.take(9, 10, 14)
    assert grants.take(7, 10, 14) == Block(9, 4)


def test_many_at_once_are_granted_no_more_than_there_is(grants: Grants) -> None:
    got: Counter[int] = Counter()
    lock = threading.Lock()

    def ask() -> None:
        block = grants.take(7, 3, 40)
        with lock:
            got[block.number] += block.granted

    threads = [threading.Thread(target=ask) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {7: 40}


def taken(pace: Pace, now: Seconds, seconds: float, step: float = 0.01) -> int:
    """How many mails may be sent by one who asks all the time."""
    count, end = 0, now.now + seconds
    while now.now < end:
        if not pace.take():
            count += 1
        else:
            now.now += step
    return count


def pace(grants: Grants, now: Callable[[], float], rate: float = RATE, *, bulk: bool = False) -> Pace:
    return Pace(grants, lambda: rate, now, bulk=bulk)


@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize("rate", [1.0, 14.0, 200.0])
def test_each_lane_alone_has_the_whole_rate(rate: float, bulk: bool) -> None:
    now = Seconds()
    assert taken(pace(MemoryGrants(), now, rate, bulk=bulk), now, 10) == rate * 10


def test_below_one_mail_a_second_a_block_is_longer() -> None:
    now = Seconds()
    assert taken(pace(MemoryGrants(), now, 0.2), now, 20) == 4


def test_at_a_high_rate_a_process_asks_for_many_turns_at_once() -> None:
    granted = list[int]()

    class Counted(MemoryGrants):
        def take(self, number: int, wanted: int, most: int) -> Block:
            block = super().take(number, wanted, most)
            granted.append(block.granted)
            return block

    paced = pace(Counted(), Seconds(), 200.0)
    assert [paced.take() for _ in range(200)] == [0.0] * 200
    assert granted == [11] * 18 + [2]


def test_two_processes_share_the_rate() -> None:
    now, grants = Seconds(), MemoryGrants()
    one, other = pace(grants, now), pace(grants, now)
    count = 0
    for _ in range(1000):
        count += (not one.take()) + (not other.take())
        now.now += 0.01
    assert count == RATE * 10


def test_transactional_mail_finds_room_in_a_second_that_bulk_has_used() -> None:
    now, grants = Seconds(), MemoryGrants()
    bulk, transactional = pace(grants, now, bulk=True), pace(grants, now)
    while not bulk.take():
        pass
    assert transactional.take() == 0.0


def test_bulk_takes_late_in_a_second_what_nobody_wanted() -> None:
    now = Seconds()
    bulk = pace(MemoryGrants(), now, bulk=True)
    early = sum(1 for _ in range(20) if not bulk.take())
    now.now += 0.8
    late = sum(1 for _ in range(20) if not bulk.take())
    assert (early, late) == (13, 1)


def test_who_must_wait_is_told_when_it_is_worth_asking_again() -> None:
    now = Seconds()
    asking = pace(MemoryGrants(), now)
    while not (wait := asking.take()):
        pass
    now.now += wait
    assert asking.take() == 0.0


def test_the_rate_is_the_lesser_of_the_accounts_and_our_own() -> None:
    assert SendRate(lambda: 14.0, 50).current() == 14.0
    assert SendRate(lambda: 200.0, 50).current() == 50


def test_the_rate_is_looked_up_again_after_a_while() -> None:
    account, now = iter([14.0, 28.0]), Seconds()
    rate = SendRate(lambda: next(account), 50, now)
    assert [rate.current(), rate.current()] == [14.0, 14.0]
    now.now += 61
    assert rate.current() == 28.0


def test_the_last_rate_is_good_while_ses_cannot_be_asked_but_none_is_made_up() -> None:
    answers: list[float] = []

    def account() -> float:
        if not answers:
            raise Unavailable("SES is down")
        return answers.pop()

    now = Seconds()
    rate = SendRate(account, 50, now)
    with pytest.raises(Unavailable):
        rate.current()
    answers.append(14.0)
    assert rate.current() == 14.0
    now.now += 61
    assert rate.current() == 14.0
