"""The projections' tables as applications and operators meet them, and what happens when DynamoDB refuses."""

from collections.abc import Callable
from typing import Any
from unittest.mock import ANY

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import HealthCheck, Phase, given, settings

from pipeline.errors import Misconfigured, Unavailable
from projections import suppression, tracking
from projections.dynamodb import SuppressionTable, TrackingTable
from projections.rows import row_of
from projections.store import MemoryStore, Stored, merge
from projections.suppression import History
from projections.tracking import Mail
from tests.projections.builders import (
    at,
    complaint,
    delivered,
    events,
    failed,
    hard_bounce,
    opened,
    release,
    sent,
    soft_bounce,
    suppress,
)
from tests.projections.conftest import Tables
from tests.projections.histories import Arrival, arrivals, histories
from tests.projections.world import RETENTION, World


def track(tables: Tables, *records: bytes) -> None:
    """Each by itself, as they would come."""
    for event in events(records):
        merge(tables.tracking, tracking.fold([event]), tracking.join)


def heed(tables: Tables, *records: bytes) -> None:
    for event in events(records):
        merge(tables.suppression, suppression.fold([event]), suppression.join)


# Tracking


def test_a_row_has_the_attributes_of_the_guide(tables: Tables) -> None:
    track(tables, sent("plain", at(seconds=1), metadata={"userId": "7"}))
    item = tables.tracking_row("plain")
    assert {name: item[name] for name in ("status", "timestamp", "retryAttempt", "metadata")} == {
        "status": {"S": "sent"},
        "timestamp": {"S": at(seconds=1)},
        "retryAttempt": {"N": "0"},
        "metadata": {"M": {"userId": {"S": "7"}}},
    }


def test_a_row_follows_what_comes(tables: Tables) -> None:
    track(
        tables, sent("follows", at()), delivered("follows", at(minutes=1)), opened("follows", at(minutes=2))
    )
    assert tables.tracking_row("follows")["status"] == {"S": "opened"}


def test_an_attribute_that_is_true_no_more_is_removed(tables: Tables) -> None:
    """Feedback lends a recipient; the engine says afterwards that the request named none."""
    track(tables, delivered("vanishing", at(minutes=1)))
    had = "toEmail" in tables.tracking_row("vanishing")
    track(tables, failed("vanishing", at(), toEmail=None))
    assert (had, "toEmail" in tables.tracking_row("vanishing")) == (True, False)


def test_a_removed_attribute_leaves_its_index(tables: Tables) -> None:
    track(tables, delivered("leaving", at(), to="leaving@x.example"), failed("leaving", at(), toEmail=None))
    assert by_recipient(tables, "leaving@x.example") == []


def by_recipient(tables: Tables, address: str) -> list[str]:
    found = tables.client.query(
        TableName=tables.tracking_name,
        IndexName="to-email-timestamp-index",
        KeyConditionExpression="toEmail = :email",
        ExpressionAttributeValues={":email": {"S": address}},
    )
    return [item["emailId"]["S"] for item in found["Items"]]


def test_mails_are_found_by_recipient_in_order_of_time(tables: Tables) -> None:
    to = "finding@x.example"
    track(tables, sent("second", at(minutes=2), toEmail=to), sent("first", at(minutes=1), toEmail=to))
    assert by_recipient(tables, to) == ["first", "second"]


def test_a_chain_of_attempts_is_found_by_the_original(tables: Tables) -> None:
    retry = {"originalEmailId": "chained", "retryAttempt": 1}
    track(tables, sent("chained-retry", at(minutes=15), **retry), sent("chained", at()))
    found = tables.client.query(
        TableName=tables.tracking_name,
        IndexName="original-email-id-index",
        KeyConditionExpression="originalEmailId = :origId",
        ExpressionAttributeValues={":origId": {"S": "chained"}},
    )
    assert [item["emailId"]["S"] for item in found["Items"]] == ["chained", "chained-retry"]


def test_a_mail_is_found_by_its_message_id(tables: Tables) -> None:
    track(tables, sent("named", at(), sesMessageId="0100-named"))
    found = tables.client.query(
        TableName=tables.tracking_name,
        IndexName="ses-message-id-index",
        KeyConditionExpression="sesMessageId = :id",
        ExpressionAttributeValues={":id": {"S": "0100-named"}},
    )
    assert [item["emailId"]["S"] for item in found["Items"]] == ["named"]


def test_the_ttl_is_a_number(tables: Tables) -> None:
    track(tables, sent("mortal", at()))
    assert tables.tracking_row("mortal")["ttl"].keys() == {"N"}


def test_every_write_raises_the_version(tables: Tables) -> None:
    track(tables, sent("versions", at()), delivered("versions", at()), opened("versions", at()))
    assert tables.tracking_row("versions")["version"] == {"N": "3"}


def test_what_is_repeated_is_not_written(tables: Tables) -> None:
    track(tables, sent("repeated", at()), sent("repeated", at()))
    assert tables.tracking_row("repeated")["version"] == {"N": "1"}


