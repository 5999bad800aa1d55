"""A request to a service is carried out as a whole, as AWS promises for one item, message or record.

moto's backends are plain dictionaries, and a conditional put reads and then writes them. One lock a service
makes that one step. Services call one another in one direction only (EventBridge and SNS call SQS and
Kinesis, CloudFormation calls all), so the locks are always taken in that order and can't deadlock.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any

from moto.core.responses import BaseResponse
from moto.events.models import EventsBackend
from moto.s3.responses import S3Response
from moto.sns.models import SNSBackend
from moto.sqs.models import SQSBackend

from infra.embedded.patches import Patches

__all__ = ["atomic", "install", "lock_of"]

# A defaultdict makes an absent lock in one step of the interpreter, so two threads get the same one.
_locks: defaultdict[str, Any] = defaultdict(RLock)


def lock_of(service: str) -> Any:
    """The lock that a service's requests hold; by moto's name of the service. Reentrant."""
    return _locks[service]


def atomic(service: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def whole(*arguments: Any, **named: Any) -> Any:
        with _locks[service]:
            return function(*arguments, **named)

    return whole


def install(patches: Patches) -> None:
    act = BaseResponse.call_action

    def call_action(self: BaseResponse) -> Any:
        with _locks[self.service_name or ""]:
            return act(self)

    patches.replace(BaseResponse, "call_action", call_action)
    for name in ("bucket_response", "key_response"):  # S3 has a dispatch of its own
        patches.replace(S3Response, name, atomic("s3", getattr(S3Response, name)))
    # Other services reach these without a request of their own.
    patches.replace(EventsBackend, "put_events", atomic("events", EventsBackend.put_events))
    patches.replace(SNSBackend, "publish", atomic("sns", SNSBackend.publish))
    patches.replace(SQSBackend, "send_message", atomic("sqs", SQSBackend.send_message))
