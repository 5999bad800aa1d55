"""Hundreds of requests that nobody should send: each leaves one outcome, none stops anything, SES sees none.

By the bus where it takes them, else straight onto the stream, all to one engine.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analytics.duckdb import connect, local_access
from infra.embedded.ses.mail import Mail
from infra.local import LocalEngine, LocalOptions
from pipeline import addresses, ids
from pipeline.codec import Unreadable, decode
from pipeline.log import Reader
from tests.infra.asking import letters, publish, row, rows, until
from tests.infra.nasty import (
    BASE,
    CASES,
    IT_DEPENDS,
    RAW,
    REFUSED,
    REFUSED_BY_THE_BUS,
    SENT,
    TOO_LARGE_FOR_THE_BUS,
    UNREADABLE,
    Raw,
    envelope_text,
)

pytestmark = pytest.mark.timeout(240)

EVERY = [case for cases in CASES.values() for case in cases]
OUTCOMES = ("Mail Sent", "Mail Failed", "Mail Duplicate")


@dataclass
class Told:
    """What the log has told so far of the requests: the facts by the event id of their request."""

    engine: LocalEngine
    readers: dict[str, Reader] = field(default_factory=dict)
    outcomes: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    parked: list[dict[str, Any]] = field(default_factory=list)

    def missing(self, event_ids: Sequence[str | None]) -> list[str | None]:
        """Those that have no outcome yet."""
        for shard in self.engine.log.shards():
            reader = self.readers.setdefault(shard.id, self.engine.log.reader(shard.id, None))
            while records := reader.read(10_000).records:
                for record in records:
                    self._hear(record.data)
        return [event_id for event_id in event_ids if event_id not in self.outcomes]

    def _hear(self, data: bytes) -> None:
        try:
            event = decode(data)
        except Unreadable:
            return
        if event.kind in OUTCOMES:
            self.outcomes[event.envelope.detail["eventId"]].append(event.envelope.detail)
        if event.kind == "Record Parked":
            self.parked.append(event.envelope.detail)


@dataclass
class Ran:
    engine: LocalEngine
    told: Told
    asked: dict[int, str | None]
    rows: dict[str, dict[str, Any]]

    def outcome(self, event_id: str) -> dict[str, Any] | None:
        """The one fact; a repetition of it says the same. None where there is none."""
        facts = self.told.outcomes.get(event_id, [])
        assert all(fact == facts[0] for fact in facts)
        return facts[0] if facts else None


@pytest.fixture(scope="module")
def ran() -> Iterator[Ran]:
    with LocalEngine(LocalOptions(send_rate=5000, archive_flush=2, retry_delay=60)) as engine:
        put_raw(engine, RAW)
        asked = dict(enumerate(publish(engine, [case.detail for case in EVERY])))
        behind = put_good_ones_behind(engine)
        told = Told(engine)
        wanted = [*asked.values(), *behind, *(raw.event_id for raw in RAW if raw.outcome != UNREADABLE)]
        with suppress(AssertionError):  # the tests tell which are missing
            until(lambda: not told.missing(wanted), 60)
        with suppress(AssertionError):
            until(engine.settled, 30)
        yield Ran(engine, told, asked, rows(engine))


def put_raw(engine: LocalEngine, raws: Sequence[Raw]) -> None:
    kinesis, stream = engine.client("kinesis"), engine.settings.stream_name
    for number, raw in enumerate(raws):
        kinesis.put_record(StreamName=stream, Data=raw.data, PartitionKey=str(number))


def put_good_ones_behind(engine: LocalEngine) -> list[str]:
    """One on each shard; returns their event ids."""
    kinesis, stream = engine.client("kinesis"), engine.settings.stream_name
    found: list[str] = []
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        event_id = f"behind-{shard['ShardId']}-{len(found)}"
        kinesis.put_record(
            StreamName=stream,
            Data=envelope_text(event_id, json.dumps(dict(BASE) | {"emailId": event_id})),
            PartitionKey="any",
            ExplicitHashKey=shard["HashKeyRange"]["StartingHashKey"],
        )
        found.append(event_id)
    return found


def test_there_are_enough_of_them() -> None:
    assert len(EVERY) >= 400
    assert len(RAW) >= 40


def put(engine: LocalEngine, detail: str) -> dict[str, Any]:
    entry = {
        "Source": "my.application",
        "DetailType": "Email Request",
        "EventBusName": engine.settings.event_bus_name,
        "Detail": detail,
    }
    answer: dict[str, Any] = engine.client("events").put_events(Entries=[entry])["Entries"][0]
    return answer


@pytest.mark.parametrize(("detail", "code"), REFUSED_BY_THE_BUS.items())
def test_the_bus_itself_refuses_what_is_no_object(ran: Ran, detail: str, code: str) -> None:
    answer = put(ran.engine, detail)
    assert "EventId" not in answer
    assert answer["ErrorCode"] == code


def test_the_bus_itself_refuses_an_event_of_1_mb(ran: Ran) -> None:
    with pytest.raises(ClientError, match="over the limit"):
        put(ran.engine, TOO_LARGE_FOR_THE_BUS)


def wrong(ran: Ran, expected: str, event_id: str) -> str | None:
    """What is wrong with the outcome of a request; None if nothing is."""
    fact = ran.outcome(event_id)
    if fact is None:
        return "it has no outcome"
    code, kept = fact.get("errorCode", SENT), ran.rows.get(fact["emailId"])
    if kept is None:
        return "it has no row"
    if kept["requestEventId"] != event_id or kept.get("errorCode", SENT) != code:
        return f"its row is another's: {kept}"
    if code == "INTERNAL_ERROR" or (code != SENT and not fact["errorMessage"].strip()):
        return f"nobody can tell what is wrong: {fact}"
    right = code != SENT if expected == REFUSED else expected in (code, IT_DEPENDS)
    return None if right else f"{code}: {fact.get('errorMessage', '')[:200]}"


@pytest.mark.parametrize("group", CASES)
def test_each_request_leaves_a_row_with_a_code_and_a_sentence_or_is_sent(ran: Ran, group: str) -> None:
    of_group = [(number, case) for number, case in enumerate(EVERY) if case in CASES[group]]
    found = {case.name: wrong(ran, case.outcome, ran.asked[number] or "") for number, case in of_group}
    assert {name: fault for name, fault in found.items() if fault} == {}


def test_each_record_that_is_a_request_has_its_outcome(ran: Ran) -> None:
    requests = [raw for raw in RAW if raw.outcome != UNREADABLE]
    found = {raw.name: wrong(ran, raw.outcome, raw.event_id) for raw in requests}
    assert {name: fault for name, fault in found.items() if fault} == {}


def test_each_record_that_is_no_event_leaves_its_trace_in_the_archive(ran: Ran) -> None:
    aws = ran.engine.aws
    bucket = f"s3://{ran.engine.settings.archive_bucket_name}"
    wanted = sum(raw.outcome == UNREADABLE for raw in RAW)

    def traces() -> list[Any]:
        archive = connect(bucket, local_access(aws.endpoint, aws.region))
        found = archive.execute("SELECT rest FROM events WHERE kind = 'Unreadable'").fetchall()
        return found if len(found) >= wanted else []

    found = [json.loads(rest) for (rest,) in until(traces, 30, f"{wanted} traces") or ()]
    assert len(found) == wanted
    assert all(each["size"] and each["error"] for each in found)


def test_nothing_is_parked(ran: Ran) -> None:
    assert ran.told.parked == []
    assert letters(ran.engine, ran.engine.settings.parked_queue_url) == 0


def test_on_every_shard_a_good_request_behind_them_is_delivered(ran: Ran) -> None:
    behind = {
        email_id: kept["status"] for email_id, kept in ran.rows.items() if email_id.startswith("behind-")
    }
    assert set(behind.values()) == {"delivered"}
    assert len(behind) == len(ran.engine.log.shards())


def malformed(mail: Mail) -> str | None:
    """What is wrong with a mail that SES took; None if nothing is."""
    shown = [(name, value) for name, value in mail.wire_headers if name != "Subject"]
    if len(mail.recipients) != 1 or addresses.validated(mail.to[0]) != mail.to[0]:
        return f"recipients {mail.to}"
    if not all(value.isascii() and value.isprintable() for pair in shown for value in pair):
        return f"headers {shown}"
    if not mail.subject.isascii() or not mail.subject.isprintable() or len(mail.subject) > 998:
        return f"subject {mail.subject!r}"
    if ids.from_tag(mail.tags["emailId"]) is None or mail.tags["retryAttempt"] not in ("0", "1"):
        return f"tags {mail.tags}"
    return None if mail.html and "\0" not in mail.html + (mail.text or "") else "a body with NUL"


def test_nothing_malformed_has_reached_ses(ran: Ran) -> None:
    found = [malformed(mail) for mail in ran.engine.aws.ses.mails()]
    assert [fault for fault in found if fault] == []
    assert ran.engine.aws.ses.counters["refused"] == 0


# Generated ones.

NASTY = st.one_of(
    st.text(max_size=300),
    st.text(alphabet="\0\r\n\t\u2028\u2029\u202e\u200b\ufeff\ud800\udfff<>{}%@.\"'\\,;: a", max_size=40),
    st.sampled_from([case.detail["to"] for case in CASES["addresses"] if len(str(case.detail["to"])) < 1000]),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | NASTY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NASTY, inner, max_size=4),
    max_leaves=12,
)


def override(value: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=dict.fromkeys(value, NASTY | JSON))


REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "to": st.just("ana@example.com") | NASTY | JSON,
        "templateName": st.sampled_from(["welcome", "invoice", "newsletter", "nowhere"]) | NASTY | JSON,
        "templateData": st.dictionaries(st.just("userName") | NASTY, JSON, max_size=4) | JSON,
        "emailId": NASTY | JSON,
        "subject": NASTY | JSON,
        "senderOverride": override(["email", "name", "x"]) | JSON,
        "replyTo": NASTY | JSON,
        "metadata": st.dictionaries(NASTY, JSON, max_size=4) | JSON,
        "priority": st.sampled_from(["bulk", "transactional"]) | NASTY | JSON,
        "unsubscribe": override(["url", "mailto", "x"]) | JSON,
        "expiresAt": st.datetimes().map(lambda time: time.isoformat() + "Z") | NASTY | JSON,
    },
)
"""Any fields of a request, with anything in them."""
NEARLY_GOOD = REQUESTS.map(lambda fields: dict(BASE) | dict(list(fields.items())[:1]))


@given(st.lists(REQUESTS | NEARLY_GOOD, min_size=10, max_size=30))
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_whatever_is_generated_has_one_outcome_and_nothing_malformed_is_sent(
    ran: Ran, details: list[dict[str, Any]]
) -> None:
    before = len(ran.engine.aws.ses.mails())
    asked = [event_id for event_id in publish(ran.engine, details) if event_id]
    until(lambda: not ran.told.missing(asked), 60, f"an outcome for each of {details}")
    facts = [fact for event_id in asked if (fact := ran.outcome(event_id))]
    until(lambda: all(row(ran.engine, fact["emailId"]) for fact in facts), 30, "a row for each")
    for fact in facts:
        assert fact.get("errorCode") != "INTERNAL_ERROR", fact
        assert "errorCode" not in fact or fact["errorMessage"].strip(), fact
    assert [fault for fault in map(malformed, ran.engine.aws.ses.mails()[before:]) if fault] == []
    assert ran.told.parked == []