def test_a_row_that_expired_between_read_and_write_is_refused(tables: Tables) -> None:
    track(tables, sent("expired", at()))
    stored = tables.tracking.load(["expired"])["expired"]
    tables.client.delete_item(TableName=tables.tracking_name, Key={"emailId": {"S": "expired"}})
    assert list(tables.tracking.save({"expired": stored})) == ["expired"]


def test_one_row_can_be_read_by_itself(tables: Tables) -> None:
    track(tables, sent("single", at()))
    row = tables.tracking.row("single")
    assert row
    assert (row["emailId"], row["metadata"]) == ("single", {"campaignId": "welcome-2026"})


def test_a_mail_of_which_nothing_is_known_has_no_row(tables: Tables) -> None:
    assert tables.tracking.row("unheard-of") is None


# Suppression


def test_a_suppressed_address_has_a_row_under_itself(tables: Tables) -> None:
    heed(tables, hard_bounce("order-1", at(minutes=1), to="Bounced@X.example"))
    item = tables.suppression_row("bounced@x.example")
    assert {name: item[name]["S"] for name in item if name != "history"} == {
        "email": "bounced@x.example",
        "reason": "hard bounce: NoEmail",
        "suppressionType": "bounce",
        "addedToSuppressionDate": at(minutes=1),
        "emailId": "order-1",
    }


def test_a_suppression_by_a_person_names_no_mail(tables: Tables) -> None:
    heed(tables, suppress("manual@x.example", at()))
    assert "emailId" not in tables.suppression_row("manual@x.example")


@pytest.mark.parametrize(
    "record",
    [soft_bounce(None, at(), to="fine@x.example"), release("fine@x.example", at(days=9))],
    ids=["soft bounce", "release"],
)
def test_an_address_that_is_not_suppressed_has_no_row_under_itself(tables: Tables, record: bytes) -> None:
    heed(tables, record)
    assert tables.suppression_row("fine@x.example") is None


def test_a_release_takes_the_row_away(tables: Tables) -> None:
    heed(tables, complaint(None, at(), to="released@x.example"), release("released@x.example", at(days=1)))
    assert tables.suppression_row("released@x.example") is None


def test_a_cause_after_the_release_brings_the_row_back(tables: Tables) -> None:
    to = "again@x.example"
    heed(tables, suppress(to, at()), release(to, at(days=1)), hard_bounce(None, at(days=2), to=to))
    assert tables.suppression_row(to)["addedToSuppressionDate"] == {"S": at(days=2)}


def test_the_history_outlives_the_release(tables: Tables) -> None:
    to = "outlived@x.example"
    heed(tables, suppress(to, at()), release(to, at(days=1)))
    assert tables.suppression.load([to])[to].state == History(to, released=at(days=1))


def test_a_late_cause_from_before_the_release_suppresses_nobody(tables: Tables) -> None:
    to = "late@x.example"
    heed(tables, release(to, at(days=1)), hard_bounce(None, at(), to=to))
    assert tables.suppression_row(to) is None


def test_the_suppressed_of_some_addresses_are_told(tables: Tables) -> None:
    heed(tables, suppress("asked@x.example", at()), soft_bounce(None, at(), to="unasked@x.example"))
    assert set(tables.suppression.suppressed(["asked@x.example", "unasked@x.example", "x@x.example"])) == {
        "asked@x.example"
    }


def test_the_list_of_the_suppressed_holds_no_histories(tables: Tables) -> None:
    heed(tables, suppress("listed@x.example", at()), soft_bounce(None, at(), to="unlisted@x.example"))
    listed = [row["email"] for row in tables.suppression.all_suppressed()]
    assert [each for each in listed if "listed@x.example" in each] == ["listed@x.example"]


def test_no_address_can_be_taken_for_the_history_of_another(tables: Tables) -> None:
    to = "victim@x.example"
    heed(tables, suppress(to, at()), suppress(f"HISTORY:{to}", at()), suppress(f"history:{to}", at()))
    assert tables.suppression.load([to])[to].state.causes == {
        suppression.Cause(at(), cause.id, "manual", "asked by phone") for cause in one_cause(to)
    }


def one_cause(address: str) -> list[suppression.Cause]:
    return list(suppression.fold(events([suppress(address, at())]))[address].causes)


def test_more_than_a_page_of_suppressed_addresses_is_listed(tables: Tables) -> None:
    """A page of a scan ends at 1 MB."""
    wanted = {f"paged-{n}@x.example" for n in range(1000)}
    said = suppression.fold(events(suppress(address, at(), "x" * 256) for address in wanted))
    merge(tables.suppression, said, suppression.join)
    assert wanted <= {row["email"] for row in tables.suppression.all_suppressed()}


# Both, beside the memory


@pytest.fixture(scope="module")
def memory() -> World:
    """Remembers every history that the tables got, as they do."""
    return World(MemoryStore(), MemoryStore())


