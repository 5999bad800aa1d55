"""AWS::Pipes::Pipe, in the same backend as the pipes that the Pipes API makes."""

from contextlib import suppress
from typing import ClassVar

from moto.core.common_models import CloudFormationModel
from moto.pipes.exceptions import NotFoundException
from moto.pipes.models import EventBridgePipesBackend, pipes_backends

from infra.embedded.cloudformation.resource import Resource

__all__ = ["Pipe"]


class Pipe(Resource, CloudFormationModel):  # type: ignore[misc]
    type: ClassVar[str] = "AWS::Pipes::Pipe"
    name_property: ClassVar[str] = "Name"
    attributes: ClassVar[frozenset[str]] = frozenset({"Arn"})

    def put(self) -> None:
        get = self.properties.get
        self.arn = (
            self._backend()
            .create_pipe(
                name=self.name,
                description=get("Description"),
                desired_state=get("DesiredState"),
                source=self.properties["Source"],
                source_parameters=get("SourceParameters"),
                enrichment=get("Enrichment"),
                enrichment_parameters=get("EnrichmentParameters"),
                target=self.properties["Target"],
                target_parameters=get("TargetParameters"),
                role_arn=self.properties["RoleArn"],
                tags=get("Tags"),
                log_configuration=get("LogConfiguration"),
                kms_key_identifier=get("KmsKeyIdentifier"),
            )
            .arn
        )

    def remove(self) -> None:
        with suppress(NotFoundException):
            self._backend().delete_pipe(self.name)

    def _backend(self) -> EventBridgePipesBackend:
        return pipes_backends[self.place.account][self.place.region]
