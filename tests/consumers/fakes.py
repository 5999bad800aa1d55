"""The edges of the consumers in memory, with the faults that real ones have."""

import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from consumers.archiver import ArchiveFiles, FileFacts
from consumers.handler import Handler
from consumers.ledger import Claim, Ledger
from consumers.mail import Ambiguous, Mail, Mailer, Refusal
from consumers.parking import Letter, Letters, Parks
from consumers.patience import Patience
from consumers.projector import Bus, Delays
from consumers.templates import Compiled, Templates
from pipeline import ids
from pipeline.codec import Event
from pipeline.envelope import Envelope
from pipeline.errors import Unavailable
from pipeline.events import SendDue
from pipeline.log import Log, Place, Reader, Record, Shard
from pipeline.memory import Crash
from projections.reputation import Reputation

TIMEOUT = 10.0


class FakeReputation:
    """A day as it is told, and the events it was given."""

    def __init__(self) -> None:
        self.today = Reputation(0, 0)
        self.events: list[Event] = []

    def of_day(self, _: str) -> Reputation:
        return self.today

    def add(self, events: Sequence[Event]) -> None:
        self.events += events


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 9, 15, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Hurried(Patience):
    """Waits as often, and no time at all."""

    def __init__(self, name: str = "test", stopping: threading.Event | None = None) -> None:
        super().__init__(name, stopping or threading.Event())
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        super().pause(0)


class Script:
    """What a part does at its next calls; an exception is raised, anything else returned. Then nothing."""

    def __init__(self, *steps: Any) -> None:
        self._steps = deque(steps)
        self._lock = threading.Lock()

    def add(self, *steps: Any) -> None:
        self._steps.extend(steps)

    def next(self) -> Any:
        with self._lock:
            step = self._steps.popleft() if self._steps else None
        if isinstance(step, BaseException):
            raise step
        return step


DOWN = Unavailable("the service is down")
LOST = object()
"""SES takes the mail, and its answer is lost."""


class Always(Script):
    """The same at every call."""

    def __init__(self, step: Any) -> None:
        super().__init__()
        self._step = step
        self.reached = threading.Event()

    def next(self) -> Any:
        self.reached.set()
        if isinstance(self._step, BaseException):
            raise self._step
        return self._step


class Gate:
    """Whoever calls it waits there until it is opened."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self.opened.wait(TIMEOUT)


class FakeMailer(Mailer):
    """SES. It takes every mail, but for what the script says, its own or that of a mail by its id.

    A step of the script that can be called is called, while the mail is under way.
    """

    def __init__(self) -> None:
        self.script = Script()
        self.scripts: dict[str, Script] = {}
        self.asked: list[Mail] = []
        self.taken: list[Mail] = []

    def send(self, mail: Mail) -> str:
        self.asked.append(mail)
        step = self.scripts.get(ids.from_tag(mail.tags["emailId"]) or "", self.script).next()
        if callable(step):
            step()
        self.taken.append(mail)
        if step is LOST:
            raise Ambiguous("no answer")
        return f"ses-{len(self.taken)}"


class FakeDelays(Delays):
    def __init__(self) -> None:
        self.script = Script()
        self.due: list[tuple[SendDue, int]] = []

    def defer(self, due: Sequence[SendDue], seconds: int) -> None:
        self.script.next()
        self.due.extend((each, seconds) for each in due)


class FakeBus(Bus):
    def __init__(self) -> None:
        self.script = Script()
        self.published: list[Envelope] = []

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        self.script.next()
        self.published.extend(envelopes)


class FakeTemplates(Templates):
    def __init__(self, *compiled: Compiled) -> None:
        self.script = Script()
        self._known = {each.name: each for each in compiled}

    def get(self, name: str) -> Compiled:
        self.script.next()
        if name not in self._known:
            raise Refusal("TEMPLATE_NOT_FOUND", f"there is no template '{name}'")
        return self._known[name]


class FakeSuppressions:
    def __init__(self) -> None:
        self.script = Script()
        self.rows: dict[str, Mapping[str, Any]] = {}

    def suppressed(self, addresses: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        self.script.next()
        return {address: self.rows[address] for address in addresses if address in self.rows}


class MemoryLetters(Letters):
    def __init__(self) -> None:
        self.script = Script()
        self.letters: list[Letter] = []

    def put(self, letter: Letter) -> None:
        self.script.next()
        self.letters.append(letter)


class FakeParking(Parks):
    """What was parked: the record's sequence number, the error, and after how many attempts."""

    def __init__(self) -> None:
        self.script = Script()
        self.parked: list[tuple[int, str, int]] = []

    def park(self, record: Record, error: BaseException, attempts: int) -> None:
        self.script.next()
        self.parked.append((record.sequence, str(error), attempts))


