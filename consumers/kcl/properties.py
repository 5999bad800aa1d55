"""The properties of a MultiLangDaemon, for KCL 2.x and 3.x.

Source: https://github.com/awslabs/amazon-kinesis-client-python/blob/master/samples/sample.properties
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from consumers.names import ConsumerName

__all__ = ["READS", "Application", "text"]

# Milliseconds between two reads of a shard. All consumers together stay below its five reads a second.
READS: Mapping[ConsumerName, int] = {
    ConsumerName.SENDER_TRANSACTIONAL: 500,
    ConsumerName.SENDER_BULK: 1000,
    ConsumerName.PROJECTOR: 1000,
    ConsumerName.ARCHIVER: 2000,
}
GRACE = 20_000  # milliseconds; a process has more for draining than its shards take


@dataclass(frozen=True, slots=True)
class Application:
    """One consumer of one engine. `failover` in seconds: a worker that is silent for longer loses its shards.

    `endpoint` stands in the place of AWS's own. Lease table and CloudWatch names derive from `name`.
    """

    name: str
    stream: str
    region: str
    worker: str
    command: str
    read_every: int
    retrieval: Literal["POLLING", "FANOUT"] = "POLLING"
    failover: float = 10.0
    endpoint: str | None = None


def text(application: Application, kcl_major: int) -> str:
    lines = _common(application) | (_of_2() if kcl_major < 3 else _of_3(application))
    if application.endpoint:
        lines |= _at(application, kcl_major)
    return "".join(f"{name} = {value}\n" for name, value in lines.items())


def _common(application: Application) -> dict[str, object]:
    polling = {"maxRecords": 1000, "idleTimeBetweenReadsInMillis": application.read_every}
    return {
        "executableName": application.command,
        "processingLanguage": "python",
        "applicationName": application.name,
        "streamName": application.stream,
        "regionName": application.region,
        "workerId": application.worker,
        "initialPositionInStream": "TRIM_HORIZON",
        "retrievalMode": application.retrieval,
        **(polling if application.retrieval == "POLLING" else {}),
        "callProcessRecordsEvenForEmptyRecordList": "true",
        "failoverTimeMillis": round(application.failover * 1000),
        "shutdownGraceMillis": GRACE,
        "metricsLevel": "NONE",  # the consumers tell their own, in their logs
    }


def _of_2() -> dict[str, object]:
    return {"AWSCredentialsProvider": "DefaultAWSCredentialsProviderChain"}


def _of_3(application: Application) -> dict[str, object]:
    """One worker gives the leases out, to each that has reported within two intervals of reporting.

    By default that is once in two failovers, and a minute in which the dead are given shards, too.
    """
    failover = round(application.failover * 1000)
    return {
        "AwsCredentialsProvider": "DefaultCredentialsProvider",
        "isGracefulLeaseHandoffEnabled": "true",
        "leaseAssignmentIntervalMillis": failover,
        "workerMetricsReporterFreqInMillis": failover,
    }


def _at(application: Application, kcl_major: int) -> dict[str, object]:
    """Behind an emulator all goes faster; who tries the engine out won't wait a minute for a split."""
    return {
        "kinesisEndpoint": application.endpoint,
        "dynamoDBEndpoint": application.endpoint,
        "shardSyncIntervalMillis": 2000,
        "parentShardPollIntervalMillis": 1000,
        # For so long a daemon waits for a shard that has died. 3.x takes four seconds to end in good order.
        "shutdownGraceMillis": GRACE // (5 if kcl_major < 3 else 2),
    }
