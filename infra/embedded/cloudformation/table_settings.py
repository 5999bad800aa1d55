"""A table's time to live, point-in-time recovery, encryption and deletion protection."""

from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import Table

from infra.embedded.cloudformation.moto_types import apply_after
from infra.embedded.patches import Patches

__all__ = ["install"]


def install(patches: Patches) -> None:
    apply_after(patches, Table, _apply)


def _apply(table: Any, properties: dict[str, Any]) -> None:
    backend = dynamodb_backends[table.account_id][table.region_name]
    if "TimeToLiveSpecification" in properties:
        backend.update_time_to_live(table.name, _flags(properties["TimeToLiveSpecification"]))
    if "PointInTimeRecoverySpecification" in properties:
        backend.update_continuous_backups(table.name, _flags(properties["PointInTimeRecoverySpecification"]))
    encryption = _flags(properties.get("SSESpecification", {}))
    if encryption.get("SSEEnabled"):  # the API calls it Enabled, and so does the table
        table.sse_specification = {**(table.sse_specification or {}), **encryption, "Enabled": True}
    table.deletion_protection_enabled = _flag(properties.get("DeletionProtectionEnabled", False))


def _flags(specification: dict[str, Any]) -> dict[str, Any]:
    """A template may write true as a string."""
    return {
        name: _flag(value) if str(value).lower() in {"true", "false"} else value
        for name, value in specification.items()
    }


def _flag(value: Any) -> bool:
    return str(value).lower() == "true"
