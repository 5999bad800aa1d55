"""What a CloudFormation type beside moto's has to say: its name, how it comes to be and how it goes."""

from typing import Any, ClassVar, NamedTuple

__all__ = ["Place", "Resource"]


class Place(NamedTuple):
    account: str
    region: str


class Resource:
    """Mixed into a direct subclass of moto's CloudFormationModel, since moto collects only those.

    `type` is what templates call it, `name_property` the property that names it, `attributes` what
    Fn::GetAtt may ask for. An update removes the old one and puts the new one.
    """

    type: ClassVar[str]
    name_property: ClassVar[str] = ""
    attributes: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, place: Place, name: str, properties: dict[str, Any]) -> None:
        self.place = place
        self.name = name
        self.properties = properties

    @property
    def physical_resource_id(self) -> str:
        return self.name

    def put(self) -> None:
        """Makes the service have it."""
        raise NotImplementedError

    def remove(self) -> None:
        """Leaves the service without it; what is gone already is no error."""
        raise NotImplementedError

    def get_cfn_attribute(self, attribute_name: str) -> Any:
        return getattr(self, attribute_name.lower())

    def delete(self, _account: str, _region: str) -> None:
        self.remove()

    def is_created(self) -> bool:
        return True

    @classmethod
    def cloudformation_type(cls) -> str:
        return cls.type

    @classmethod
    def cloudformation_name_type(cls) -> str:
        return cls.name_property

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr in cls.attributes

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **_: Any,
    ) -> "Resource":
        made = cls(Place(account_id, region_name), resource_name, cloudformation_json["Properties"])
        made.put()
        return made

    @classmethod
    def update_from_cloudformation_json(
        cls, *, original_resource: "Resource", cloudformation_json: dict[str, Any], **_: Any
    ) -> "Resource":
        original_resource.remove()
        properties = cloudformation_json["Properties"]
        name = properties.get(cls.name_property, original_resource.name)
        made = cls(original_resource.place, name, properties)
        made.put()
        return made
