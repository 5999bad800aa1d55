"""The template bucket and the archive bucket.

Conditional writes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from consumers.archiver import FileFacts
from consumers.mail import Refusal
from consumers.rendering import Compiled, compiled
from pipeline.aws import error_code, service_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["ArchiveBucket", "TemplateBucket"]

MISSING = {"NoSuchKey", "404"}


class TemplateBucket:
    """Compiled templates, kept for a while; a fault is kept as well, so that it costs one look-up."""

    def __init__(
        self,
        client: "S3Client",
        bucket: str,
        keep_seconds: float = 60.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._bucket = client, bucket
        self._keep, self._monotonic = keep_seconds, monotonic
        self._known: dict[str, tuple[float, Compiled | Refusal]] = {}

    def get(self, name: str) -> Compiled:
        now = self._monotonic()
        until, found = self._known.get(name, (0.0, None))
        if found is None or now >= until:
            found = self._loaded(name)
            self._known[name] = (now + self._keep, found)
        if isinstance(found, Refusal):
            raise Refusal(found.code, found.sentence)
        return found

    def _loaded(self, name: str) -> Compiled | Refusal:
        html, metadata = self._file(name, "template.html"), self._file(name, "metadata.json")
        if html is None:
            sentence = f"there is no template '{name}': put {name}/template.html into the template bucket"
            return Refusal("TEMPLATE_NOT_FOUND", sentence)
        try:
            return compiled(name, html, self._file(name, "template.txt"), metadata or "{}")
        except Refusal as fault:
            return fault

    def _file(self, name: str, file: str) -> str | None:
        with service_errors("S3"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=f"{name}/{file}")
            except ClientError as error:
                if error_code(error) in MISSING:
                    return None
                raise
            return answer["Body"].read().decode("utf-8", "replace")


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
        """Everything is looked through only for a shard that is new, or was quiet for longer than a day."""
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
