"""Metrics in CloudWatch's embedded metric format: counts and durations, gathered and written once a minute.

Format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
Dimensions are names of this engine (consumer, code, reason), never anything of a mail.
"""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from consumers.mail import Mail, Mailer, Throttled

__all__ = ["MeasuredMailer", "Metrics", "silent"]

NAMESPACE = "SESMailEngine"
MOST_VALUES = 100  # in one line, as CloudWatch has it
SECONDS_BETWEEN_LINES = 60.0


class _Series(NamedTuple):
    name: str
    unit: str
    dimensions: tuple[tuple[str, str], ...]


class Metrics:
    """`write` takes a line; `now` in seconds since the epoch. Thread-safe."""

    def __init__(
        self,
        dimensions: Mapping[str, str],
        write: Callable[[str], object],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._dimensions, self._write, self._now = dict(dimensions), write, now
        self._values: defaultdict[_Series, list[float]] = defaultdict(list)
        self._due = now() + SECONDS_BETWEEN_LINES
        self._lock = threading.Lock()

    def count(self, name: str, value: int = 1, **dimensions: str) -> None:
        series = _Series(name, "Count", tuple(sorted(dimensions.items())))
        with self._lock:
            known = self._values[series]
            known[:] = [sum(known) + value]
        self._flush_when_due()

    def duration(self, name: str, seconds: float, **dimensions: str) -> None:
        """Of more than a hundred in a minute the latest are kept."""
        series = _Series(name, "Milliseconds", tuple(sorted(dimensions.items())))
        with self._lock:
            known = self._values[series]
            known.append(round(seconds * 1000, 1))
            del known[:-MOST_VALUES]
        self._flush_when_due()

    @contextmanager
    def timed(self, name: str, **dimensions: str) -> Iterator[None]:
        begun = time.monotonic()
        try:
            yield
        finally:
            self.duration(name, time.monotonic() - begun, **dimensions)

    def flush(self) -> None:
        with self._lock:
            gathered, self._values = self._values, defaultdict(list)
            self._due = self._now() + SECONDS_BETWEEN_LINES
        for series, values in gathered.items():
            self._write(self._line(series, values))

    def _flush_when_due(self) -> None:
        if self._now() >= self._due:
            self.flush()

    def _line(self, series: _Series, values: list[float]) -> str:
        dimensions = self._dimensions | dict(series.dimensions)
        definition = {
            "Namespace": NAMESPACE,
            "Dimensions": [list(dimensions)],
            "Metrics": [{"Name": series.name, "Unit": series.unit}],
        }
        about = {"Timestamp": round(self._now() * 1000), "CloudWatchMetrics": [definition]}
        shown = values[0] if series.unit == "Count" else values
        return json.dumps({"_aws": about, **dimensions, series.name: shown})


def silent() -> Metrics:
    """Measures and tells nobody."""
    return Metrics({}, lambda _: None)


class MeasuredMailer:
    """A mailer whose calls are timed, and whose refusals to hurry are counted."""

    def __init__(self, mailer: Mailer, metrics: Metrics) -> None:
        self._mailer, self._metrics = mailer, metrics

    def send(self, mail: Mail) -> str:
        try:
            with self._metrics.timed("SesLatency"):
                return self._mailer.send(mail)
        except Throttled:
            self._metrics.count("Throttled")
            raise
