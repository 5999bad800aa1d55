"""AWS::SNS::Subscription, with raw delivery, filter and redrive policy."""

import json
from typing import Any, ClassVar

from moto.core.common_models import CloudFormationModel
from moto.sns.models import SNSBackend, sns_backends

from infra.embedded.cloudformation.resource import Resource

__all__ = ["Subscription"]

ATTRIBUTES = ("DeliveryPolicy", "FilterPolicyScope", "FilterPolicy", "RedrivePolicy", "SubscriptionRoleArn")


class Subscription(Resource, CloudFormationModel):  # type: ignore[misc]
    type: ClassVar[str] = "AWS::SNS::Subscription"

    def put(self) -> None:
        properties = self.properties
        made = self._backend().subscribe(
            properties["TopicArn"], properties.get("Endpoint", ""), properties["Protocol"]
        )
        self.name = made.arn
        if str(properties.get("RawMessageDelivery", "")).lower() == "true":
            self._set("RawMessageDelivery", "true")
        for name in ATTRIBUTES:
            if name in properties:
                self._set(name, properties[name])

    def remove(self) -> None:
        self._backend().unsubscribe(self.name)

    def _backend(self) -> SNSBackend:
        return sns_backends[self.place.account][self.properties.get("Region", self.place.region)]

    def _set(self, name: str, value: Any) -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        self._backend().set_subscription_attributes(self.name, name, text)
