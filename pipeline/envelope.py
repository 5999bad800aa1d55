"""The EventBridge envelope: the one shape of a record in the log.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
"""

import json
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipeline import times

__all__ = ["OUR_SOURCE", "Envelope"]

OUR_SOURCE = "sesmailengine"


class Envelope(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)

    id: str = Field(min_length=1)
    source: str
    detail_type: str = Field(alias="detail-type")
    time: str
    detail: dict[str, Any]
    account: str = ""
    region: str = ""
    resources: list[str] = Field(default_factory=list)
    version: str = "0"

    @field_validator("time", mode="before")
    @classmethod
    def _fixed_width(cls, value: Any) -> str:
        if isinstance(value, int | float):
            return times.text(datetime.fromtimestamp(value, UTC))
        return times.text(times.parse(value))

    @field_validator("detail", mode="before")
    @classmethod
    def _detail_as_object(cls, value: Any) -> Any:
        """A Pipe may hand the SQS body on as text; SNS without raw delivery wraps it once more."""
        detail = json.loads(value) if isinstance(value, str) else value
        if isinstance(detail, dict) and isinstance(detail.get("Message"), str):
            return json.loads(detail["Message"])
        return detail

    def to_bytes(self) -> bytes:
        return json.dumps(self.model_dump(by_alias=True), separators=(",", ":")).encode()
