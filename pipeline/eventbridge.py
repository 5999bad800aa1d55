"""Requests put on the bus, as any application does it, many in one call.

Limits: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
"""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.aws import service_errors
from pipeline.chunks import chunks
from pipeline.errors import Unavailable
from pipeline.events import EMAIL_REQUEST

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

__all__ = ["Asked", "ask"]

ENTRIES_A_CALL = 10
BYTES_A_CALL = 1024 * 1024
BYTES_AN_ENTRY = 64  # besides its text, and more than EventBridge counts


class Asked(NamedTuple):
    """A request as it is put on the bus."""

    source: str
    detail: dict[str, Any]
    resources: tuple[str, ...] = ()


def ask(client: "EventBridgeClient", bus: str, requests: Iterable[Asked]) -> None:
    """Return once the bus has taken every request.

    Raises:
        Unavailable: it has refused one; those before have been taken.
    """
    asked: Any = [_entry(bus, request) for request in requests]
    for entries in chunks(asked, ENTRIES_A_CALL, BYTES_A_CALL, _weight):
        with service_errors("EventBridge"):
            answer = client.put_events(Entries=entries)
        refused = [told for told in answer["Entries"] if "ErrorCode" in told]
        if refused:
            raise Unavailable(f"EventBridge: {refused[0]['ErrorCode']}: {refused[0].get('ErrorMessage', '')}")


def _entry(bus: str, request: Asked) -> dict[str, Any]:
    return {
        "EventBusName": bus,
        "Source": request.source,
        "DetailType": EMAIL_REQUEST,
        "Detail": json.dumps(request.detail, ensure_ascii=False, separators=(",", ":")),
        "Resources": list(request.resources),
    }


def _weight(entry: dict[str, Any]) -> int:
    return BYTES_AN_ENTRY + sum(len(str(value).encode()) for value in entry.values())
