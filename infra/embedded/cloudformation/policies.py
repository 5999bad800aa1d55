"""AWS::SQS::QueuePolicy, AWS::SNS::TopicPolicy, AWS::S3::BucketPolicy: the policy on what they name."""

import json
from contextlib import suppress
from typing import Any, ClassVar

from moto.core.common_models import CloudFormationModel
from moto.s3.exceptions import MissingBucket
from moto.s3.models import FakeBucket, s3_backends
from moto.sns.exceptions import TopicNotFound
from moto.sns.models import sns_backends
from moto.sqs.exceptions import QueueDoesNotExist
from moto.sqs.models import sqs_backends

from infra.embedded.cloudformation.resource import Place, Resource
from infra.embedded.patches import Patches

__all__ = ["BucketPolicy", "QueuePolicy", "TopicPolicy", "install"]


class QueuePolicy(Resource, CloudFormationModel):  # type: ignore[misc]
    type: ClassVar[str] = "AWS::SQS::QueuePolicy"

    def put(self) -> None:
        self._set(json.dumps(self.properties["PolicyDocument"]))

    def remove(self) -> None:
        with suppress(QueueDoesNotExist):
            self._set(None)

    def _set(self, policy: str | None) -> None:
        for url in self.properties["Queues"]:
            sqs_backends[self.place.account][self.place.region].get_queue(
                url.rsplit("/", 1)[-1]
            ).policy = policy


class TopicPolicy(Resource, CloudFormationModel):  # type: ignore[misc]
    type: ClassVar[str] = "AWS::SNS::TopicPolicy"

    def put(self) -> None:
        for topic in self._topics():
            topic.policy = json.dumps(self.properties["PolicyDocument"])

    def remove(self) -> None:
        with suppress(TopicNotFound):
            for topic in self._topics():
                topic.policy = json.dumps(
                    topic._create_default_topic_policy(  # noqa: SLF001  a topic is never without one
                        self.place.region, self.place.account, topic.name
                    )
                )

    def _topics(self) -> list[Any]:
        backend = sns_backends[self.place.account][self.place.region]
        return [backend.get_topic(arn) for arn in self.properties["Topics"]]


class BucketPolicy(Resource, CloudFormationModel):  # type: ignore[misc]
    type: ClassVar[str] = "AWS::S3::BucketPolicy"

    def __init__(self, place: Place, name: str, properties: dict[str, Any]) -> None:
        super().__init__(place, name, properties)
        self.name = properties["Bucket"]

    def put(self) -> None:
        policy = json.dumps(self.properties["PolicyDocument"]).encode()
        s3_backends[self.place.account]["aws"].put_bucket_policy(self.name, policy)

    def remove(self) -> None:
        with suppress(MissingBucket):
            s3_backends[self.place.account]["aws"].delete_bucket_policy(self.name)


def install(patches: Patches) -> None:
    permission = FakeBucket.get_permission

    def get_permission(self: FakeBucket, action: str, resource: str) -> Any:
        held = self.policy
        self.policy = _unconditional(held)
        try:
            return permission(self, action, resource)
        finally:
            self.policy = held

    patches.replace(FakeBucket, "get_permission", get_permission)


def _unconditional(policy: bytes | None) -> bytes | None:
    """For moto can't evaluate a condition and denies everything by a statement that has one (refuse what isn't TLS)."""
    if policy is None:
        return None
    document = json.loads(policy)
    statements = document["Statement"]
    listed = statements if isinstance(statements, list) else [statements]
    return json.dumps({**document, "Statement": [s for s in listed if "Condition" not in s]}).encode()
