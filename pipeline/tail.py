"""The log as it grows: the records of all shards in one row, for a person who looks on."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from heapq import merge

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, stop_never
from tenacity.wait import wait_exponential_jitter

from pipeline.errors import Misconfigured, Unavailable
from pipeline.log import Batch, Reader, Record, TimedLog

__all__ = ["Tail"]

LIMIT = 1000
CATCH_UP_SECONDS = 0.5  # of the five reads a second that a shard takes, most belong to those who process it
ROUND_SECONDS = 1.0
PATIENCE_SECONDS = 30.0
WORTH_TELLING = 3  # a shard that throttles does so once or twice

Pause = Callable[[float], None]


class Tail:
    """All records from a moment on, each once and those of a shard in its order.

    What is there comes in order of arrival over all shards. With `follow` it goes on without end, about a
    second behind, with the children of shards that are split or merged; a service that is down is waited for
    (`tell` hears of it), unless only an operator can mend it. Without, it ends with what there is.

    Raises:
        Misconfigured: at once.
        Unavailable: for `PATIENCE_SECONDS`, without `follow`.
    """

    def __init__(
        self,
        log: TimedLog,
        since: datetime,
        *,
        follow: bool,
        tell: Callable[[str], None],
        pause: Pause = time.sleep,
    ) -> None:
        self._log, self._since, self._follow = log, since, follow
        self._pause = pause
        self._patiently = _patience(follow, tell, pause)
        self._readers: dict[str, _Paced] = {}
        self._ended: set[str] = set()

    def __iter__(self) -> Iterator[Record]:
        yield from self._round()
        while self._follow:
            self._pause(ROUND_SECONDS)
            yield from self._round()

    def _round(self) -> Iterator[Record]:
        """All that has come since the last."""
        for shard in self._patiently(self._log.shards):
            if shard.id not in self._readers:
                reader = self._log.reader_since(shard.id, self._since)
                self._readers[shard.id] = _Paced(reader, self._pause)
        going_on = [shard for shard in self._readers if shard not in self._ended]
        yield from merge(*map(self._to_its_tip, going_on), key=lambda record: record.arrival)

    def _to_its_tip(self, shard: str) -> Iterator[Record]:
        while True:
            batch: Batch = self._patiently(self._readers[shard].read)
            yield from batch.records
            if batch.closed:
                self._ended.add(shard)
            if batch.closed or not (batch.behind_ms or len(batch.records) == LIMIT):
                return


class _Paced:
    """A reader that leaves a shard time for its other readers."""

    def __init__(self, reader: Reader, pause: Pause) -> None:
        self._reader, self._pause = reader, pause
        self._last = -CATCH_UP_SECONDS

    def read(self) -> Batch:
        wait = self._last + CATCH_UP_SECONDS - time.monotonic()
        if wait > 0:
            self._pause(wait)
        self._last = time.monotonic()
        return self._reader.read(LIMIT)


def _patience(follow: bool, tell: Callable[[str], None], pause: Pause) -> Retrying:
    def told(state: RetryCallState) -> None:
        if state.attempt_number == WORTH_TELLING and state.outcome:
            tell(f"waiting: {state.outcome.exception()}")

    return Retrying(
        retry=retry_if_exception(_may_pass),
        wait=wait_exponential_jitter(multiplier=0.5, max=5, jitter=0.5),
        stop=stop_never if follow else stop_after_delay(PATIENCE_SECONDS),
        before_sleep=told,
        sleep=pause,
        reraise=True,
    )


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Unavailable) and not isinstance(error, Misconfigured)
