"""Results that are plain data already are sent as they are.

moto looks up each member of a response in several spellings and on classes, lists a class's methods and
draws 52 random letters at each request: two thirds of the time of a GetItem, half of it for this. For each
message that is received it draws 185 more.
"""

import json
from collections.abc import Callable
from functools import cache
from secrets import token_hex
from typing import Any
from uuid import uuid4

from moto.core import responses, serialize
from moto.core.responses import ActionContext, ActionResult
from moto.core.utils import method_names_from_class
from moto.dynamodb.models.utilities import DynamoJsonEncoder
from moto.dynamodb.responses import DynamoResult
from moto.sqs import models as sqs_models

from infra.embedded.patches import Patches

__all__ = ["PlainResult", "install"]


class PlainResult(ActionResult):
    """A dictionary whose keys are the members' names, for a service that speaks JSON; None is left out."""

    def execute_result(self, context: ActionContext) -> Any:
        version = context.service_model.metadata.get("jsonVersion", "1.0")
        body = json.dumps(_without_none(self.result), cls=DynamoJsonEncoder)
        return 200, {"Content-Type": f"application/x-amz-json-{version}"}, body


def _without_none(result: Any) -> dict[str, Any]:
    return {name: value for name, value in result.items() if value is not None}


def install(patches: Patches) -> None:
    patches.replace(responses, "method_names_from_class", cache(method_names_from_class))
    patches.replace(responses, "gen_amzn_requestid_long", _request_id)
    patches.replace(sqs_models, "generate_receipt_handle", lambda: token_hex(92))
    patches.replace(DynamoResult, "execute_result", PlainResult.execute_result)
    picker = serialize.XFormedAttributePicker
    patches.replace(picker, "__call__", _exact_key_first(picker.__call__))


def _request_id(headers: dict[str, Any] | None = None) -> str:
    request_id = str(uuid4())
    if headers is not None:
        headers["x-amzn-requestid"] = request_id
    return request_id


def _exact_key_first(pick: Callable[..., Any]) -> Callable[..., Any]:
    def find(self: Any, context: Any) -> Any:
        if type(context.obj) is dict and context.key in context.obj and not self.response_transformers:
            return context.obj[context.key]
        return pick(self, context)

    return find
