"""The bus, for announcements. Delivery guarantee: at-least-once; entries that failed are put again."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.aws import service_errors
from pipeline.envelope import Envelope
from pipeline.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

__all__ = ["EventBus"]

ENTRIES_A_CALL = 10


class EventBus:
    def __init__(self, client: "EventBridgeClient", name: str) -> None:
        self._client, self._name = client, name

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        for start in range(0, len(envelopes), ENTRIES_A_CALL):
            self._put([self._entry(each) for each in envelopes[start : start + ENTRIES_A_CALL]])

    def _entry(self, envelope: Envelope) -> dict[str, Any]:
        return {
            "EventBusName": self._name,
            "Source": envelope.source,
            "DetailType": envelope.detail_type,
            "Time": envelope.time,
            "Detail": json.dumps(envelope.detail),
        }

    def _put(self, entries: Any) -> None:
        with service_errors("EventBridge"):
            answer = self._client.put_events(Entries=entries)
        failed = [each for each in answer["Entries"] if "ErrorCode" in each]
        if failed:
            raise Unavailable(f"EventBridge: {failed[0]['ErrorCode']}: {failed[0].get('ErrorMessage', '')}")
