"""PutEvents refuses a request whose entries together reach 1 MB."""

from collections.abc import Mapping
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.events.models import EventsBackend

from infra.embedded.patches import Patches

__all__ = ["MAX_REQUEST_BYTES", "entry_size", "install"]

MAX_REQUEST_BYTES = 1024 * 1024
TIME_BYTES = 14
MAX_ENTRIES = 10


def entry_size(entry: Mapping[str, Any]) -> int:
    """What EventBridge counts: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html."""
    texts = [entry.get(name) or "" for name in ("Source", "DetailType", "Detail")]
    texts += entry.get("Resources") or []
    return sum(len(text.encode()) for text in texts) + (TIME_BYTES if entry.get("Time") else 0)


def install(patches: Patches) -> None:
    put = EventsBackend.put_events

    def put_events(self: EventsBackend, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        # A request with too many entries is refused for that.
        if len(events) <= MAX_ENTRIES and sum(map(entry_size, events)) >= MAX_REQUEST_BYTES:
            raise JsonRESTError(
                "ValidationException", "Total size of the entries in the request is over the limit."
            )
        entries: list[dict[str, Any]] = put(self, events)
        return entries

    patches.replace(EventsBackend, "put_events", put_events)
