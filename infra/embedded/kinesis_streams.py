"""A stream's largest record, its encryption and mode: what the template says, a describe call shows."""

from typing import Any

from moto.core.responses import EmptyResult
from moto.kinesis.exceptions import InvalidArgumentError
from moto.kinesis.models import Stream
from moto.kinesis.responses import KinesisResponse

from infra.embedded.cloudformation.moto_types import apply_after
from infra.embedded.patches import Patches

__all__ = ["DEFAULT_RECORD_KIB", "install", "largest_record_kib"]

DEFAULT_RECORD_KIB = 1024
MAX_RECORD_KIB = 10_240
ON_DEMAND_SHARDS = 4


def largest_record_kib(stream: Stream) -> int:
    return getattr(stream, "max_record_size_in_kib", DEFAULT_RECORD_KIB)


def install(patches: Patches) -> None:
    apply_after(patches, Stream, _apply)
    create, summary = KinesisResponse.create_stream, Stream.to_json_summary

    def create_stream(self: KinesisResponse) -> Any:
        made = create(self)
        stream = self.kinesis_backend.describe_stream(None, self._get_param("StreamName"))
        _limit_records(stream, self._get_param("MaxRecordSizeInKiB"))
        return made

    def to_json_summary(self: Stream) -> dict[str, Any]:
        described = summary(self)
        described["StreamDescriptionSummary"]["MaxRecordSizeInKiB"] = largest_record_kib(self)
        return described

    patches.replace(KinesisResponse, "create_stream", create_stream)
    patches.replace(KinesisResponse, "update_max_record_size", _update_max_record_size)
    patches.replace(Stream, "to_json_summary", to_json_summary)


def _apply(stream: Any, properties: dict[str, Any]) -> None:
    encryption = properties.get("StreamEncryption", {})
    stream.encryption_type = encryption.get("EncryptionType", "NONE")
    stream.key_id = encryption.get("KeyId")
    stream.stream_mode = properties.get("StreamModeDetails", {"StreamMode": "PROVISIONED"})
    if stream.stream_mode["StreamMode"] == "ON_DEMAND" and stream.shard_count < ON_DEMAND_SHARDS:
        stream.shards.clear()
        stream.init_shards(ON_DEMAND_SHARDS)
    _limit_records(stream, properties.get("MaxRecordSizeInKiB"))


def _limit_records(stream: Any, kib: Any) -> None:
    limit = DEFAULT_RECORD_KIB if kib is None else int(kib)
    if not DEFAULT_RECORD_KIB <= limit <= MAX_RECORD_KIB:
        raise InvalidArgumentError(f"MaxRecordSizeInKiB {limit} is not between 1024 and {MAX_RECORD_KIB}")
    stream.max_record_size_in_kib = limit


def _update_max_record_size(self: KinesisResponse) -> EmptyResult:
    stream = self.kinesis_backend.describe_stream(self._get_param("StreamARN"), None)
    _limit_records(stream, self._get_param("MaxRecordSizeInKiB"))
    return EmptyResult()
