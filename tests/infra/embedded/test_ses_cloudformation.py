import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from infra.embedded.ses import install, uninstall
from tests.infra.embedded.ses_world import ACCOUNT, REGION, Json, client, world

LOWER_CAMEL = {
    "send": "SEND",
    "reject": "REJECT",
    "bounce": "BOUNCE",
    "complaint": "COMPLAINT",
    "delivery": "DELIVERY",
    "open": "OPEN",
    "click": "CLICK",
    "renderingFailure": "RENDERING_FAILURE",
    "deliveryDelay": "DELIVERY_DELAY",
    "subscription": "SUBSCRIPTION",
}


def template(set_properties: Any = None, destination: Any = None, **more: Any) -> str:
    known = {
        "Name": "to-sns",
        "Enabled": True,
        "MatchingEventTypes": list(LOWER_CAMEL),
        "SnsDestination": {"TopicARN": {"Ref": "Topic"}},
    }
    resources = {
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "feedback"}},
        "Set": {
            "Type": "AWS::SES::ConfigurationSet",
            "Properties": {"Name": "engine"} | (set_properties or {}),
        },
        "ToSns": {
            "Type": "AWS::SES::ConfigurationSetEventDestination",
            "Properties": {
                "ConfigurationSetName": {"Ref": "Set"},
                "EventDestination": known | (destination or {}),
            },
        },
    }
    outputs = {"Set": {"Value": {"Ref": "Set"}}, "Id": {"Value": {"Fn::GetAtt": ["ToSns", "Id"]}}}
    return json.dumps({"Resources": resources, "Outputs": outputs} | more)


@contextmanager
def deployed(body: str) -> Iterator[None]:
    with mock_aws():
        install()
        try:
            client("cloudformation").create_stack(StackName="mail", TemplateBody=body)
            yield
        finally:
            uninstall()


def update(body: str) -> None:
    client("cloudformation").update_stack(StackName="mail", TemplateBody=body)


def sets() -> list[str]:
    return list(client("sesv2").list_configuration_sets()["ConfigurationSets"])


def destinations(of: str = "engine") -> list[Json]:
    found = client("sesv2").get_configuration_set_event_destinations(ConfigurationSetName=of)
    return list(found["EventDestinations"])


def test_a_stack_makes_the_set_and_its_destination() -> None:
    with deployed(template()):
        assert sets() == ["engine"]
        assert destinations() == [
            {
                "Name": "to-sns",
                "Enabled": True,
                "MatchingEventTypes": list(LOWER_CAMEL.values()),
                "SnsDestination": {"TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:feedback"},
            }
        ]


def test_ref_and_attributes_reach_the_outputs() -> None:
    with deployed(template()):
        (stack,) = client("cloudformation").describe_stacks(StackName="mail")["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    assert outputs == {"Set": "engine", "Id": "engine|to-sns"}


def test_an_attribute_that_does_not_exist_fails_the_deploy() -> None:
    outputs = {"Bad": {"Value": {"Fn::GetAtt": ["Set", "Arn"]}}}
    with pytest.raises(ClientError, match="Arn"), deployed(template(Outputs=outputs)):
        pass


def test_names_are_made_up_when_none_are_given() -> None:
    body = json.loads(template())
    del body["Resources"]["Set"]["Properties"]["Name"]
    del body["Resources"]["ToSns"]["Properties"]["EventDestination"]["Name"]
    with deployed(json.dumps(body)):
        (name,) = sets()
        (destination,) = destinations(name)
        update(
            template({"SendingOptions": {"SendingEnabled": False}}, None).replace('"Name": "engine", ', "")
        )
        assert (sets(), destinations(name)[0]["Name"]) == ([name], "to-sns")
    assert name.startswith("mail-Set-")
    assert destination["Name"].startswith("mail-ToSns-")


def test_options_of_the_set_take_effect() -> None:
    options = {
        "SendingOptions": {"SendingEnabled": "false"},
        "SuppressionOptions": {"SuppressedReasons": ["BOUNCE"]},
    }
    with deployed(template(options)):
        found = client("sesv2").get_configuration_set(ConfigurationSetName="engine")
    assert found["SendingOptions"] == {"SendingEnabled": False}
    assert found["SuppressionOptions"] == {"SuppressedReasons": ["BOUNCE"]}


def test_an_update_of_the_set_keeps_its_destinations() -> None:
    with deployed(template()):
        update(template({"SendingOptions": {"SendingEnabled": False}}))
        found = client("sesv2").get_configuration_set(ConfigurationSetName="engine")
        assert (found["SendingOptions"]["SendingEnabled"], len(destinations())) == (False, 1)


def test_an_update_changes_the_destination_in_place() -> None:
    with deployed(template()):
        update(template(destination={"MatchingEventTypes": ["bounce"], "Enabled": "false"}))
        (found,) = destinations()
    assert (found["MatchingEventTypes"], found["Enabled"]) == (["BOUNCE"], False)


def test_an_update_that_renames_the_destination_replaces_it() -> None:
    with deployed(template()):
        update(template(destination={"Name": "renamed"}))
        assert [found["Name"] for found in destinations()] == ["renamed"]


def test_an_update_that_renames_the_set_replaces_it() -> None:
    with deployed(template()):
        update(template({"Name": "other"}))
        assert sets() == ["other"]


def test_deleting_the_stack_deletes_both() -> None:
    with deployed(template()):
        client("cloudformation").delete_stack(StackName="mail")
        assert sets() == []


@pytest.mark.parametrize(
    ("set_properties", "destination", "message"),
    [
        ({}, {"MatchingEventTypes": ["bounces"]}, "MatchingEventTypes"),
        ({}, {"MatchingEventTypes": []}, "MatchingEventTypes"),
        ({}, {"SnsDestination": {"TopicARN": f"arn:aws:sns:{REGION}:{ACCOUNT}:absent"}}, "not found"),
        ({}, {"SnsDestination": {"TopicARN": "no-arn"}}, "not found"),
    ],
)
def test_a_destination_that_ses_would_refuse_fails_the_deploy(
    set_properties: Any, destination: Any, message: str
) -> None:
    with pytest.raises(ClientError, match=message), deployed(template(set_properties, destination)):
        pass


def test_a_set_that_exists_fails_the_deploy() -> None:
    with world(), pytest.raises(ClientError, match="already exists"):
        client("cloudformation").create_stack(
            StackName="mail", TemplateBody=template().replace("feedback", "other")
        )


def test_types_are_found_although_an_earlier_deploy_listed_motos_types() -> None:
    from moto.cloudformation import parsing

    parsing.get_model_map()
    with deployed(template()):
        assert sets() == ["engine"]


@pytest.mark.parametrize("kind", LOWER_CAMEL)
def test_both_spellings_of_a_type_match(kind: str) -> None:
    from infra.embedded.ses.event_types import matching_type

    assert matching_type(kind) == matching_type(LOWER_CAMEL[kind]) == LOWER_CAMEL[kind]