class FakeHandler(Handler):
    """Finishes what it accepts at once; `faults` maps a sequence number to what it raises."""

    def __init__(self) -> None:
        self.script = Script()
        self.faults: dict[int, Exception] = {}
        self.given: list[int] = []
        self.accepted: list[int] = []
        self.finished: int | None = None
        self.drained = False

    def process(self, records: Sequence[Record]) -> None:
        self.script.next()
        for record in records:
            self.given.append(record.sequence)
            if record.sequence in self.faults:
                raise self.faults[record.sequence]
            if record.sequence not in self.accepted:
                self.accepted.append(record.sequence)
                self.finished = record.sequence

    def durable(self) -> int | None:
        return self.finished

    def drain(self, deadline: float) -> None:
        self.drained = True


class MemoryArchive(ArchiveFiles):
    """The archive bucket in memory."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, FileFacts]] = {}

    def create(self, key: str, body: bytes, facts: FileFacts) -> FileFacts | None:
        if key in self.files:
            return self.files[key][1]
        self.files[key] = body, dict(facts)
        return None

    def last_of(self, shard: str, since: datetime) -> FileFacts | None:
        lately = f"events/dt={since - timedelta(days=1):%Y-%m-%d}"
        keys = [key for key in self.files if f"/{shard}_" in key]
        found = [key for key in keys if key > lately] or keys
        last = max(found, key=lambda key: key.rpartition("_")[2], default=None)
        return self.files[last][1] if last else None


# ── A process that dies ───────────────────────────────────────────────────────────────────────────────────


class Life:
    """A process that dies at one step; nothing that it does from then on has an effect."""

    def __init__(self, until: str = "") -> None:
        self._until = until
        self.over = threading.Event()

    def step(self, name: str) -> None:
        if self.over.is_set() or name == self._until:
            self.over.set()
            raise Crash

    def lived(self, name: str, action: Callable[[], Any]) -> Any:
        self.step(f"before {name}")
        result = action()
        self.step(f"after {name}")
        return result


class MortalLedger(Ledger):
    def __init__(self, life: Life, ledger: Ledger) -> None:
        self._life, self._ledger = life, ledger

    def claim(self, wanted: Sequence[Claim]) -> Sequence[Claim]:
        standing: Sequence[Claim] = self._life.lived("claim", lambda: self._ledger.claim(wanted))
        return standing

    def replace(self, standing: Claim, mine: Claim) -> bool:
        return bool(self._life.lived("replace", lambda: self._ledger.replace(standing, mine)))

    def close(self, claims: Sequence[Claim]) -> Mapping[str, Claim]:
        standing: Mapping[str, Claim] = self._life.lived("close", lambda: self._ledger.close(claims))
        return standing

    def read(self, email_ids: Collection[str]) -> Mapping[str, Claim]:
        return self._ledger.read(email_ids)

    def still_open(self, email_ids: Collection[str]) -> Mapping[str, Claim]:
        return self._ledger.still_open(email_ids)

    def known(self, email_ids: Collection[str]) -> Collection[str]:
        return self._ledger.known(email_ids)

    def release(self, claim: Claim) -> None:
        self._life.lived("release", lambda: self._ledger.release(claim))


class MortalLog(Log):
    def __init__(self, life: Life, log: Log) -> None:
        self._life, self._log = life, log

    def append(self, envelopes: Sequence[Envelope]) -> None:
        self._life.lived("append", lambda: self._log.append(envelopes))

    def shards(self) -> Sequence[Shard]:
        return self._log.shards()

    def reader(self, shard: str, after: int | None) -> Reader:
        return self._log.reader(shard, after)

    def fetch(self, place: Place) -> Record | None:
        return self._log.fetch(place)


class MortalMailer(Mailer):
    def __init__(self, life: Life, mailer: Mailer) -> None:
        self._life, self._mailer = life, mailer

    def send(self, mail: Mail) -> str:
        return str(self._life.lived("SES", lambda: self._mailer.send(mail)))


class MortalDelays(Delays):
    def __init__(self, life: Life, delays: Delays) -> None:
        self._life, self._delays = life, delays

    def defer(self, due: Sequence[SendDue], seconds: int) -> None:
        self._life.lived("defer", lambda: self._delays.defer(due, seconds))
