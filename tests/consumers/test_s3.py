"""Templates, kept for a while; the archive's files, each created once."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from consumers.archiver import FileFacts, file_key
from consumers.mail import Refusal
from consumers.s3 import ArchiveBucket, TemplateBucket, TemplateFolder
from pipeline.errors import Misconfigured, Unavailable
from pipeline.log import sequence_text
from tests.consumers.conftest import Deployed
from tests.consumers.fakes import Script

KEPT = 60.0


class Counted:
    """A client that counts its calls, and fails those that its script says."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.script = Script()
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        self.calls += 1
        self.script.next()
        return getattr(self._client, name)


class Shelf:
    """One template of its own in the stack's bucket, and a cache with a clock."""

    def __init__(self, deployed: Deployed) -> None:
        self._bucket = deployed.settings.template_bucket_name
        self._s3 = deployed.client("s3")
        self.counted = Counted(self._s3)
        client: Any = self.counted
        self.now = 0.0
        self.name = f"letter-{uuid.uuid4()}"
        self.templates = TemplateBucket(TemplateFolder(client, self._bucket), KEPT, lambda: self.now)

    def put(self, file: str, text: str | bytes) -> None:
        body = text if isinstance(text, bytes) else text.encode()
        self._s3.put_object(Bucket=self._bucket, Key=f"{self.name}/{file}", Body=body)

    def remove(self) -> None:
        self._s3.delete_object(Bucket=self._bucket, Key=f"{self.name}/template.html")

    def html(self) -> str:
        return self.templates.get(self.name).html.render()

    def refusal(self) -> Refusal:
        with pytest.raises(Refusal) as refused:
            self.templates.get(self.name)
        return refused.value


@pytest.fixture
def shelf(deployed: Deployed) -> Shelf:
    return Shelf(deployed)


def test_a_template_is_its_files(shelf: Shelf) -> None:
    shelf.put("template.html", "<p>Hi</p>")
    shelf.put("template.txt", "Hi")
    shelf.put("metadata.json", '{"subject": "Hello"}')
    found = shelf.templates.get(shelf.name)
    assert found.text
    assert (found.html.render(), found.text.render(), found.strings["subject"].render()) == (
        "<p>Hi</p>",
        "Hi",
        "Hello",
    )


def test_a_template_needs_no_more_than_its_html(shelf: Shelf) -> None:
    shelf.put("template.html", "<p>Hi</p>")
    found = shelf.templates.get(shelf.name)
    assert (found.text, dict(found.strings)) == (None, {})


def test_a_template_that_is_missing_is_not_found(shelf: Shelf) -> None:
    refusal = shelf.refusal()
    assert refusal.code == "TEMPLATE_NOT_FOUND"
    assert f"{shelf.name}/template.html" in refusal.sentence


def test_a_folder_without_html_is_not_found(shelf: Shelf) -> None:
    shelf.put("template.txt", "Hi")
    assert shelf.refusal().code == "TEMPLATE_NOT_FOUND"


@pytest.mark.parametrize(
    "metadata", ["{", "[]", "null", '"x"', '{"subject": "{{"}', '{"subject": 5}', b"\xff"]
)
def test_metadata_that_cannot_be_used_makes_the_template_invalid(shelf: Shelf, metadata: str | bytes) -> None:
    shelf.put("template.html", "<p>Hi</p>")
    shelf.put("metadata.json", metadata)
    assert shelf.refusal().code == "TEMPLATE_INVALID"


def test_html_that_cannot_be_compiled_makes_the_template_invalid(shelf: Shelf) -> None:
    shelf.put("template.html", "{% if %}")
    assert shelf.refusal().code == "TEMPLATE_INVALID"


def test_a_template_is_read_once_while_it_is_kept(shelf: Shelf) -> None:
    shelf.put("template.html", "<p>Hi</p>")
    shelf.html()
    calls, shelf.now = shelf.counted.calls, KEPT - 1
    shelf.html()
    assert shelf.counted.calls == calls


def test_a_change_is_seen_after_the_time(shelf: Shelf) -> None:
    shelf.put("template.html", "old")
    shelf.html()
    shelf.put("template.html", "new")
    shelf.now = KEPT - 1
    assert shelf.html() == "old"
    shelf.now = KEPT
    assert shelf.html() == "new"


def test_a_change_that_breaks_is_seen_after_the_time(shelf: Shelf) -> None:
    shelf.put("template.html", "old")
    shelf.html()
    shelf.put("template.html", "{{")
    shelf.now = KEPT
    assert shelf.refusal().code == "TEMPLATE_INVALID"


