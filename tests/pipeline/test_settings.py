from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from cfnlint.decode.decode import decode_str

from infra import stack
from pipeline.errors import UserError
from pipeline.settings import Settings

NAMES = {
    "StackName": "engine",
    "DefaultSenderEmail": "hello@acme.example",
    "EventBusName": "engine-EmailBus",
    "StreamName": "engine-EmailEvents",
    "TrackingTableName": "engine-EmailTracking",
    "SuppressionTableName": "engine-Suppression",
    "ReputationTableName": "engine-Reputation",
    "SendLedgerTableName": "engine-SendLedger",
    "TemplateBucketName": "engine-templates",
    "ArchiveBucketName": "engine-archive",
    "ConfigurationSetName": "engine",
    "DelayQueueUrl": "https://sqs/engine-Delay",
    "RequestDLQUrl": "https://sqs/engine-RequestDLQ",
    "FeedbackDLQUrl": "https://sqs/engine-FeedbackDLQ",
    "DelayDLQUrl": "https://sqs/engine-DelayDLQ",
    "ParkedDLQUrl": "https://sqs/engine-ParkedDLQ",
}


@cache
def template() -> dict[str, Any]:
    decoded, _ = decode_str(stack.template_body())
    assert decoded
    return decoded


def fault(**changes: str) -> str:
    with pytest.raises(UserError) as raised:
        Settings.from_mapping(NAMES | changes)
    return str(raised.value)


ALIASES = [field.alias for field in Settings.model_fields.values()]
OPTIONAL = {field.alias: field for field in Settings.model_fields.values() if not field.is_required()}


@pytest.mark.parametrize("name", ALIASES)
def test_every_setting_is_a_parameter_or_an_output_of_the_stack(name: str) -> None:
    assert name in {"StackName", *template()["Parameters"], *template()["Outputs"]}


@pytest.mark.parametrize("name", OPTIONAL)
def test_defaults_are_those_of_the_stack(name: str) -> None:
    default = str(template()["Parameters"][name]["Default"])
    assert getattr(Settings.from_mapping(NAMES | {name: default}), attribute(name)) == OPTIONAL[name].default


def attribute(alias: str) -> str:
    return next(name for name, field in Settings.model_fields.items() if field.alias == alias)


def test_the_stacks_values_are_read_as_what_they_are() -> None:
    found = Settings.from_mapping(
        NAMES
        | {
            "EmailSenderConcurrency": "50",
            "DataRetentionDays": "365",
            "SoftBounceRetryDelaySeconds": "0",
            "OpenClaimPolicy": "fail",
            "NotifyStatuses": "delivered, bounced",
        }
    )
    assert (found.email_sender_concurrency, found.retention) == (50, timedelta(days=365))
    assert (found.soft_bounce_retry_delay_seconds, found.open_claim_policy) == (0, "fail")
    assert found.notify_statuses == ("delivered", "bounced")


def test_whatever_else_the_stack_says_is_ignored() -> None:
    assert Settings.from_mapping(NAMES | {"ShardCount": "2"}) == Settings.from_mapping(NAMES)


def test_blanks_around_a_value_are_no_part_of_it() -> None:
    assert Settings.from_mapping(NAMES | {"StreamName": " x "}).stream_name == "x"


@pytest.mark.parametrize("missing", NAMES)
def test_a_missing_value_is_named(missing: str) -> None:
    with pytest.raises(UserError, match=f"{missing}: field required"):
        Settings.from_mapping({name: value for name, value in NAMES.items() if name != missing})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EmailSenderConcurrency", "0"),
        ("EmailSenderConcurrency", "fast"),
        ("EmailSenderConcurrency", "1.5"),
        ("SendsInFlight", "-1"),
        ("DataRetentionDays", "0"),
        ("SoftBounceRetryDelaySeconds", "-1"),
        ("OpenClaimGraceSeconds", ""),
        ("OpenClaimPolicy", "perhaps"),
        ("ArchiveFlushSeconds", "soon"),
        ("NotifyStatuses", "delivered,deliverd"),
        ("NotifyStatuses", ""),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    assert f"{name}: " in fault(**{name: value})


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(UserError) as raised:
        Settings.from_mapping({"EmailSenderConcurrency": "fast", "OpenClaimPolicy": "perhaps"})
    named = [said.split(":")[0] for said in str(raised.value).partition("used: ")[2].split("; ")[:-1]]
    assert sorted(named) == sorted([*NAMES, "EmailSenderConcurrency", "OpenClaimPolicy"])


def test_the_sentence_says_what_to_do() -> None:
    assert fault(DataRetentionDays="0").endswith("; deploy the stack again")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings.from_mapping(NAMES).stream_name = "other"  # type: ignore[misc]
