"""Types that moto makes, with the properties it leaves out applied afterwards."""

from collections.abc import Callable
from typing import Any

from infra.embedded.patches import Patches

__all__ = ["apply_after"]

Apply = Callable[[Any, dict[str, Any]], None]


def apply_after(patches: Patches, model: Any, apply: Apply) -> None:
    """`apply(resource, properties)` runs after each creation and update of a resource of that model."""
    create, update = model.create_from_cloudformation_json, model.update_from_cloudformation_json

    def created(_: type, /, name: str, json: dict[str, Any], *place: str, **named: Any) -> Any:
        resource = create(name, json, *place, **named)
        apply(resource, json["Properties"])
        return resource

    def updated(
        _: type, /, *, original_resource: Any, cloudformation_json: dict[str, Any], **named: Any
    ) -> Any:
        resource = original_resource
        if not hasattr(update, "__isabstractmethod__"):  # which moto takes for "there is no such method"
            resource = update(
                original_resource=original_resource, cloudformation_json=cloudformation_json, **named
            )
        apply(resource, cloudformation_json["Properties"])
        return resource

    patches.replace(model, "create_from_cloudformation_json", classmethod(created))
    patches.replace(model, "update_from_cloudformation_json", classmethod(updated))