def test_a_template_that_is_removed_is_missed_after_the_time(shelf: Shelf) -> None:
    shelf.put("template.html", "old")
    shelf.html()
    shelf.remove()
    shelf.now = KEPT
    assert shelf.refusal().code == "TEMPLATE_NOT_FOUND"


def test_a_missing_template_costs_one_look(shelf: Shelf) -> None:
    shelf.refusal()
    calls = shelf.counted.calls
    shelf.refusal()
    assert shelf.counted.calls == calls


def test_a_missing_template_that_comes_is_seen_after_the_time(shelf: Shelf) -> None:
    shelf.refusal()
    shelf.put("template.html", "<p>Hi</p>")
    shelf.now = KEPT
    assert shelf.html() == "<p>Hi</p>"


def test_a_bucket_that_is_down_is_not_a_missing_template(shelf: Shelf) -> None:
    shelf.put("template.html", "<p>Hi</p>")
    shelf.counted.script.add(Unavailable("S3 is down"))
    with pytest.raises(Unavailable):
        shelf.templates.get(shelf.name)
    assert shelf.html() == "<p>Hi</p>"


def test_a_bucket_that_is_missing_is_an_operators_business(deployed: Deployed) -> None:
    folder = TemplateFolder(deployed.client("s3"), "no-such-bucket")
    with pytest.raises(Misconfigured):
        TemplateBucket(folder).get("welcome")


# ── The archive ───────────────────────────────────────────────────────────────────────────────────────────

NINE = datetime(2026, 11, 24, 9, tzinfo=UTC)


def facts(shard: str, after: int, last: int) -> FileFacts:
    return {"shard": shard, "after": sequence_text(after), "last": sequence_text(last)}


@pytest.fixture
def shard() -> str:
    return f"shardId-{uuid.uuid4()}"


@pytest.fixture
def files(deployed: Deployed) -> ArchiveBucket:
    return ArchiveBucket(deployed.client("s3"), deployed.settings.archive_bucket_name)


def create(files: ArchiveBucket, shard: str, after: int, last: int, at: datetime = NINE) -> FileFacts | None:
    return files.create(file_key(shard, after, at), b"rows", facts(shard, after, last))


def test_a_file_is_created_once(files: ArchiveBucket, shard: str) -> None:
    """The loser learns what the winner wrote.

    A:  put (if absent) ─► created
    B:  put (if absent) ─► 412 ─► head ─► A's facts
    """
    assert create(files, shard, 10, 20) is None
    assert create(files, shard, 10, 25) == facts(shard, 10, 20)


def test_a_file_that_is_there_is_left_as_it_is(files: ArchiveBucket, shard: str, deployed: Deployed) -> None:
    key = file_key(shard, 10, NINE)
    files.create(key, b"first", facts(shard, 10, 20))
    files.create(key, b"second", facts(shard, 10, 25))
    found = deployed.client("s3").get_object(Bucket=deployed.settings.archive_bucket_name, Key=key)
    assert found["Body"].read() == b"first"


def test_a_new_shard_has_no_last_file(files: ArchiveBucket, shard: str) -> None:
    assert files.last_of(shard, NINE) is None


def test_the_last_file_is_the_one_that_follows_the_greatest_number(files: ArchiveBucket, shard: str) -> None:
    for after, last in ((100, 110), (9, 20), (20, 100)):
        create(files, shard, after, last)
    assert files.last_of(shard, NINE) == facts(shard, 100, 110)


def test_the_last_file_is_of_this_shard(files: ArchiveBucket, shard: str) -> None:
    create(files, shard, 1, 2)
    create(files, f"{shard}1", 100, 110)
    assert files.last_of(shard, NINE) == facts(shard, 1, 2)


@pytest.mark.parametrize("day", [21, 22, 23, 24, 25])
def test_the_last_file_is_found_whenever_it_was_written(files: ArchiveBucket, shard: str, day: int) -> None:
    create(files, shard, 10, 20, datetime(2026, 11, day, 9, tzinfo=UTC))
    assert files.last_of(shard, NINE) == facts(shard, 10, 20)


def test_a_file_lies_under_the_hour_of_its_first_record() -> None:
    arrival = datetime(2026, 11, 24, 9, 59, 59, 999_999, UTC)
    assert file_key("shardId-1", 7, arrival) == (
        f"events/dt=2026-11-24/hh=09/shardId-1_{sequence_text(7)}.parquet"
    )
