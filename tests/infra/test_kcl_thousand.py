"""The thousand requests under real daemons, stopped in the middle: the same end as on the one-machine host.

Two hundred of them whenever tests run, all of them in the long runs.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest

from analytics.duckdb import connect, local_access
from infra.kcl_host import KclHost
from infra.local import LocalEngine, LocalOptions
from pipeline import ids
from tests.infra.java import needs_java
from tests.infra.test_kcl_chaos import shards_of, until
from tests.infra.test_thousand_requests import (
    GARBAGE,
    MALFORMED,
    REPEATED,
    REQUESTS,
    Ran,
    good_request,
    publish,
    put_on_the_stream,
    wait_until_settled,
)

LASTING = (
    *(
        "emailId",
        "toEmail",
        "status",
        "originalSource",
        "templateName",
        "subject",
        "metadata",
        "originalEmailId",
    ),
    *(
        "retryAttempt",
        "errorCode",
        "errorMessage",
        "bounceType",
        "bounceSubType",
        "complaintFeedbackType",
        "done",
    ),
)
"""What doesn't differ from run to run, as times, ids that SES gives and places in the log do."""


@contextmanager
def gone_through(host: Literal["one-machine", "kcl"], requests: int) -> Iterator[LocalEngine]:
    options = LocalOptions(
        shards=4, retry_delay=1, archive_flush=2, send_rate=1000, duplicates=0.05, seed=3, host=host
    )
    with LocalEngine(options) as engine:
        asked = [good_request(number) for number in range(requests)]
        asked += random.Random(1).sample(asked, requests * REPEATED // REQUESTS)
        asked += [detail | {"emailId": name} for name, (detail, _) in MALFORMED.items()]
        put_on_the_stream(engine, GARBAGE)
        publish(engine, asked)
        if host == "kcl":
            stopped_in_the_middle(engine, requests)
        wait_until_settled(engine, 180, requests)
        engine.drain()
        yield engine


def stopped_in_the_middle(engine: LocalEngine, requests: int) -> None:
    """SIGTERM while batches are full; then other daemons go on."""
    host = engine._host
    assert isinstance(host, KclHost)
    until(lambda: len(engine.aws.ses.mails()) > requests // 10)
    begun = time.monotonic()
    host.stop()
    assert time.monotonic() - begun < 25
    until(lambda: not any(shards_of(daemon) for daemon in host.daemons.values()), 5.0)
    assert len(engine.aws.ses.mails()) < requests, "the stop came too late to say anything"
    engine._host = KclHost(engine.settings, engine.log, engine.client, engine.aws.region, host._options)
    engine._host.start()


def state(engine: LocalEngine) -> dict[str, Any]:
    dynamodb, settings = engine.client("dynamodb"), engine.settings
    pages = dynamodb.get_paginator("scan").paginate(TableName=settings.tracking_table_name)
    rows = [row for page in pages for row in page["Items"]]
    return {
        "rows": {row["emailId"]["S"]: {name: row[name] for name in LASTING if name in row} for row in rows},
        "mails": Counter(ids.from_tag(mail.tags["emailId"]) for mail in engine.aws.ses.mails()),
        "facts": Counter(kind for kind, _ in distinct(engine) if kind != "Send Due"),
    }


def distinct(engine: LocalEngine) -> set[tuple[str, str]]:
    """Kind and id of what was archived: a fact that was repeated counts once.

    How often a request that came twice found its mail just being sent, and was put off, is a matter of moments.
    """
    archive = connect(
        f"s3://{engine.settings.archive_bucket_name}", local_access(engine.aws.endpoint, engine.aws.region)
    )
    return set(archive.execute("SELECT kind, coalesce(event_id, sequence) FROM events").fetchall())


@needs_java
@pytest.mark.timeout(400)
@pytest.mark.parametrize("requests", [200, pytest.param(REQUESTS, marks=pytest.mark.soak)])
def test_requests_end_as_on_the_one_machine_host_and_ses_throttles_none(requests: int) -> None:
    with gone_through("kcl", requests) as engine:
        under_daemons, counters, ran = state(engine), dict(engine.aws.ses.counters), Ran(engine, requests)
        assert Counter((shard, sequence) for shard, sequence, _ in ran.archived) == ran.streamed
    with gone_through("one-machine", requests) as engine:
        on_one_machine = state(engine)
    assert counters.get("throttled", 0) == 0
    differing = {
        key: (under_daemons["rows"].get(key), row)
        for key, row in on_one_machine["rows"].items()
        if under_daemons["rows"].get(key) != row
    }
    assert differing == {}
    assert under_daemons == on_one_machine
    assert set(under_daemons["mails"].values()) == {1}
