"""The template bucket and the archive bucket.

Conditional writes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from consumers.archiver import FileFacts
from consumers.mail import Refusal
from consumers.templates import FILES, LARGEST_FILE, Compiled, compiled
from pipeline.aws import error_code, service_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["ArchiveBucket", "TemplateBucket", "TemplateFolder"]

MISSING = {"NoSuchKey", "404"}
MOST_TEMPLATES = 50

_log = logging.getLogger(__name__)


class TemplateFolder:
    """The files of the template bucket, `{name}/{file}`, as a person sees and changes them."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def names(self) -> list[str]:
        with service_errors("S3"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket)
            keys = [each["Key"] for page in pages for each in page.get("Contents", ())]
        return sorted({key.partition("/")[0] for key in keys if key.endswith(f"/{FILES[0]}")})

    def texts(self, name: str) -> dict[str, str]:
        """Those of the files that are there."""
        found = {file: self._body(f"{name}/{file}") for file in FILES}
        return {file: text for file, text in found.items() if text is not None}

    def put(self, name: str, texts: Mapping[str, str]) -> dict[str, str]:
        """Write the files that differ; returns `new` or `changed` for each of these."""
        before = self.texts(name)
        written = {
            file: "changed" if file in before else "new"
            for file, text in texts.items()
            if before.get(file) != text
        }
        for file in written:
            with service_errors("S3"):
                self._client.put_object(Bucket=self._bucket, Key=f"{name}/{file}", Body=texts[file].encode())
        return written

    def version(self, name: str) -> tuple[str, ...]:
        """Changes whenever one of the files does; empty where there is no template of that name."""
        with service_errors("S3"):
            answer = self._client.list_objects_v2(Bucket=self._bucket, Prefix=f"{name}/", MaxKeys=20)
        tags = {each["Key"].removeprefix(f"{name}/"): each["ETag"] for each in answer.get("Contents", ())}
        sizes = {each["Key"].removeprefix(f"{name}/"): each["Size"] for each in answer.get("Contents", ())}
        return tuple(f"{file} {tags[file]} {sizes[file]}" for file in FILES if file in tags)

    def _body(self, key: str) -> str | None:
        with service_errors("S3"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if error_code(error) in MISSING:
                    return None
                raise
            return answer["Body"].read(LARGEST_FILE + 1).decode("utf-8", "replace")


class _Known(NamedTuple):
    """A template as it was compiled, or its fault, with the version it was read at and how long that is good."""

    version: tuple[str, ...]
    found: Compiled | Refusal
    until: float


class TemplateBucket:
    """Compiled templates, the last 50 that were used; each is looked at again after a minute.

    A template that breaks is reported and fails its own mails only. Thread-safe.
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

    def get(self, name: str) -> Compiled:
        now = self._monotonic()
        with self._lock:
            known = self._known.get(name)
            if known:
                self._known.move_to_end(name)
        if known is None or now >= known.until:
            known = self._remembered(name, self._looked_at(name, known, now))
        if isinstance(known.found, Refusal):
            raise Refusal(known.found.code, known.found.sentence)
        return known.found

    def _looked_at(self, name: str, known: _Known | None, now: float) -> _Known:
        version = self._folder.version(name)
        if known and known.version == version:
            return known._replace(until=now + self._keep)
        found = self._read(name, version)
        if isinstance(found, Refusal):
            _log.error("template %s: %s", name, found.code)
        return _Known(version, found, now + self._keep)

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
