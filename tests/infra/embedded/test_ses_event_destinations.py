from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.infra.embedded.ses_world import SET, client, world

BUS = "arn:aws:events:us-east-1:123456789012:event-bus/default"


def to_bus(**more: Any) -> Any:
    return {
        "Enabled": True,
        "MatchingEventTypes": ["SEND"],
        "EventBridgeDestination": {"EventBusArn": BUS},
    } | more


def call(operation: str, name: str = "more", **request: Any) -> Any:
    known = {"ConfigurationSetName": SET, "EventDestinationName": name}
    return getattr(client("sesv2"), f"{operation}_configuration_set_event_destination")(**known | request)


def names(of: str = SET) -> list[str]:
    found = client("sesv2").get_configuration_set_event_destinations(ConfigurationSetName=of)
    return [destination["Name"] for destination in found["EventDestinations"]]


def refused(operation: str, name: str = "more", **request: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(operation, name, **request)
    return error.value.response["Error"]["Code"]


def test_destinations_are_created_and_deleted() -> None:
    with world():
        call("create", EventDestination=to_bus())
        assert names() == ["to-sns", "more"]
        call("delete", "to-sns")
        assert names() == ["more"]


def test_an_updated_destination_is_shown_as_updated() -> None:
    with world():
        call("update", "to-sns", EventDestination=to_bus(Enabled=False))
        found = client("sesv2").get_configuration_set_event_destinations(ConfigurationSetName=SET)
        assert found["EventDestinations"] == [to_bus(Enabled=False) | {"Name": "to-sns"}]


def test_at_most_ten_destinations() -> None:
    with world():
        for number in range(9):
            call("create", f"d{number}", EventDestination=to_bus())
        assert refused("create", EventDestination=to_bus()) == "LimitExceededException"


def test_a_name_is_taken_once() -> None:
    with world():
        assert refused("create", "to-sns", EventDestination=to_bus()) == "AlreadyExistsException"


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("create", {"ConfigurationSetName": "absent", "EventDestination": to_bus()}),
        ("update", {"EventDestination": to_bus()}),
        ("delete", {}),
    ],
)
def test_what_is_absent_is_not_found(operation: str, request_: dict[str, Any]) -> None:
    with world():
        assert refused(operation, **request_) == "NotFoundException"


@pytest.mark.parametrize(
    "destination",
    [
        to_bus(MatchingEventTypes=["SENT"]),
        to_bus(MatchingEventTypes=[]),
        to_bus(SnsDestination={"TopicArn": "arn:aws:sns:us-east-1:123456789012:absent"}),
    ],
)
def test_a_destination_that_makes_no_sense_is_a_bad_request(destination: Any) -> None:
    with world():
        assert refused("create", EventDestination=destination) == "BadRequestException"


def test_a_set_made_anew_has_no_destinations() -> None:
    sesv2 = client("sesv2")
    with world():
        sesv2.delete_configuration_set(ConfigurationSetName=SET)
        sesv2.create_configuration_set(ConfigurationSetName=SET)
        assert names() == []
