"""What the daemon is told, and what it must not be told since it costs money or loses time."""

from dataclasses import replace
from typing import Any

import pytest

from consumers.kcl.processor import Shift
from consumers.kcl.properties import GRACE, READS, Application, text
from consumers.names import ConsumerName

POLLING = Application(
    name="engine-projector",
    stream="engine-events",
    region="eu-central-1",
    worker="host-7f3d",
    command="python3 -m infra.shard projector",
    read_every=1000,
)
FANOUT = replace(POLLING, retrieval="FANOUT")
READS_A_SECOND = 5
NOT_AFTER = 25_000


def properties(application: Application, major: int = 2) -> dict[str, str]:
    """As Java reads them."""
    lines = text(application, major).splitlines()
    pairs = [(name, value) for name, _, value in (line.partition(" = ") for line in lines)]
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


@pytest.mark.parametrize("major", [2, 3])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("executableName", "python3 -m infra.shard projector"),
        ("processingLanguage", "python"),
        ("applicationName", "engine-projector"),
        ("streamName", "engine-events"),
        ("regionName", "eu-central-1"),
        ("workerId", "host-7f3d"),
        ("initialPositionInStream", "TRIM_HORIZON"),
        ("retrievalMode", "POLLING"),
        ("maxRecords", "1000"),
        ("idleTimeBetweenReadsInMillis", "1000"),
        ("callProcessRecordsEvenForEmptyRecordList", "true"),
        ("failoverTimeMillis", "10000"),
        ("metricsLevel", "NONE"),
    ],
)
def test_each_version_is_told(major: int, name: str, value: str) -> None:
    assert properties(POLLING, major)[name] == value


def test_fan_out_is_asked_for_without_a_property_of_polling() -> None:
    """Which would make it poll after all."""
    told = properties(FANOUT)
    assert told["retrievalMode"] == "FANOUT"
    assert set(properties(POLLING)) - set(told) == {"maxRecords", "idleTimeBetweenReadsInMillis"}


@pytest.mark.parametrize(("seconds", "millis"), [(3.0, "3000"), (10.0, "10000"), (0.0015, "2")])
def test_failover_is_told_in_whole_milliseconds(seconds: float, millis: str) -> None:
    assert properties(replace(POLLING, failover=seconds))["failoverTimeMillis"] == millis


@pytest.mark.parametrize("millis", [500, 2000])
def test_reads_are_as_far_apart_as_the_application_says(millis: int) -> None:
    assert properties(replace(POLLING, read_every=millis))["idleTimeBetweenReadsInMillis"] == str(millis)


def test_all_consumers_together_stay_below_the_reads_that_a_shard_grants() -> None:
    assert sum(1000 / every for every in READS.values()) < READS_A_SECOND


def test_every_consumer_of_the_engine_has_its_reads() -> None:
    assert set(READS) == set(ConsumerName)


def test_the_daemon_waits_for_longer_than_a_process_takes_for_draining() -> None:
    grace: Any = Shift.__dataclass_fields__["grace"].default
    assert grace * 1000 < GRACE <= NOT_AFTER
    assert properties(POLLING)["shutdownGraceMillis"] == str(GRACE)


# ── What differs ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_second_version_takes_credentials_by_their_old_name() -> None:
    told = properties(POLLING, 2)
    assert told["AWSCredentialsProvider"] == "DefaultAWSCredentialsProviderChain"
    assert told.keys().isdisjoint(
        {"AwsCredentialsProvider", "isGracefulLeaseHandoffEnabled", "leaseAssignmentIntervalMillis"}
    )


def test_the_third_version_takes_credentials_by_their_new_name_and_hands_leases_over() -> None:
    told = properties(POLLING, 3)
    assert told["AwsCredentialsProvider"] == "DefaultCredentialsProvider"
    assert told["isGracefulLeaseHandoffEnabled"] == "true"
    assert "AWSCredentialsProvider" not in told


@pytest.mark.parametrize("name", ["leaseAssignmentIntervalMillis", "workerMetricsReporterFreqInMillis"])
def test_the_third_version_gives_leases_to_the_living_as_soon_as_a_worker_counts_as_silent(name: str) -> None:
    assert properties(replace(POLLING, failover=2.5), 3)[name] == "2500"
    assert name not in properties(POLLING, 2)


def test_a_later_version_is_told_what_the_third_is() -> None:
    assert text(POLLING, 4) == text(POLLING, 3)


@pytest.mark.parametrize("application", [POLLING, FANOUT])
@pytest.mark.parametrize("major", [2, 3])
def test_an_endpoint_adds_to_what_is_told(application: Application, major: int) -> None:
    """There shards are looked for more often, and a daemon has less time to end; nothing else changes."""
    endpoint = "http://127.0.0.1:4566"
    plain = properties(application, major)
    told = properties(replace(application, endpoint=endpoint), major)
    assert {name: told[name] for name in told.keys() - plain.keys()} == {
        "kinesisEndpoint": endpoint,
        "dynamoDBEndpoint": endpoint,
        "shardSyncIntervalMillis": "2000",
        "parentShardPollIntervalMillis": "1000",
    }
    assert 0 < int(told.pop("shutdownGraceMillis")) <= int(plain.pop("shutdownGraceMillis"))
    assert told.items() >= plain.items()
