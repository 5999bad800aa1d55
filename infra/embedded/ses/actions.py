"""The SESv2 operations (and one of SES) that moto lacks or answers too kindly, each as a method for moto's responses."""

import json
from typing import Any

from botocore.exceptions import ReadTimeoutError
from moto.core.responses import ActionResult, BaseResponse

from infra.embedded.ses.configuration_sets import (
    configuration_set,
    create_destination,
    destinations,
    drop_destination,
    flag,
    update_destination,
)
from infra.embedded.ses.errors import ConnectionLost, SesError
from infra.embedded.ses.simulated import SimulatedSes

__all__ = ["ACTIONS", "get_send_quota"]

Json = dict[str, Any]


def _send_email(ses: SimulatedSes, response: BaseResponse) -> str:
    try:
        message_id = ses.send(json.loads(response.body), response.current_account, response.region)
    except ConnectionLost as lost:
        # A server has to answer something: over HTTP it is a 500, which tells the caller as little.
        if response.is_werkzeug_request:
            raise SesError("InternalFailure", "The request failed.") from lost
        raise ReadTimeoutError(endpoint_url=response.uri) from lost
    return json.dumps({"MessageId": message_id})


def _get_account(ses: SimulatedSes, _: BaseResponse) -> str:
    return json.dumps(
        {
            "DedicatedIpAutoWarmupEnabled": False,
            "EnforcementStatus": "HEALTHY",
            "ProductionAccessEnabled": True,
            "SendQuota": ses.account.send_quota(),
            "SendingEnabled": ses.account.sending_enabled,
            "SuppressionAttributes": {"SuppressedReasons": list(ses.suppression.reasons)},
        }
    )


def _pause(ses: SimulatedSes, response: BaseResponse) -> str:
    ses.account.sending_enabled = flag(_body(response).get("SendingEnabled", False))
    return "{}"


def _pause_set(_: SimulatedSes, response: BaseResponse) -> str:
    _set(response).enabled = flag(_body(response).get("SendingEnabled", False))
    return "{}"


def _create_destination(_: SimulatedSes, response: BaseResponse) -> str:
    asked = _body(response)
    create_destination(_set(response), asked["EventDestinationName"], asked["EventDestination"])
    return "{}"


def _get_destinations(_: SimulatedSes, response: BaseResponse) -> str:
    return json.dumps({"EventDestinations": list(destinations(_set(response)).values())})


def _update_destination(_: SimulatedSes, response: BaseResponse) -> str:
    update_destination(_set(response), _name(response), _body(response)["EventDestination"])
    return "{}"


def _delete_destination(_: SimulatedSes, response: BaseResponse) -> str:
    drop_destination(_set(response), _name(response))
    return "{}"


def _body(response: BaseResponse) -> Json:
    body: Json = json.loads(response.body or "{}")
    return body


def _name(response: BaseResponse) -> str:
    return str(response.uri_match["EventDestinationName"])


def _set(response: BaseResponse) -> Any:
    name = response.uri_match["ConfigurationSetName"]
    return configuration_set(response.current_account, response.region, name)


def get_send_quota(ses: SimulatedSes, _: BaseResponse) -> ActionResult:
    """Of the first SES API, consistent with the second."""
    return ActionResult(ses.account.send_quota())


ACTIONS = {
    "send_email": _send_email,
    "get_account": _get_account,
    "put_account_sending_attributes": _pause,
    "put_configuration_set_sending_options": _pause_set,
    "create_configuration_set_event_destination": _create_destination,
    "get_configuration_set_event_destinations": _get_destinations,
    "update_configuration_set_event_destination": _update_destination,
    "delete_configuration_set_event_destination": _delete_destination,
}