@settings(max_examples=20, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
@given(history=histories(30), arrival=arrivals)
def test_whatever_comes_the_tables_hold_what_the_memory_holds(
    tables: Tables, memory: World, history: list[bytes], arrival: Arrival
) -> None:
    deployed = World(tables.tracking, tables.suppression)
    for batch in arrival.of(history):
        for world in (memory, deployed):
            world.take(events(batch))
    for key, mail in states(memory.mails).items():
        assert tables.tracking.row(key) == {**row_of(mail, RETENTION), "version": ANY}
    for key, past in states(memory.addresses).items():
        found, expected = tables.suppression.suppressed([key]), past.suppression
        since = {each: row["addedToSuppressionDate"] for each, row in found.items()}
        assert since == ({key: expected.since} if expected else {})


def states(store: Any) -> dict[str, Any]:
    return {key: stored.state for key, stored in store.rows.items()}


# When DynamoDB refuses


class Refusing:
    """A client whose every call ends so."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**_: Any) -> Any:
            raise self._error

        return call


def client_error(code: str, *reasons: str) -> ClientError:
    """Reasons are those of a cancelled transaction, one for each of its writes."""
    response: Any = {
        "Error": {"Code": code, "Message": "no"},
        "CancellationReasons": [{"Code": r} for r in reasons],
    }
    return ClientError(response, "AnyCall")


def table_where_a_transaction_is_cancelled(*reasons: str) -> SuppressionTable:
    client: Any = Refusing(client_error("TransactionCanceledException", *reasons))
    return SuppressionTable(client, "t")


MAIL, HISTORY = {"m": Stored(tracking.fold(events([sent("m", at())]))["m"])}, {"a": Stored(History("a"))}

CALLS: dict[str, Callable[[Any], Any]] = {
    "load mails": lambda client: TrackingTable(client, "t", RETENTION).load(["m"]),
    "save mails": lambda client: TrackingTable(client, "t", RETENTION).save(MAIL),
    "read a row": lambda client: TrackingTable(client, "t", RETENTION).row("m"),
    "load histories": lambda client: SuppressionTable(client, "t").load(["a"]),
    "save histories": lambda client: SuppressionTable(client, "t").save(HISTORY),
    "look up": lambda client: SuppressionTable(client, "t").suppressed(["a"]),
}

TEMPORARY = {
    "the network": EndpointConnectionError(endpoint_url="https://dynamodb.example"),
    "throttling": client_error("ProvisionedThroughputExceededException"),
    "the service": client_error("InternalServerError"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("error", TEMPORARY.values(), ids=TEMPORARY)
def test_a_service_that_is_down_is_to_be_waited_for(call: Callable[[Any], Any], error: Exception) -> None:
    with pytest.raises(Unavailable):
        call(Refusing(error))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_what_an_operator_must_mend_is_told(call: Callable[[Any], Any], code: str) -> None:
    with pytest.raises(Misconfigured):
        call(Refusing(client_error(code)))


@pytest.mark.parametrize(
    "codes", [("ConditionalCheckFailed", "None"), ("None", "TransactionConflict"), ("TransactionConflict",)]
)
def test_a_transaction_that_a_rival_cancelled_is_refused(codes: tuple[str, ...]) -> None:
    assert list(table_where_a_transaction_is_cancelled(*codes).save(HISTORY)) == ["a"]


@pytest.mark.parametrize(
    "codes", [("ThrottlingError", "None"), ("ConditionalCheckFailed", "ProvisionedThroughputExceeded")]
)
def test_a_transaction_that_the_service_cancelled_is_to_be_repeated(codes: tuple[str, ...]) -> None:
    with pytest.raises(Unavailable):
        table_where_a_transaction_is_cancelled(*codes).save(HISTORY)


class Partial:
    """A client that carries out the first statement, meets a conflict at the second, and so on."""

    def __init__(self, *codes: str | None) -> None:
        self._codes = codes

    def batch_execute_statement(self, Statements: list[Any]) -> dict[str, Any]:  # noqa: N803  as boto3 calls it
        outcomes = zip(Statements, self._codes, strict=True)
        return {
            "Responses": [{"Error": {"Code": code, "Message": ""}} if code else {} for _, code in outcomes]
        }


def test_each_statement_of_a_batch_has_an_outcome_of_its_own() -> None:
    changes = {key: Stored(Mail(key, MAIL["m"].state.slots, timestamp=at())) for key in ("a", "b", "c")}
    client: Any = Partial(None, "DuplicateItem", "ConditionalCheckFailed")
    assert list(TrackingTable(client, "t", RETENTION).save(changes)) == ["b", "c"]


def test_a_statement_that_failed_otherwise_is_to_be_repeated() -> None:
    with pytest.raises(Unavailable):
        TrackingTable(Partial("ThrottlingError"), "t", RETENTION).save(MAIL)  # type: ignore[arg-type]
