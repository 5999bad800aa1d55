"""Suppression is a join-semilattice, and its states are made of events as the rules say."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.codec import decode
from projections.suppression import KEPT, Cause, History, Suppression, fold, join, of
from tests.projections.builders import (
    ANA,
    again,
    at,
    bounced,
    complaint,
    delivered,
    events,
    feedback,
    hard_bounce,
    needless,
    opened,
    release,
    sent,
    soft_bounce,
    suppress,
    unknown,
)
from tests.projections.histories import interventions, responses, retries_not_needed, wear

law = settings(max_examples=50)

told_of_addresses = st.one_of(responses(), interventions(), interventions(), retries_not_needed())


@st.composite
def pasts(draw: st.DrawFn) -> History:
    """Histories of one address."""
    records = draw(st.lists(told_of_addresses, max_size=12)) + draw(st.one_of(st.just([]), wear()))
    return fold(events(records)).get(ANA, History(ANA))


@law
@given(pasts(), pasts())
def test_joining_is_commutative(one: History, other: History) -> None:
    assert join(one, other) == join(other, one)


@law
@given(pasts(), pasts(), pasts())
def test_joining_is_associative(one: History, two: History, three: History) -> None:
    assert join(join(one, two), three) == join(one, join(two, three))


@law
@given(pasts())
def test_joining_is_idempotent(history: History) -> None:
    assert join(history, history) == history


@law
@given(pasts())
def test_an_empty_history_adds_nothing(history: History) -> None:
    assert join(History(ANA), history) == join(history, History(ANA)) == history


@law
@given(st.lists(told_of_addresses, max_size=20), st.integers(0, 20))
def test_folding_parts_and_joining_is_folding_all(records: list[bytes], cut: int) -> None:
    told = events(records)
    parts = [fold(told[:cut]), fold(told[cut:])]
    keys = parts[0].keys() | parts[1].keys()
    joined = {key: join(parts[0].get(key, History(key)), parts[1].get(key, History(key))) for key in keys}
    assert joined == fold(told)


def only(record: bytes) -> History:
    (history,) = of(decode(record))
    return history


def suppression(*records: bytes, address: str = ANA) -> Suppression | None:
    return fold(events(records))[address].suppression


SILENT = {
    "a delivery": delivered("m", at()),
    "an open": opened("m", at()),
    "a delay": feedback("DeliveryDelay", "m", at()),
    "a reject": feedback("Reject", "m", at()),
    "a mail that was sent": sent("m", at()),
    "a complaint that says not-spam": complaint("m", at(), "not-spam"),
    "a bounce of one who unsubscribed": hard_bounce("m", at(), "UnsubscribedRecipient"),
    "an unknown type": unknown("m", at()),
}


@pytest.mark.parametrize("record", SILENT.values(), ids=SILENT)
def test_what_is_no_reason_to_suppress_says_nothing_of_an_address(record: bytes) -> None:
    assert list(of(decode(record))) == []


@pytest.mark.parametrize(
    "sub_type",
    [
        "General",
        "NoEmail",
        "Suppressed",
        "OnAccountSuppressionList",
        "OnTenantSuppressionList",
        "EmailValidationSuppressed",
        "SomethingNew",
    ],
)
def test_a_permanent_bounce_suppresses(sub_type: str) -> None:
    found = suppression(hard_bounce("m", at(minutes=1), sub_type))
    assert found == (at(minutes=1), "bounce", f"hard bounce: {sub_type}", "m")


@pytest.mark.parametrize("kind", ["abuse", "auth-failure", "fraud", "other", "virus", "something-new"])
def test_a_complaint_suppresses(kind: str) -> None:
    assert suppression(complaint("m", at(), kind)) == (at(), "complaint", f"complaint: {kind}", "m")


def test_a_complaint_without_a_type_suppresses() -> None:
    assert suppression(complaint("m", at(), None)) == (at(), "complaint", "complaint: no type given", "m")


def test_a_person_suppresses_with_the_reason_given() -> None:
    assert suppression(suppress(ANA, at(), "called us")) == (at(), "manual", "called us", None)


def test_foreign_mail_suppresses_without_an_email_id() -> None:
    found = suppression(hard_bounce(None, at()))
    assert found
    assert found.email_id is None


@pytest.mark.parametrize(
    ("kind", "sub_type"),
    [
        ("Transient", "General"),
        ("Transient", "MailboxFull"),
        ("Transient", "MessageTooLarge"),
        ("Transient", "CustomTimeoutExceeded"),
        ("Transient", "ContentRejected"),
        ("Transient", "AttachmentRejected"),
        ("Undetermined", "Undetermined"),
        ("SomethingNew", "SomethingNew"),
    ],
)
def test_a_bounce_that_is_not_permanent_is_counted_by_its_message(kind: str, sub_type: str) -> None:
    history = only(bounced("m", at(minutes=1), kind, sub_type))
    assert history == History(ANA, soft=frozenset([(at(minutes=1), "ses-m")]))


def test_one_soft_bounce_suppresses_nobody() -> None:
    assert suppression(soft_bounce("m", at())) is None


def test_every_recipient_of_a_bounce_is_read() -> None:
    found = fold(events([hard_bounce("m", at(), recipients=["a@x.example", "b@x.example"])]))
    assert found.keys() == {"a@x.example", "b@x.example"}


def test_every_recipient_of_a_complaint_is_read() -> None:
    found = fold(events([complaint("m", at(), recipients=["a@x.example", "b@x.example"])]))
    assert found.keys() == {"a@x.example", "b@x.example"}


def test_a_recipient_who_is_named_twice_is_one() -> None:
    history = fold(events([hard_bounce("m", at(), recipients=[ANA, ANA.upper()])]))[ANA]
    assert len(history.causes) == 1


@pytest.mark.parametrize("written", ["ANA@customer.example", "Ana@Customer.Example", ANA])
def test_an_address_is_one_however_it_is_written(written: str) -> None:
    assert suppression(suppress(written, at())) is not None


def test_an_international_domain_is_one_in_both_scripts() -> None:
    found = fold(
        events([suppress("ana@bücher.example", at()), release("ana@xn--bcher-kva.example", at(days=1))])
    )
    assert [history.suppression for history in found.values()] == [None]


def test_the_same_bounce_in_another_envelope_is_the_same_cause() -> None:
    record = hard_bounce("m", at())
    assert len(fold(events([record, again(record)]))[ANA].causes) == 1


def test_the_first_cause_after_the_release_says_since_when() -> None:
    found = suppression(
        hard_bounce("a", at(days=1)),
        release(ANA, at(days=2)),
        complaint("b", at(days=4)),
        suppress(ANA, at(days=3)),
    )
    assert found
    assert (found.since, found.kind) == (at(days=3), "manual")


def test_causes_at_one_time_are_told_by_id() -> None:
    causes = [Cause(at(), name, "manual", f"reason {name}") for name in ("b", "a")]
    found = History(ANA, causes=frozenset(causes)).suppression
    assert found
    assert found.reason == "reason a"


def test_what_a_release_forgives_is_forgotten() -> None:
    """A history grows with what counts, not with what happened."""
    told = [hard_bounce("a", at(days=1)), soft_bounce("b", at(days=1)), release(ANA, at(days=2))]
    assert fold(events(told))[ANA] == History(ANA, released=at(days=2))


def test_a_cause_older_than_the_release_changes_nothing_when_it_comes_late() -> None:
    released = fold(events([release(ANA, at(days=2))]))[ANA]
    assert join(released, only(hard_bounce("m", at(days=1)))) == released


def test_soft_bounces_of_other_mail_count_too() -> None:
    told = [
        soft_bounce("ours" if n % 2 else None, at(days=n), message_id=f"ses-{n}", to=ANA.upper())
        for n in range(15)
    ]
    assert suppression(*told) == (at(days=14), "soft-bounces", "15 soft bounces within 30 days", None)


def test_a_mail_that_bounces_again_counts_at_its_first_bounce() -> None:
    told = [soft_bounce(None, at(days=day), message_id=f"ses-{day}") for day in range(14)]
    late = [soft_bounce(None, at(days=day), message_id="ses-again") for day in (29, 0)]
    found = suppression(*told, *late)
    assert found
    assert found.since == at(days=13)


def test_a_window_may_lie_anywhere_in_the_history() -> None:
    days = [-90, -60, -31, *range(15), 60, 90]
    told = [soft_bounce(None, at(days=day), message_id=f"ses-{day}") for day in days]
    found = suppression(*told)
    assert found
    assert found.since == at(days=14)


def test_bounces_spread_over_more_than_30_days_never_add_up() -> None:
    told = [soft_bounce(None, at(days=3 * n), message_id=f"ses-{n}") for n in range(40)]
    assert suppression(*told) is None


@law
@given(pasts(), pasts(), pasts(), st.integers(1, 4))
def test_a_history_that_is_full_is_a_semilattice_too(
    one: History, two: History, three: History, kept: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("projections.suppression.KEPT", kept)
        one, two, three = (join(each, each) for each in (one, two, three))
        assert join(one, one) == one
        assert join(one, two) == join(two, one)
        assert join(join(one, two), three) == join(one, join(two, three))


def test_a_full_history_keeps_the_latest_and_still_suppresses() -> None:
    told = [suppress(ANA, at(minutes=n)) for n in range(KEPT + 1)]
    history = fold(events(told))[ANA]
    assert len(history.causes) == KEPT
    assert history.suppression
    assert history.suppression.since == at(minutes=1)


def test_a_mail_that_arrived_after_all_has_not_bounced() -> None:
    bounces = [soft_bounce("m", at(days=n), message_id=f"ses-{n}") for n in range(15)]
    assert suppression(*bounces)
    assert suppression(*bounces, needless("m", at(days=15), "ses-3")) is None
    assert suppression(*bounces, needless("m", at(days=15), "ses-of-another")) is not None


def test_a_bounce_without_recipients_concerns_the_destination() -> None:
    record = json.loads(hard_bounce("m", at()))
    record["detail"]["bounce"]["bouncedRecipients"] = []
    assert only(json.dumps(record).encode()).address == ANA
