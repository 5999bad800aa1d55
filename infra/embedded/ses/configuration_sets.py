"""Configuration sets and their event destinations: SESv2's names, kept on moto's own object for the set.

They live and die with the set, whichever API or stack made it.
"""

from typing import Any

from moto.ses.models import ConfigurationSet, ses_backends
from moto.sns.models import sns_backends
from moto.utilities.arns import parse_arn

from infra.embedded.ses.errors import SesError, already_exists, bad_request, not_found
from infra.embedded.ses.event_types import matching_type
from infra.embedded.ses.mail import Mail

__all__ = [
    "check_sending",
    "configuration_set",
    "create_destination",
    "destinations",
    "drop_destination",
    "flag",
    "suppressed_reasons",
    "update_destination",
]

Json = dict[str, Any]

MOST_DESTINATIONS = 10
CLOUDFORMATION_NAMES = {"TopicARN": "TopicArn"}


def configuration_set(account: str, region: str, name: str) -> ConfigurationSet:
    """Raises `NotFoundException`."""
    found = ses_backends[account][region].config_sets.get(name)
    if found is None:
        raise not_found(f"Configuration set <{name}> does not exist.")
    return found


def destinations(of: ConfigurationSet) -> dict[str, Json]:
    """Event destinations by name, as GetConfigurationSetEventDestinations shows them."""
    found: dict[str, Json] = vars(of).setdefault("simulated_event_destinations", {})
    return found


def create_destination(of: ConfigurationSet, name: str, asked: Json) -> None:
    if name in destinations(of):
        raise already_exists(f"Event destination <{name}> already exists.")
    if len(destinations(of)) >= MOST_DESTINATIONS:
        raise SesError("LimitExceededException", f"At most {MOST_DESTINATIONS} event destinations.")
    destinations(of)[name] = _checked(name, asked)


def update_destination(of: ConfigurationSet, name: str, asked: Json) -> None:
    _existing(of, name)
    destinations(of)[name] = _checked(name, asked)


def drop_destination(of: ConfigurationSet, name: str) -> None:
    _existing(of, name)
    del destinations(of)[name]


def check_sending(mail: Mail) -> None:
    """The set of the mail, if it names one, exists and is not paused."""
    if mail.configuration_set is None:
        return
    enabled: Any = configuration_set(mail.account, mail.region, mail.configuration_set).enabled
    # moto keeps the whole SendingOptions here when its own API made the set.
    if not flag(enabled.get("SendingEnabled", True) if isinstance(enabled, dict) else enabled):
        message = f"Sending is paused for configuration set {mail.configuration_set}."
        raise SesError("SendingPausedException", message, counted="paused")


def suppressed_reasons(mail: Mail, of_account: tuple[str, ...]) -> tuple[str, ...]:
    """For which reasons SES suppresses recipients of this mail: the set's own, or else the account's."""
    found = ses_backends[mail.account][mail.region].config_sets.get(mail.configuration_set or "")
    options = found.suppression_options if found else {}
    return tuple(options.get("SuppressedReasons", of_account))


def flag(value: bool | str) -> bool:
    """A boolean of an API, or as the text that a template may hold."""
    return str(value).lower() == "true"


def _existing(of: ConfigurationSet, name: str) -> None:
    if name not in destinations(of):
        raise not_found(f"Event destination <{name}> does not exist.")


def _checked(name: str, asked: Json) -> Json:
    matching = [matching_type(kind) for kind in asked.get("MatchingEventTypes") or ()]
    if not matching or None in matching:
        raise bad_request("MatchingEventTypes must name event types.")
    kinds = {kind: _renamed(to) for kind, to in asked.items() if kind.endswith("Destination")}
    if "SnsDestination" in kinds:
        _check_topic(kinds["SnsDestination"].get("TopicArn", ""))
    return {
        "Name": name,
        "Enabled": flag(asked.get("Enabled", False)),
        "MatchingEventTypes": matching,
        **kinds,
    }


def _check_topic(arn: str) -> None:
    try:
        parsed = parse_arn(arn)
        exists = arn in sns_backends[parsed.account][parsed.region].topics
    except (ValueError, IndexError, KeyError):
        exists = False
    if not exists:
        raise bad_request(f"SNS topic <{arn}> not found.")


def _renamed(destination: Json) -> Json:
    return {CLOUDFORMATION_NAMES.get(key, key): value for key, value in destination.items()}
