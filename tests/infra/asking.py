"""An engine in this process, as an application and an operator meet it: events in, rows and facts out."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from infra.local import LocalEngine
from pipeline.codec import Unreadable, decode
from pipeline.dynamodb import unmarshal
from pipeline.envelope import Envelope

Found = TypeVar("Found")


def publish(
    engine: LocalEngine, details: Sequence[dict[str, Any] | str], at: datetime | None = None
) -> list[str | None]:
    """Each on the bus as an `Email Request`, text as it stands; returns event ids, None for what the bus refuses."""
    found: list[str | None] = []
    for entries in _calls([_entry(engine, detail, at) for detail in details]):
        answer = engine.client("events").put_events(Entries=entries)
        found += [entry.get("EventId") for entry in answer["Entries"]]
    return found


def _calls(entries: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """At most 10 entries and 1 MB a call."""
    call: list[dict[str, Any]] = []
    for entry in entries:
        if len(call) == 10 or (call and sum(len(each["Detail"]) for each in [*call, entry]) > 1_000_000):
            yield call
            call = []
        call.append(entry)
    yield call


def _entry(engine: LocalEngine, detail: dict[str, Any] | str, at: datetime | None) -> dict[str, Any]:
    entry = {
        "Source": "my.application",
        "DetailType": "Email Request",
        "EventBusName": engine.settings.event_bus_name,
        "Detail": detail if isinstance(detail, str) else json.dumps(detail),
    }
    return entry | ({"Time": at} if at else {})


def row(engine: LocalEngine, email_id: str) -> dict[str, Any] | None:
    found = engine.client("dynamodb").get_item(
        TableName=engine.settings.tracking_table_name, Key={"emailId": {"S": email_id}}, ConsistentRead=True
    )
    return {name: unmarshal(value) for name, value in found["Item"].items()} if "Item" in found else None


def rows(engine: LocalEngine) -> dict[str, dict[str, Any]]:
    """The whole tracking table by emailId."""
    table = engine.settings.tracking_table_name
    pages = engine.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    every = (
        {name: unmarshal(value) for name, value in raw.items()} for page in pages for raw in page["Items"]
    )
    return {each["emailId"]: each for each in every}


def log(engine: LocalEngine) -> list[Envelope]:
    """Every envelope of the log that is one; what isn't is nobody's fact."""
    found = []
    for shard in engine.log.shards():
        reader = engine.log.reader(shard.id, None)
        while records := reader.read(10_000).records:
            for record in records:
                try:
                    found.append(decode(record.data).envelope)
                except Unreadable:
                    continue
    return found


def letters(engine: LocalEngine, queue_url: str) -> int:
    """Messages in a queue: there, on their way, and being read."""
    names = [f"ApproximateNumberOfMessages{state}" for state in ("", "NotVisible", "Delayed")]
    answer = engine.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)
    return sum(int(answer["Attributes"][name]) for name in names)


def until(found: Callable[[], Found | None], seconds: float = 40, what: str = "what was waited for") -> Found:
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.05)
    return value
