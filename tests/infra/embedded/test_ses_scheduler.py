from threading import Event

from infra.embedded.ses.scheduler import Scheduler


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_items_come_in_the_order_in_which_they_are_due() -> None:
    clock = Clock()
    seen: list[str] = []
    scheduler = Scheduler(seen.append, clock)
    scheduler.schedule(30.0, "late")
    scheduler.schedule(20.0, "early")
    clock.now = 40.0
    scheduler.schedule(0.0, "last")
    assert scheduler.settle(timeout=30)
    scheduler.close()
    assert seen == ["early", "late", "last"]


def test_items_due_at_the_same_time_come_as_they_were_scheduled() -> None:
    seen: list[int] = []
    scheduler = Scheduler(seen.append, Clock())
    for number in range(50):
        scheduler.schedule(0.0, number)
    assert scheduler.settle(timeout=30)
    scheduler.close()
    assert seen == list(range(50))


def test_an_item_is_pending_until_it_has_been_acted_upon() -> None:
    started, go_on = Event(), Event()

    def act(_: object) -> None:
        started.set()
        go_on.wait(30)

    scheduler = Scheduler(act)
    scheduler.schedule(0.0, "x")
    assert started.wait(30)
    assert (scheduler.pending(), scheduler.settle(timeout=0)) == (1, False)
    go_on.set()
    assert (scheduler.settle(timeout=30), scheduler.pending()) == (True, 0)
    scheduler.close()


def test_closing_drops_what_waits_and_ends_at_once() -> None:
    seen: list[str] = []
    scheduler = Scheduler(seen.append)
    scheduler.schedule(3600.0, "in an hour")
    assert scheduler.pending() == 1
    scheduler.close()
    assert (seen, scheduler.pending(), scheduler.settle()) == ([], 0, True)


def test_acting_may_schedule_more() -> None:
    seen = []

    def act(number: int) -> None:
        seen.append(number)
        if number:
            scheduler.schedule(0.0, number - 1)

    scheduler = Scheduler(act)
    scheduler.schedule(0.0, 3)
    assert scheduler.settle(timeout=30)
    scheduler.close()
    assert seen == [3, 2, 1, 0]
