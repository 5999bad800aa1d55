"""The CloudFormation types of SES that moto passes over in silence."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.core.common_models import CloudFormationModel
from moto.ses.models import ConfigurationSet, ses_backends

from infra.embedded.cloudformation.resource import Place, Resource
from infra.embedded.ses.configuration_sets import configuration_set, create_destination, destinations, flag
from infra.embedded.ses.errors import SesError, already_exists

__all__ = ["ConfigurationSetResource", "EventDestinationResource", "register"]

Json = dict[str, Any]

OPTIONS = {
    "TrackingOptions": "tracking_options",
    "DeliveryOptions": "delivery_options",
    "ReputationOptions": "reputation_options",
    "SuppressionOptions": "suppression_options",
    "VdmOptions": "vdm_options",
}


def failing_the_deploy(put: Callable[[Any], None]) -> Callable[[Any], None]:
    """What SES refuses is CloudFormation's error to report."""

    @wraps(put)
    def reported(resource: Any) -> None:
        try:
            put(resource)
        except SesError as error:
            raise ValidationError(message=error.message) from error

    return reported


class ConfigurationSetResource(Resource, CloudFormationModel):
    """Ref is its name."""

    type: ClassVar[str] = "AWS::SES::ConfigurationSet"
    name_property: ClassVar[str] = "Name"

    @failing_the_deploy
    def put(self) -> None:
        sets = _sets(self.place)
        if self.name in sets:
            raise already_exists(f"Configuration set <{self.name}> already exists.")
        sets[self.name] = _configured(ConfigurationSet(self.name), self.properties)

    def remove(self) -> None:
        _sets(self.place).pop(self.name, None)

    @classmethod
    def update_from_cloudformation_json(  # type: ignore[override]  # moto names the arguments
        cls, *, original_resource: Resource, cloudformation_json: Json, **named: Any
    ) -> Resource:
        """In place, which keeps the event destinations; another Name makes another set."""
        old, properties = original_resource, cloudformation_json["Properties"]
        if properties.get("Name", old.name) == old.name:
            _configured(_sets(old.place)[old.name], properties)
            return old
        return super().update_from_cloudformation_json(
            original_resource=old, cloudformation_json=cloudformation_json, **named
        )


class EventDestinationResource(Resource, CloudFormationModel):  # type: ignore[misc]  # they differ in details
    """Ref and the attribute Id are `set|name`."""

    type: ClassVar[str] = "AWS::SES::ConfigurationSetEventDestination"
    attributes: ClassVar[frozenset[str]] = frozenset({"Id"})

    @property
    def id(self) -> str:
        return self.name

    @failing_the_deploy
    def put(self) -> None:
        asked, of = self.properties["EventDestination"], self.properties["ConfigurationSetName"]
        name = asked.get("Name", self.name.rpartition("|")[2])
        create_destination(configuration_set(*self.place, of), name, asked)
        self.name = f"{of}|{name}"

    def remove(self) -> None:
        """A set that went first took its destinations with it."""
        of, _, name = self.name.partition("|")
        found = _sets(self.place).get(of)
        if found is not None:
            destinations(found).pop(name, None)


def register() -> None:
    """Moto lists its types at the first deploy, which may have been before this module was imported."""
    for listed in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        listed.cache_clear()


def _sets(place: Place) -> dict[str, ConfigurationSet]:
    return ses_backends[place.account][place.region].config_sets


def _configured(made: ConfigurationSet, properties: Json) -> ConfigurationSet:
    for name, attribute in OPTIONS.items():
        setattr(made, attribute, properties.get(name, {}))
    made.tags = properties.get("Tags", [])
    vars(made)["enabled"] = flag(properties.get("SendingOptions", {}).get("SendingEnabled", True))
    return made
