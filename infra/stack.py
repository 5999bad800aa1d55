"""The CloudFormation stack: its template, its deployment, and what a deployed stack says about itself.

StackError
├── StackNotFound  nothing is deployed under that name: deploy it, or name another
└── StackFailed    CloudFormation refused or rolled back: correct the cause it names, deploy again
"""

import time
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef, StackEventTypeDef, StackTypeDef

__all__ = [
    "Resource",
    "StackError",
    "StackFailed",
    "StackNotFound",
    "configuration",
    "deploy",
    "outputs",
    "resources",
    "template_body",
]

POLL_SECONDS = 5.0
DONE = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}


class StackError(UserError):
    """CloudFormation can't do, or say, what it was asked for."""


class StackNotFound(StackError):
    """No stack of that name in this account and region."""


class StackFailed(StackError):
    """The stack was not created or updated; the message names resource and reason."""


class Resource(NamedTuple):
    type: str
    physical_id: str


def template_body() -> str:
    """The template, as deployed to AWS and to the embedded AWS alike."""
    return files("infra").joinpath("stack.yaml").read_text(encoding="utf-8")


def deploy(
    client: "CloudFormationClient",
    stack: str,
    parameters: Mapping[str, str],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, str]:
    """Creates or updates the stack, waits for the end of it, and returns its outputs.

    Parameters that are left out keep the value they have in the stack, or take the template's default.
    Nothing to update is success. Raises StackFailed.
    """
    try:
        known = _described(client, stack)
    except StackNotFound:
        _create(client, stack, parameters)
    else:
        if not _update(client, known, parameters):
            return _outputs(known)
    return _outputs(_settled(client, stack, sleep))


def outputs(client: "CloudFormationClient", stack: str) -> dict[str, str]:
    """Raises StackNotFound."""
    return _outputs(_described(client, stack))


def configuration(client: "CloudFormationClient", stack: str) -> dict[str, str]:
    """StackName, the parameters and the outputs in one mapping. Raises StackNotFound."""
    known = _described(client, stack)
    return {"StackName": stack, **_parameters(known), **_outputs(known)}


def resources(client: "CloudFormationClient", stack: str) -> dict[str, Resource]:
    """What the stack consists of, by logical id. Raises StackNotFound."""
    _described(client, stack)
    pages = client.get_paginator("list_stack_resources").paginate(StackName=stack)
    return {
        found["LogicalResourceId"]: Resource(found["ResourceType"], found.get("PhysicalResourceId", ""))
        for page in pages
        for found in page["StackResourceSummaries"]
    }


def _described(client: "CloudFormationClient", stack: str) -> "StackTypeDef":
    try:
        return client.describe_stacks(StackName=stack)["Stacks"][0]
    except client.exceptions.ClientError as error:
        message = error.response["Error"]["Message"]
        if "does not exist" in message:
            raise StackNotFound(
                f"there is no stack {stack!r} in region {client.meta.region_name}: "
                "deploy it, or name the stack and region it runs in"
            ) from error
        raise StackError(f"CloudFormation doesn't describe stack {stack!r}: {message}") from error


def _create(client: "CloudFormationClient", stack: str, parameters: Mapping[str, str]) -> None:
    try:
        client.create_stack(
            StackName=stack,
            TemplateBody=template_body(),
            Parameters=_given(parameters),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
    except client.exceptions.ClientError as error:
        raise StackFailed(f"stack {stack!r} was not created: {error.response['Error']['Message']}") from error


def _update(client: "CloudFormationClient", known: "StackTypeDef", parameters: Mapping[str, str]) -> bool:
    """Whether there is anything to update."""
    stack, body = known["StackName"], template_body()
    try:
        declared = client.get_template_summary(TemplateBody=body)["Parameters"]
        names = {p["ParameterKey"] for p in declared}
        kept = {name: value for name, value in _parameters(known).items() if name in names}
        client.update_stack(
            StackName=stack,
            TemplateBody=body,
            Parameters=_given({**kept, **parameters}),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
    except client.exceptions.ClientError as error:
        message = error.response["Error"]["Message"]
        if "No updates are to be performed" in message:
            return False
        raise StackFailed(f"stack {stack!r} was not updated: {message}") from error
    return True


def _settled(client: "CloudFormationClient", stack: str, sleep: Callable[[float], None]) -> "StackTypeDef":
    while (known := _described(client, stack))["StackStatus"].endswith("_IN_PROGRESS"):
        sleep(POLL_SECONDS)
    if known["StackStatus"] not in DONE:
        raise StackFailed(f"stack {stack!r} ended as {known['StackStatus']}: {_cause(client, stack)}")
    return known


def _cause(client: "CloudFormationClient", stack: str) -> str:
    """The first failure of the last operation; those after it are mostly cancellations because of it."""
    failures = [
        event
        for event in _last_operation(client, stack)
        if event.get("ResourceStatus", "").endswith("_FAILED")
    ]
    if not failures:
        return "CloudFormation gives no reason"
    first = failures[-1]
    where = f"{first.get('LogicalResourceId')} ({first.get('ResourceType')})"
    return f"{where}: {first.get('ResourceStatusReason', 'no reason given')}"


def _last_operation(client: "CloudFormationClient", stack: str) -> "Iterator[StackEventTypeDef]":
    """Events, newest first, back to the one with which the operation began."""
    for page in client.get_paginator("describe_stack_events").paginate(StackName=stack):
        for event in page["StackEvents"]:
            yield event
            if event.get("ResourceStatusReason") == "User Initiated":
                return


def _given(parameters: Mapping[str, str]) -> "list[ParameterTypeDef]":
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]


def _parameters(known: "StackTypeDef") -> dict[str, str]:
    return {p["ParameterKey"]: p.get("ParameterValue", "") for p in known.get("Parameters", [])}


def _outputs(known: "StackTypeDef") -> dict[str, str]:
    return {o["OutputKey"]: o["OutputValue"] for o in known.get("Outputs", [])}
