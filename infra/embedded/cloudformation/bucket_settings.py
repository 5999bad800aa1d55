"""A bucket's versioning, ownership and public-access block."""

from typing import Any

from moto.s3.models import FakeBucket, s3_backends

from infra.embedded.cloudformation.moto_types import apply_after
from infra.embedded.patches import Patches

__all__ = ["install"]


def install(patches: Patches) -> None:
    apply_after(patches, FakeBucket, _apply)


def _apply(bucket: Any, properties: dict[str, Any]) -> None:
    backend = s3_backends[bucket.account_id]["aws"]
    if "VersioningConfiguration" in properties:
        backend.put_bucket_versioning(bucket.name, properties["VersioningConfiguration"]["Status"])
    if "PublicAccessBlockConfiguration" in properties:
        backend.put_public_access_block(bucket.name, properties["PublicAccessBlockConfiguration"])
    for rule in properties.get("OwnershipControls", {}).get("Rules", []):
        backend.put_bucket_ownership_controls(bucket.name, rule["ObjectOwnership"])
