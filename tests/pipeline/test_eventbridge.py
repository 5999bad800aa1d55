"""Requests put on the bus: in few calls, none too large, and a refusal is told."""

import json
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from pipeline.errors import Unavailable
from pipeline.eventbridge import BYTES_A_CALL, Asked, ask

TAKEN = {"EventId": "event-1"}
REFUSED = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slower"}


class Bus:
    def __init__(self, *answers: Any) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self._answers = list(answers)

    def put_events(self, *, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803  as boto3 calls it
        self.calls.append(Entries)
        answer = self._answers.pop(0) if self._answers else TAKEN
        if isinstance(answer, Exception):
            raise answer
        return {"Entries": [answer] * len(Entries)}


def requests(count: int, size: int = 0) -> list[Asked]:
    return [Asked("my.shop", {"emailId": str(number), "filling": "ö" * size}) for number in range(count)]


def put(bus: Any, asked: list[Asked]) -> None:
    ask(bus, "the-bus", asked)


def test_a_request_goes_out_as_an_application_sends_it() -> None:
    bus = Bus()
    put(bus, [Asked("my.shop", {"emailId": "1", "to": "ö"}, ("arn:x",))])
    assert bus.calls == [
        [
            {
                "EventBusName": "the-bus",
                "Source": "my.shop",
                "DetailType": "Email Request",
                "Detail": '{"emailId":"1","to":"ö"}',
                "Resources": ["arn:x"],
            }
        ]
    ]


@pytest.mark.parametrize(
    ("count", "size", "calls"), [(0, 0, 0), (10, 0, 1), (11, 0, 2), (10, 100_000, 2), (3, 450_000, 3)]
)
def test_calls_stay_within_what_the_bus_takes(count: int, size: int, calls: int) -> None:
    bus = Bus()
    put(bus, requests(count, size))
    assert len(bus.calls) == calls
    assert sum(map(len, bus.calls)) == count
    for call in bus.calls:
        assert sum(len(entry["Detail"].encode()) for entry in call) < BYTES_A_CALL


def test_every_request_goes_out_once_and_in_order() -> None:
    bus = Bus()
    put(bus, requests(25))
    sent = [json.loads(entry["Detail"])["emailId"] for call in bus.calls for entry in call]
    assert sent == [str(number) for number in range(25)]


@pytest.mark.parametrize(
    ("answer", "said"),
    [(REFUSED, "ThrottlingException: slower"), (EndpointConnectionError(endpoint_url="x"), "EventBridge")],
)
def test_a_refusal_is_told(answer: Any, said: str) -> None:
    with pytest.raises(Unavailable, match=said):
        put(Bus(TAKEN, answer), requests(11))
