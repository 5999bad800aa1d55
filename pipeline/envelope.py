"""The EventBridge envelope: the one shape of a record in the log.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
"""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from pipeline import json_text, times

__all__ = ["OUR_SOURCE", "SES_SOURCE", "Envelope"]

OUR_SOURCE = "sesmailengine"
SES_SOURCE = "aws.ses"
LONGEST_ID = 1024  # an identity has to fit into rows and keys


class Envelope(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)

    id: str = Field(min_length=1, max_length=LONGEST_ID)
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
        return times.text(times.of_epoch(value) if isinstance(value, int | float) else times.parse(value))

    @field_validator("detail", mode="before")
    @classmethod
    def _detail_as_object(cls, value: Any, info: ValidationInfo) -> Any:
        """A Pipe may hand the SQS body on as text; SNS without raw delivery wraps feedback once more."""
        detail = json_text.loads(value) if isinstance(value, str) else value
        wrapped = info.data.get("source") == SES_SOURCE and isinstance(detail, dict) and "mail" not in detail
        message = detail.get("Message") if wrapped else None
        return json_text.loads(message) if isinstance(message, str) else detail

    def to_bytes(self) -> bytes:
        return json.dumps(self.model_dump(by_alias=True), separators=(",", ":")).encode()
