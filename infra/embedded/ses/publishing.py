"""An event goes to the event destinations of its mail's configuration set: SNS topics and EventBridge buses."""

import json
from collections.abc import Callable
from typing import Any

from moto.events.models import events_backends
from moto.ses.models import ses_backends
from moto.sns.models import sns_backends
from moto.utilities.arns import parse_arn

from infra.embedded.ses.configuration_sets import destinations
from infra.embedded.ses.event_types import EVENT_TYPES
from infra.embedded.ses.events import Occurrence, event

__all__ = ["publish"]

Json = dict[str, Any]

SUBJECT = "Amazon SES Email Event Notification"


def publish(occurrence: Occurrence) -> int:
    """To how many destinations the event went; 0 when none asked for its type.

    Raises whatever the service behind a destination raises.
    """
    mail = occurrence.mail
    found = ses_backends[mail.account][mail.region].config_sets.get(mail.configuration_set or "")
    matching = EVENT_TYPES[occurrence.kind].matching
    wanting = [it for it in (destinations(found).values() if found else ()) if _wants(it, matching)]
    senders = [(send, it[kind]) for it in wanting for kind, send in SENDERS.items() if kind in it]
    for send, destination in senders:
        send(destination, occurrence, event(occurrence))
    return len(senders)


def _wants(destination: Json, matching: str) -> bool:
    return destination["Enabled"] and matching in destination["MatchingEventTypes"]


def _to_topic(destination: Json, _: Occurrence, detail: Json) -> None:
    arn = destination["TopicArn"]
    parsed = parse_arn(arn)
    sns_backends[parsed.account][parsed.region].publish(json.dumps(detail), arn=arn, subject=SUBJECT)


def _to_bus(destination: Json, occurrence: Occurrence, detail: Json) -> None:
    arn = destination["EventBusArn"]
    mail, parsed = occurrence.mail, parse_arn(arn)
    name = mail.configuration_set
    entry = {
        "Source": "aws.ses",
        "DetailType": EVENT_TYPES[occurrence.kind].detail_type,
        "Detail": json.dumps(detail),
        "Resources": [f"arn:aws:ses:{mail.region}:{mail.account}:configuration-set/{name}"],
        "EventBusName": arn,
    }
    events_backends[parsed.account][parsed.region].put_events([entry])


SENDERS: dict[str, Callable[[Json, Occurrence, Json], None]] = {
    "SnsDestination": _to_topic,
    "EventBridgeDestination": _to_bus,
}
