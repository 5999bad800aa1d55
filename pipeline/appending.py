"""Appending in chunks that the stream takes, asking again for the records it refused, one by one.

Limits: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_exponential_jitter
from tenacity.retry import retry_base

from pipeline.chunks import chunks as chunked
from pipeline.envelope import Envelope
from pipeline.errors import Unavailable

__all__ = ["Entry", "append_all", "put_all"]

MAX_RECORDS = 500
MAX_BYTES = 5 * 1024 * 1024  # half of what PutRecords takes: a retry is cheaper
ATTEMPTS = 8
MAX_KEY = 256


class Entry(NamedTuple):
    data: bytes
    partition_key: str


Put = Callable[[Sequence[Entry]], Sequence[Entry]]
_REFUSED: retry_base = retry_if_result(bool)


def append_all(put: Put, envelopes: Sequence[Envelope], pause: Callable[[float], None] = time.sleep) -> None:
    """As `put_all`."""
    put_all(put, [Entry(e.to_bytes(), partition_key(e)) for e in envelopes], pause)


def put_all(put: Put, entries: Sequence[Entry], pause: Callable[[float], None] = time.sleep) -> None:
    """Store every entry at least once; `put` returns the entries that the stream refused.

    Raises:
        Unavailable: some were still refused after the last attempt.
    """

    def put_the_refused() -> Sequence[Entry]:
        nonlocal entries
        entries = [refused for chunk in chunks(entries) for refused in put(chunk)]
        return entries

    def give_up(_: object) -> Sequence[Entry]:
        raise Unavailable(f"the stream refused {len(entries)} records {ATTEMPTS} times")

    Retrying(
        retry=_REFUSED,
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential_jitter(multiplier=0.05, max=2, jitter=0.05),
        sleep=pause,
        retry_error_callback=give_up,
    )(put_the_refused)


def partition_key(envelope: Envelope) -> str:
    """What concerns one mail goes to one shard where it can; nothing depends on it."""
    return str(envelope.detail.get("emailId") or envelope.id)[:MAX_KEY]


def chunks(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    return chunked(
        entries, MAX_RECORDS, MAX_BYTES, lambda entry: len(entry.data) + len(entry.partition_key.encode())
    )
