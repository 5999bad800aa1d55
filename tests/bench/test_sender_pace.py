"""How near the senders come to the rate that SES allows, and that SES never has to throttle them."""

import time
import uuid
from collections import Counter
from contextlib import ExitStack
from statistics import mean, median

import pytest

from pipeline.envelope import Envelope
from pipeline.events import EMAIL_REQUEST
from pipeline.kinesis import KinesisLog
from tests.bench.processes import Child, client, settings

SHARDS = 4


def asked(number: int) -> Envelope:
    detail = {
        "emailId": f"pace-{number}",
        "to": f"p{number}@example.com",
        "templateName": "welcome",
        "templateData": {"userName": "Ana"},
    }
    return Envelope(
        id=str(uuid.uuid4()),
        source="bench",
        detail_type=EMAIL_REQUEST,
        time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        detail=detail,
    )


@pytest.mark.bench
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("rate", "seconds"), [(200, 15), (14, 60)])
def test_rate_over_four_processes(rate: int, seconds: int) -> None:
    with ExitStack() as processes:
        aws = processes.enter_context(Child("aws", str(rate), "0.08", str(SHARDS)))
        for shard in range(SHARDS):
            processes.enter_context(Child("sender", aws.first, "transactional", f"shardId-{shard:012d}"))
        log = KinesisLog(client(aws.first, "kinesis"), settings(aws.first).stream_name)
        log.append([asked(number) for number in range(rate * (seconds + 6))])
        time.sleep(seconds + 5)
        told = aws.ask()
    whole = Counter(int(moment) for moment in told["sent"])
    steady = sorted(whole)[2 : seconds + 2]
    counts = [whole[second] for second in steady]
    print(  # noqa: T201
        f"\nrate {rate} a second, {SHARDS} sender processes: mean {mean(counts):.1f}, median {median(counts):.0f} a second"
        f" over {len(counts)} s; SES throttled {told['counters'].get('throttled', 0)},"
        f" mails sent {len(told['sent'])}, twice {len(told['to']) - len(set(told['to']))}"
    )
