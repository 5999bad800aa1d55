"""A thousand requests through the whole engine, some of them twice and some of them malformed."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest

from analytics.duckdb import connect, local_access
from infra.local import LocalEngine, LocalOptions
from pipeline import ids
from pipeline.log import sequence_text
from projections.dynamodb import TrackingTable
from projections.tracking import Mail

REQUESTS = 1000
REPEATED = 50
GARBAGE = (b"\xff\xfe no text", b"{", b"[1, 2]", b'{"id": 7}', b"", b"null")
MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "no-to": ({"templateName": "welcome"}, "'to' is required"),
    "no-template-name": ({"to": "a@post.example"}, "'templateName' is required"),
    "list-for-to": (
        {"to": ["a@post.example"], "templateName": "welcome"},
        "'to' must be a string, not a list",
    ),
    "list-for-data": (
        {"to": "a@post.example", "templateName": "welcome", "templateData": []},
        "'templateData' must be an object, not a list",
    ),
    "unknown-template": (
        {"to": "a@post.example", "templateName": "nowhere", "templateData": {}},
        "there is no template 'nowhere'",
    ),
}


def good_request(number: int) -> dict[str, Any]:
    return {
        "emailId": f"mail-{number}",
        "to": f"person{number}@post.example",
        "templateName": "welcome",
        "templateData": {"userName": f"Person {number}"},
        "metadata": {"number": number},
    }


@dataclass(frozen=True)
class Ran:
    """What stands after the run, read once."""

    engine: LocalEngine
    requests: int = REQUESTS

    @cached_property
    def rows(self) -> dict[str, Mail]:
        settings = self.engine.settings
        table = TrackingTable(
            self.engine.client("dynamodb"), settings.tracking_table_name, settings.retention
        )
        wanted = [f"mail-{number}" for number in range(self.requests)] + list(MALFORMED)
        return {key: stored.state for key, stored in table.load(wanted).items()}

    @cached_property
    def streamed(self) -> Counter[tuple[str, str]]:
        places: Counter[tuple[str, str]] = Counter()
        for shard in self.engine.log.shards():
            reader = self.engine.log.reader(shard.id, None)
            while records := reader.read().records:
                places.update((record.shard, sequence_text(record.sequence)) for record in records)
        return places

    @cached_property
    def archived(self) -> list[tuple[str, str, str]]:
        aws = self.engine.aws
        archive = connect(
            f"s3://{self.engine.settings.archive_bucket_name}", local_access(aws.endpoint, aws.region)
        )
        return archive.execute("SELECT shard, sequence, kind FROM events").fetchall()


@pytest.fixture(scope="module")
def ran() -> Iterator[Ran]:
    options = LocalOptions(retry_delay=1, archive_flush=2, send_rate=1000, duplicates=0.05, seed=3)
    with LocalEngine(options) as engine:
        asked = [good_request(number) for number in range(REQUESTS)]
        asked += random.Random(1).sample(asked, REPEATED)
        asked += [detail | {"emailId": name} for name, (detail, _) in MALFORMED.items()]
        random.Random(2).shuffle(asked)
        put_on_the_stream(engine, GARBAGE)
        publish(engine, asked)
        wait_until_settled(engine)
        engine.drain()
        yield Ran(engine)


def publish(engine: LocalEngine, asked: Sequence[dict[str, Any]]) -> None:
    events = engine.client("events")
    for start in range(0, len(asked), 10):
        entries = [
            {
                "Source": "my.application",
                "DetailType": "Email Request",
                "EventBusName": engine.settings.event_bus_name,
                "Detail": json.dumps(detail),
            }
            for detail in asked[start : start + 10]
        ]
        assert events.put_events(Entries=entries)["FailedEntryCount"] == 0


def put_on_the_stream(engine: LocalEngine, every: Sequence[bytes]) -> None:
    kinesis = engine.client("kinesis")
    for number, data in enumerate(every):
        kinesis.put_record(
            StreamName=engine.settings.stream_name, Data=data or b" ", PartitionKey=str(number)
        )


def wait_until_settled(engine: LocalEngine, seconds: float = 100, requests: int = REQUESTS) -> None:
    """All mails taken by SES, all feedback published, all records read."""
    calm, deadline = 0, time.monotonic() + seconds
    while calm < 5:
        assert time.monotonic() < deadline, "the run did not settle"
        time.sleep(0.2)
        calm = calm + 1 if len(engine.aws.ses.mails()) >= requests and engine.settled() else 0


@pytest.mark.timeout(200)
def test_every_request_has_a_row(ran: Ran) -> None:
    assert ran.rows.keys() == {f"mail-{number}" for number in range(REQUESTS)} | MALFORMED.keys()


@pytest.mark.timeout(200)
def test_every_mail_was_sent_once_as_counted_at_ses_by_its_tag(ran: Ran) -> None:
    sent = Counter(ids.from_tag(mail.tags["emailId"]) for mail in ran.engine.aws.ses.mails())
    retries = {ids.retry_id(f"mail-{number}", 1) for number in range(REQUESTS)}
    assert {key: count for key, count in sent.items() if key not in retries} == {
        f"mail-{number}": 1 for number in range(REQUESTS)
    }
    assert set(sent.values()) == {1}


@pytest.mark.timeout(200)
def test_every_mail_that_was_sent_has_heard_of_its_fate(ran: Ran) -> None:
    statuses = Counter(ran.rows[f"mail-{number}"].status for number in range(REQUESTS))
    assert statuses.keys() <= {"delivered", "opened", "bounced", "complained", "soft_bounced"}


@pytest.mark.timeout(200)
def test_the_archive_holds_every_record_of_the_stream_exactly_once(ran: Ran) -> None:
    assert Counter((shard, sequence) for shard, sequence, _ in ran.archived) == ran.streamed


@pytest.mark.timeout(200)
def test_bytes_that_are_no_envelope_leave_a_trace_in_the_archive(ran: Ran) -> None:
    assert sum(kind == "Unreadable" for _, _, kind in ran.archived) == len(GARBAGE)


@pytest.mark.timeout(200)
def test_a_repeated_request_leaves_a_fact_that_says_so(ran: Ran) -> None:
    assert sum(kind == "Mail Duplicate" for _, _, kind in ran.archived) == REPEATED


@pytest.mark.timeout(200)
@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_has_a_failed_row_that_says_why(ran: Ran, name: str) -> None:
    mail = ran.rows[name]
    assert mail.status == "failed"
    assert mail.outcome
    assert MALFORMED[name][1] in mail.outcome.says["errorMessage"]
