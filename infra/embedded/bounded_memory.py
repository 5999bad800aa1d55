"""What moto remembers only for its dashboard and for tests is forgotten, so that an embedded AWS can run for days."""

from collections.abc import Callable
from typing import Any

from moto.core.common_models import BaseModel
from moto.sns.models import Topic

from infra.embedded.patches import Patches

__all__ = ["install"]


def install(patches: Patches) -> None:
    patches.replace(BaseModel, "__new__", staticmethod(_untracked(BaseModel.__new__)))
    publish = Topic.publish

    def publish_and_forget(self: Topic, *arguments: Any, **named: Any) -> str:
        try:
            message_id: str = publish(self, *arguments, **named)
        finally:
            self.sent_notifications.clear()
        return message_id

    patches.replace(Topic, "publish", publish_and_forget)


def _untracked(new: Callable[..., Any]) -> Callable[..., Any]:
    """Each model keeps a list of all its instances. S3's closes the files of its objects by it."""

    def make(cls: type, *arguments: Any, **named: Any) -> Any:
        if cls.__module__.startswith("moto.s3"):
            return new(cls, *arguments, **named)
        return object.__new__(cls)

    return make
