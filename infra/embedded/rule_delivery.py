"""An EventBridge rule delivers the whole event to each of its targets; what fails goes to the target's DLQ.

moto's envelope lacks the account, its default template replaces `<id>` and the like within the detail, too,
a disabled rule delivers, and a target that it doesn't know makes PutEvents fail.
"""

import json
import logging
from collections.abc import Callable, Mapping
from copy import copy
from datetime import UTC, datetime
from typing import Any

from moto.events.models import Rule
from moto.events.utils import EventTemplateParser
from moto.sqs.models import sqs_backends
from moto.utilities.arns import parse_arn

from infra.embedded import rule_to_kinesis
from infra.embedded.json_path import at
from infra.embedded.patches import Patches

__all__ = ["install"]

log = logging.getLogger(__name__)

Target = Mapping[str, Any]
Event = dict[str, Any]
MEMBERS = ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")


def _to_queue(target: Target, _: Event, body: str) -> None:
    arn = parse_arn(target["Arn"])
    sqs_backends[arn.account][arn.region].send_message(
        arn.resource_id, body, group_id=target.get("SqsParameters", {}).get("MessageGroupId")
    )


DELIVERIES: dict[str, Callable[[Target, Event, str], None]] = {
    "kinesis": rule_to_kinesis.deliver,
    "sqs": _to_queue,
}


def install(patches: Patches) -> None:
    moto_sends = Rule.send_to_targets

    def send_to_targets(self: Rule, original_event: Any, transform_input: bool = True) -> None:
        if self.state == "ENABLED" and self.event_pattern.matches_event(original_event):
            for target in list(self.targets):
                _deliver(self, target, dict(original_event), transform_input, moto_sends)

    patches.replace(Rule, "send_to_targets", send_to_targets)


def _deliver(
    rule: Rule, target: Target, event: Event, transform: bool, moto_sends: Callable[..., None]
) -> None:
    deliver = DELIVERIES.get(parse_arn(target["Arn"]).service)
    envelope = _envelope(event)
    try:
        if deliver is None:
            moto_sends(_only(rule, target), event, transform and "InputTransformer" in target)
        else:
            deliver(target, envelope, _input(target, event, envelope))
    except Exception as error:  # noqa: BLE001  PutEvents has accepted the event: it fails for this target alone
        _bury(rule, target, envelope, error)


def _envelope(event: Event) -> Event:
    time = event["time"]
    if isinstance(time, int | float):
        event = {**event, "time": datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    return {name: event[name] for name in (*MEMBERS, "replay-name") if name in event}


def _input(target: Target, event: Event, envelope: Event) -> str:
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return _compact(at(envelope, target["InputPath"]))
    if "InputTransformer" in target:
        transformer = target["InputTransformer"]
        known: Any = event | envelope
        template, paths = transformer["InputTemplate"], transformer.get("InputPathsMap", {})
        return _compact(EventTemplateParser.parse(template, paths, known))
    return _compact(envelope)


def _only(rule: Rule, target: Target) -> Rule:
    """The same rule with one target."""
    alone = copy(rule)
    alone.targets = [dict(target)]
    return alone


def _bury(rule: Rule, target: Target, envelope: Event, error: Exception) -> None:
    body = _compact(envelope)
    try:
        queue = parse_arn(target["DeadLetterConfig"]["Arn"])
        sqs_backends[queue.account][queue.region].send_message(
            queue.resource_id, body, message_attributes=_reason(rule, target, error)
        )
    except Exception as no_grave:  # noqa: BLE001  there is no DLQ, or it takes the event no more than the target
        log.warning(
            "rule %s dropped event %s for %s: %s (dead-letter queue: %r)",
            *(rule.name, envelope["id"], target["Arn"], error, no_grave),
        )


def _reason(rule: Rule, target: Target, error: Exception) -> dict[str, dict[str, str]]:
    code = getattr(error, "error_type", None) or getattr(error, "code", None) or type(error).__name__
    attributes = {
        "RULE_ARN": rule.arn,
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": str(code),
        "ERROR_MESSAGE": str(getattr(error, "message", None) or error),
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "RETRY_ATTEMPTS": "0",
    }
    return {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}


def _compact(value: Any) -> str:
    """Half a surrogate pair, legal in JSON and not in UTF-8, stays an escape."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace").decode()
