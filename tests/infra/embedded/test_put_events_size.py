import json
from typing import Any

import pytest

from infra.embedded.put_events_size import MAX_REQUEST_BYTES, entry_size
from tests.infra.embedded.clients import ClientOf


def entry(size: int, **more: Any) -> dict[str, Any]:
    """An entry that counts so many bytes."""
    made = {"Source": "shop", "DetailType": "Mail", **more}
    room = size - entry_size(made) - len(json.dumps({"x": ""}))
    return {**made, "Detail": json.dumps({"x": "x" * room})}


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"Source": "ab", "DetailType": "cd", "Detail": "{}"}, 6),
        ({"Source": "é", "DetailType": "", "Detail": "{}", "Resources": ["arn", "b"]}, 8),
        ({"Source": "a", "DetailType": "b", "Detail": "{}", "Time": 1.0}, 18),
    ],
)
def test_the_bytes_of_all_parts_count(fields: dict[str, Any], size: int) -> None:
    assert entry_size(fields) == size


def test_a_request_just_below_a_megabyte_is_accepted(client: ClientOf) -> None:
    answer = client("events").put_events(Entries=[entry(MAX_REQUEST_BYTES - 1)])
    assert answer["FailedEntryCount"] == 0


@pytest.mark.parametrize("sizes", [[MAX_REQUEST_BYTES], [MAX_REQUEST_BYTES // 2] * 2])
def test_a_megabyte_over_all_entries_is_refused(client: ClientOf, sizes: list[int]) -> None:
    events = client("events")
    with pytest.raises(events.exceptions.ClientError, match="over the limit") as error:
        events.put_events(Entries=[entry(size) for size in sizes])
    assert error.value.response["Error"]["Code"] == "ValidationException"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_eleven_entries_are_refused(client: ClientOf) -> None:
    events = client("events")
    with pytest.raises(events.exceptions.ClientError, match="less than or equal to 10"):
        events.put_events(Entries=[entry(200)] * 11)


def test_an_entry_without_detail_fails_alone(client: ClientOf) -> None:
    answer = client("events").put_events(Entries=[entry(200), {"Source": "shop", "DetailType": "Mail"}])
    assert [("EventId" in found, found.get("ErrorCode")) for found in answer["Entries"]] == [
        (True, None),
        (False, "InvalidArgument"),
    ]
