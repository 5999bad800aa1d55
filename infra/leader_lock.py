"""Under KCL 3.x one worker of an application gives its leases out, under a lock that outlives it by two minutes.

A worker that ends in good order gives the lock back. For one whose daemon died its parent does so, lest nobody is
given the shards meanwhile. Source: `amazon-dynamodb-lock-client`, and the item `Leader` that KCL 3.1.3 writes.
"""

import logging
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from consumers.kcl.properties import Application
from pipeline.aws import error_code

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["release"]

NOT_OURS = {"ResourceNotFoundException", "ConditionalCheckFailedException"}  # KCL 2.x has none

_log = logging.getLogger(__name__)


def release(dynamodb: "DynamoDBClient", application: Application) -> None:
    """Take the lock away from a worker that is dead, if it has it; where that fails, two minutes do."""
    try:
        dynamodb.delete_item(
            TableName=f"{application.name}-CoordinatorState",
            Key={"key": {"S": "Leader"}},
            ConditionExpression="ownerName = :dead",
            ExpressionAttributeValues={":dead": {"S": application.worker}},
        )
    except ClientError as error:
        if error_code(error) not in NOT_OURS:
            _log.warning("the leader's lock of %s stays: %s", application.name, error_code(error))
    except BotoCoreError as error:
        _log.warning("the leader's lock of %s stays: %s", application.name, type(error).__name__)
