"""The template bucket and the archive bucket.

Conditional writes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from consumers.archiver import FileFacts
from consumers.mail import Refusal
from consumers.templates import FILES, LARGEST_FILE, Compiled, compiled
from pipeline.aws import error_code, service_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["ArchiveBucket", "Listed", "TemplateBucket", "TemplateFolder"]

MISSING = {"NoSuchKey", "404"}
MOST_TEMPLATES = 50
READERS = 16
SOONER = 12

_log = logging.getLogger(__name__)


class TemplateFolder:
    """The files of the template bucket, `{name}/{file}`, as a person sees and changes them."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def names(self) -> list[str]:
        with service_errors("S3"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket)
            keys = [each["Key"] for page in pages for each in page.get("Contents", ())]
        return sorted(name for name, _, file in (key.partition("/") for key in keys) if file == FILES[0])

    def texts(self, name: str) -> dict[str, str]:
        """Those of the files that are there."""
        found = {file: self.text(name, file) for file in FILES}
        return {file: text for file, text in found.items() if text is not None}

    def text(self, name: str, file: str) -> str | None:
        """None for one that isn't there; of one that is too large, somewhat more than is allowed."""
        with service_errors("S3"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=f"{name}/{file}")
            except ClientError as error:
                if error_code(error) in MISSING:
                    return None
                raise
            return answer["Body"].read(LARGEST_FILE + 1).decode("utf-8-sig", "replace")

    def put(self, name: str, texts: Mapping[str, str]) -> dict[str, str]:
        """Write the files that differ; returns `new` or `changed` for each of these."""
        before = self.texts(name)
        written = {
            file: "changed" if file in before else "new"
            for file, text in texts.items()
            if before.get(file) != text
        }
        bodies = {file: texts[file].encode("utf-8", "surrogateescape") for file in written}
        for file in written:
            with service_errors("S3"):
                self._client.put_object(Bucket=self._bucket, Key=f"{name}/{file}", Body=bodies[file])
        return written

    def version(self, name: str) -> tuple[str, ...]:
        """Changes whenever one of the files does; empty where there is no template of that name."""
        with service_errors("S3"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"{name}/", Delimiter="/"
            )
            found = {each["Key"]: each for page in pages for each in page.get("Contents", ())}
        keys = [key for file in FILES if (key := f"{name}/{file}") in found]
        return tuple(f"{key} {found[key]['ETag']} {found[key]['Size']}" for key in keys)


class _Known(NamedTuple):
    """A template as it was compiled, or its fault, with the version it was read at and how long that is good."""

    version: tuple[str, ...]
    found: Compiled | Refusal
    until: float


class TemplateBucket:
    """Compiled templates, the last 50 that were used; each is looked at again after a minute.

    A template that breaks is reported and fails its own mails only; it is looked at sooner, for its mails
    wait for nobody. Thread-safe: while one thread reads a template, others that want it wait.
    """

    def __init__(
        self,
        folder: TemplateFolder,
        keep_seconds: float = 60.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._keep, self._monotonic = folder, keep_seconds, monotonic
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = threading.Lock()
        self._reading = [threading.Lock() for _ in range(READERS)]

    def get(self, name: str) -> Compiled:
        known = self._good(name)
        if known is None:
            with self._reading[hash(name) % READERS]:
                known = self._good(name) or self._remembered(name, self._looked_at(name))
        if isinstance(known.found, Refusal):
            raise Refusal(known.found.code, known.found.sentence)
        return known.found

    def _good(self, name: str) -> _Known | None:
        """What is known and needs no look."""
        with self._lock:
            known = self._known.get(name)
            if known is None or self._monotonic() >= known.until:
                return None
            self._known.move_to_end(name)
            return known

    def _looked_at(self, name: str) -> _Known:
        with self._lock:
            known = self._known.get(name)
        now, version = self._monotonic(), self._folder.version(name)
        found = known.found if known and known.version == version else self._reported(name, version, known)
        return _Known(
            version, found, now + (self._keep / SOONER if isinstance(found, Refusal) else self._keep)
        )

    def _reported(self, name: str, version: tuple[str, ...], known: _Known | None) -> Compiled | Refusal:
        found = self._read(name, version)
        if isinstance(found, Refusal):
            _log.error("template %s: %s: %s", name, found.code, found.sentence)
        elif known and isinstance(known.found, Refusal):
            _log.info("template %s can be used again", name)
        return found

    def _read(self, name: str, version: tuple[str, ...]) -> Compiled | Refusal:
        texts = self._folder.texts(name) if version else {}
        if FILES[0] not in texts:
            sentence = f"there is no template '{name}': put {name}/{FILES[0]} into the template bucket"
            return Refusal("TEMPLATE_NOT_FOUND", sentence)
        too_large = [file for file, text in texts.items() if len(text.encode()) > LARGEST_FILE]
        if too_large:
            sentence = f"{name}/{too_large[0]} is larger than {LARGEST_FILE // 1024} KB"
            return Refusal("TEMPLATE_INVALID", f"template '{name}' can't be used: {sentence}")
        try:
            return compiled(name, texts[FILES[0]], texts.get(FILES[1]), texts.get(FILES[2], "{}"))
        except Refusal as fault:
            return fault

    def _remembered(self, name: str, known: _Known) -> _Known:
        with self._lock:
            self._known[name] = known
            self._known.move_to_end(name)
            while len(self._known) > MOST_TEMPLATES:
                self._known.popitem(last=False)
        return known


class Listed(NamedTuple):
    """A file of the archive as the bucket lists it; `size` in bytes."""

    key: str
    size: int
    written: datetime


class ArchiveBucket:
    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def create(self, key: str, body: bytes, facts: FileFacts) -> FileFacts | None:
        with service_errors("S3"):
            try:
                self._client.put_object(
                    Bucket=self._bucket, Key=key, Body=body, Metadata=dict(facts), IfNoneMatch="*"
                )
            except ClientError as error:
                if error_code(error) != "PreconditionFailed":
                    raise
                return self._facts(key)
        return None

    def last_of(self, shard: str, since: datetime) -> FileFacts | None:
        """The latest days first: what begins there is later in the chain than what begins before.

        Everything is looked through only for a shard that is new, or was quiet for longer than a day.
        """
        lately = f"events/dt={since - timedelta(days=1):%Y-%m-%d}"
        with service_errors("S3"):
            last = self._last_key(shard, lately) or self._last_key(shard, "events/")
            return self._facts(last) if last else None

    def files(self) -> Iterator[Listed]:
        """Every file of the archive, by the hours of their first records."""
        with service_errors("S3"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix="events/"
            )
            for page in pages:
                for each in page.get("Contents", ()):
                    yield Listed(each["Key"], each["Size"], each["LastModified"].astimezone(UTC))

    def end_of(self, key: str, length: int) -> bytes:
        """The last bytes of a file, or the whole one where it is shorter; none of a file that is gone or empty."""
        with service_errors("S3"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key, Range=f"bytes=-{length}")
            except ClientError as error:
                if error_code(error) not in {"InvalidRange", "NoSuchKey"}:
                    raise
                return b""
            return answer["Body"].read()

    def _last_key(self, shard: str, start_after: str) -> str | None:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix="events/", StartAfter=start_after
        )
        keys = [each["Key"] for page in pages for each in page.get("Contents", ())]
        return max((key for key in keys if f"/{shard}_" in key), key=_after, default=None)

    def _facts(self, key: str) -> FileFacts:
        return self._client.head_object(Bucket=self._bucket, Key=key)["Metadata"]


def _after(key: str) -> str:
    return key.rpartition("_")[2]
