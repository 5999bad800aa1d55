"""A log from which deferred requests are fetched by the thousand: neighbours come along in one read.

Mails that are held together stand together in the log and come due together, and a shard takes five reads
a second from all its readers. So a second fetch from a shard within some seconds brings some of what follows
there, and each further one more, so long as that is asked for as well.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.envelope import Envelope
from pipeline.events import EMAIL_REQUEST
from pipeline.log import Log, Place, Reader, Record, Shard

__all__ = ["ReadingAhead"]

TOGETHER_SECONDS = 10.0
FEWEST_AHEAD, MOST_AHEAD = 8, 512
USEFUL = 8  # one of so many that came along has to be asked for
KEPT_BYTES = 32 * 1024 * 1024
_REQUEST = EMAIL_REQUEST.encode()


@dataclass(slots=True)
class _Shard:
    """When it was last asked, how many records came along then, and how many of what came were asked for."""

    last: float = -TOGETHER_SECONDS
    ahead: int = 0
    hits: int = 0

    def next(self, now: float) -> int:
        """How many are to come along this time."""
        more, fewer = min(2 * self.ahead, MOST_AHEAD), self.ahead // 2
        wanted = max(more if self.hits * USEFUL >= self.ahead else fewer, FEWEST_AHEAD)
        self.ahead, self.hits = (wanted if now - self.last < TOGETHER_SECONDS else 0), 0
        self.last = now
        return self.ahead


class ReadingAhead:
    """Thread-safe. A request that came along is kept until it is fetched, within `KEPT_BYTES`."""

    def __init__(self, log: Log, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._log, self._monotonic = log, monotonic
        self._kept: OrderedDict[tuple[str, int], Record] = OrderedDict()
        self._bytes = 0
        self._shards: dict[str, _Shard] = {}
        self._lock = threading.Lock()

    def append(self, envelopes: Sequence[Envelope]) -> None:
        self._log.append(envelopes)

    def shards(self) -> Sequence[Shard]:
        return self._log.shards()

    def reader(self, shard: str, after: int | None) -> Reader:
        return self._log.reader(shard, after)

    def fetch(self, place: Place) -> Record | None:
        kept = self._taken((place.shard, int(place.sequence)))
        if kept:
            return kept
        found = self._log.fetch(place)
        ahead = self._ahead(place.shard) if found else 0
        if found and ahead:
            self._keep(self._log.reader(found.shard, found.sequence).read(ahead).records)
        return found

    def _ahead(self, shard: str) -> int:
        with self._lock:
            return self._shards.setdefault(shard, _Shard()).next(self._monotonic())

    def _taken(self, key: tuple[str, int]) -> Record | None:
        with self._lock:
            found = self._kept.pop(key, None)
            if found:
                self._bytes -= len(found.data)
                self._shards[found.shard].hits += 1
            return found

    def _keep(self, records: Sequence[Record]) -> None:
        with self._lock:
            for record in records:
                key = record.shard, record.sequence
                if _REQUEST in record.data and key not in self._kept:
                    self._kept[key] = record
                    self._bytes += len(record.data)
            while self._bytes > KEPT_BYTES:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= len(oldest.data)
