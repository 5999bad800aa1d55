"""A test of the test: with any one rule broken, the law finds a history that shows it."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from projections import effects, rows, status, store, suppression, tracking
from projections.suppression import History
from projections.tracking import Mail, Slot
from tests.projections import world
from tests.projections.histories import arrivals, histories
from tests.projections.test_law import holds

Break = Callable[[pytest.MonkeyPatch], None]

SEARCH = settings(
    max_examples=8000,  # many more than it takes: what is drawn depends on the modules that are loaded
    phases=[Phase.generate],
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def counterexample() -> Any:
    """A history for which the law doesn't hold."""

    def breaks(case: tuple[Any, Any]) -> bool:
        try:
            holds(*case)
        except AssertionError:
            return True
        return False

    try:
        return find(st.tuples(histories(30), arrivals), breaks, settings=SEARCH, random=random.Random(2))
    except NoSuchExample:
        return None


def ranks(one: str, other: str) -> Break:
    """The two statuses the other way round."""

    def swap(patch: pytest.MonkeyPatch) -> None:
        old = dict(status.RANK)
        patch.setitem(status.RANK, one, old[other])
        patch.setitem(status.RANK, other, old[one])

    return swap


def slot(kind: str, name: str) -> Break:
    return lambda patch: patch.setitem(status._SLOT_OF_FEEDBACK, kind, lambda _: name)


def last_fact_wins(patch: pytest.MonkeyPatch) -> None:
    def joined(one: Slot, other: Slot) -> Slot:
        return Slot(max(one.first, other.first, key=tracking._order), max(one.last, other.last))

    patch.setattr(tracking, "_joined", joined)


def last_come_wins(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tracking, "_joined", lambda one, other: other)


def later_mail_time_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    join = tracking.join
    patch.setattr(tracking, "join", lambda one, other: replace(join(one, other), timestamp=one.timestamp))


def sent_outranks_failed(patch: pytest.MonkeyPatch) -> None:
    def outcome(mail: Mail) -> Any:
        return next((mail.slots[name].first for name in ("sent", "failed") if name in mail.slots), None)

    patch.setattr(Mail, "outcome", property(outcome))


def announces_without_waiting(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Mail, "outcome", property(lambda mail: next(iter(mail.slots.values())).first))


def a_tie_releases(patch: pytest.MonkeyPatch) -> None:
    def join(one: History, other: History) -> History:
        joined = suppression_join(one, other)
        return replace(joined, causes=frozenset(c for c in joined.causes if c.time > joined.released))

    suppression_join = suppression.join
    patch.setattr(suppression, "join", join)


def the_last_release_to_come_counts(patch: pytest.MonkeyPatch) -> None:
    join = suppression.join
    patch.setattr(
        suppression,
        "join",
        lambda one, other: replace(join(one, other), released=other.released or one.released),
    )


def soft_bounces_count_by_event(patch: pytest.MonkeyPatch) -> None:
    of = suppression.of

    def counted(event: Any) -> Any:
        for history in of(event):
            yield replace(history, soft=frozenset((time, event.id) for time, _ in history.soft))

    patch.setattr(suppression, "of", counted)


def an_out_of_office_reply_counts(patch: pytest.MonkeyPatch) -> None:
    of = suppression.of
    patch.setattr(suppression, "of", lambda event: [replace(each, arrived=frozenset()) for each in of(event)])


def only_the_first_recipient_is_read(patch: pytest.MonkeyPatch) -> None:
    of = suppression.of
    patch.setattr(suppression, "of", lambda event: list(of(event))[:1])


def conflicts_are_overwritten(patch: pytest.MonkeyPatch) -> None:
    def save(self: store.MemoryStore[Any], changes: Mapping[str, store.Stored[Any]]) -> list[str]:
        self.rows.update({key: store.Stored(each.state, 1) for key, each in changes.items()})
        return []

    patch.setattr(store.MemoryStore, "save", save)


def conflicts_are_dropped(patch: pytest.MonkeyPatch) -> None:
    save = store.MemoryStore.save

    def quiet(self: store.MemoryStore[Any], changes: Mapping[str, store.Stored[Any]]) -> list[str]:
        save(self, changes)
        return []

    patch.setattr(store.MemoryStore, "save", quiet)


def retries_are_retried(patch: pytest.MonkeyPatch) -> None:
    bounce: Any = status._SLOT_OF_FEEDBACK["Bounce"]
    patch.setitem(
        status._SLOT_OF_FEEDBACK,
        "Bounce",
        lambda feedback: bounce(replace(feedback, retry_attempt=0)),
    )


def nothing_is_retried(patch: pytest.MonkeyPatch) -> None:
    due = effects.due
    patch.setattr(
        world, "due", lambda *asked: [each for each in due(*asked) if not isinstance(each, effects.Retry)]
    )


def setting(module: Any, name: str, value: Any) -> Break:
    return lambda patch: patch.setattr(module, name, value)


BROKEN: dict[str, Break] = {
    "bounced outranks delivered": ranks("bounced", "delivered"),
    "failed outranks soft_bounced": ranks("failed", "soft_bounced"),
    "complained outranks bounced": ranks("complained", "bounced"),
    "a machine's open raises the status": slot("Open", "opened"),
    "a click raises the status": slot("Click", "opened"),
    "a delay is a soft bounce": slot("DeliveryDelay", "soft_bounced"),
    "every bounce is soft": slot("Bounce", "soft_bounced"),
    "not-spam is a complaint": slot("Complaint", "complained"),
    "a soft bounce of a retry is retried": retries_are_retried,
    "the last fact of a kind wins": last_fact_wins,
    "the last to come wins": last_come_wins,
    "a lesser mail.timestamp is forgotten": later_mail_time_is_forgotten,
    "sent outranks failed": sent_outranks_failed,
    "announces before the outcome is known": announces_without_waiting,
    "bounce fields come from the weakest": setting(rows, "_BOUNCES", ("retry_exhausted", "soft_bounced")),
    "nothing is retried": nothing_is_retried,
    "a tie of cause and release releases": a_tie_releases,
    "the last release to come counts": the_last_release_to_come_counts,
    "an out-of-office reply counts": an_out_of_office_reply_counts,
    "soft bounces count by event": soft_bounces_count_by_event,
    "only the first recipient is read": only_the_first_recipient_is_read,
    "14 soft bounces suppress": setting(suppression, "SOFT_BOUNCES", 14),
    "16 soft bounces suppress": setting(suppression, "SOFT_BOUNCES", 16),
    "the window is open at 30 days": setting(
        suppression, "WINDOW", timedelta(days=30) - timedelta(milliseconds=1)
    ),
    "the window is a millisecond longer": setting(
        suppression, "WINDOW", timedelta(days=30) + timedelta(milliseconds=1)
    ),
    "a rival's write is overwritten": conflicts_are_overwritten,
    "a refused write is dropped": conflicts_are_dropped,
}


RARE = {
    "bounced outranks delivered"
}  # one mail has to do both, and no more: thousands of histories are looked through


@pytest.mark.parametrize(
    "rule", [pytest.param(rule, marks=[pytest.mark.soak] if rule in RARE else []) for rule in BROKEN]
)
def test_a_broken_rule_is_found(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    BROKEN[rule](monkeypatch)
    assert counterexample() is not None
