"""AWS::KMS::Key: its policy is text, as KMS keeps it; moto leaves the template's object there and can't read it."""

import json
from typing import Any

from moto.kms.models import Key

from infra.embedded.cloudformation.moto_types import apply_after
from infra.embedded.patches import Patches

__all__ = ["install"]


def install(patches: Patches) -> None:
    apply_after(patches, Key, _apply)


def _apply(key: Any, properties: dict[str, Any]) -> None:
    key.policy = json.dumps(properties["KeyPolicy"])
