"""AWS::Events::EventBus: `Ref` gives its name, which moto's model lacks."""

from moto.events.models import EventBus

from infra.embedded.patches import Patches

__all__ = ["install"]


def install(patches: Patches) -> None:
    patches.replace(EventBus, "physical_resource_id", property(lambda bus: bus.name))
