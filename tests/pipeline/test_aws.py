from collections.abc import Iterator

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ReadTimeoutError,
)

from pipeline.aws import error_code, service_errors, translated
from pipeline.errors import EngineError, Misconfigured, Unavailable

NOWHERE = "http://127.0.0.1"


def refused(code: str, message: str = "said so") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


def translation(error: BaseException) -> EngineError:
    with pytest.raises(EngineError) as raised, service_errors("Kinesis"):
        raise error
    return raised.value


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "InternalFailure", "ServiceUnavailable", "BrandNewException", "503"]
)
def test_a_service_that_asks_for_patience_is_unavailable(code: str) -> None:
    assert type(translation(refused(code))) is Unavailable


@pytest.mark.parametrize(
    "code",
    [
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredTokenException",
        "UnrecognizedClientException",
        "ResourceNotFoundException",
        "NoSuchBucket",
        "AWS.SimpleQueueService.NonExistentQueue",
        "KMSDisabledException",
    ],
)
def test_what_only_an_operator_can_mend_is_misconfigured(code: str) -> None:
    assert type(translation(refused(code))) is Misconfigured


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url=NOWHERE),
        ConnectTimeoutError(endpoint_url=NOWHERE),
        ReadTimeoutError(endpoint_url=NOWHERE),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_service_that_cannot_be_reached_is_unavailable(error: Exception) -> None:
    assert type(translation(error)) is Unavailable


@pytest.mark.parametrize("error", [NoCredentialsError(), NoRegionError()])
def test_a_missing_account_is_misconfigured(error: Exception) -> None:
    assert type(translation(error)) is Misconfigured


def test_the_sentence_says_service_code_and_message() -> None:
    assert str(translation(refused("Throttled", "slow down"))) == "Kinesis: Throttled: slow down"


def test_the_sdks_error_stays_the_cause() -> None:
    error = refused("Throttled")
    assert translation(error).__cause__ is error


def test_our_own_errors_pass() -> None:
    error = Unavailable("mine")
    assert translation(error) is error


def test_a_fault_of_the_program_passes() -> None:
    with pytest.raises(ZeroDivisionError), service_errors("Kinesis"):
        raise ZeroDivisionError


def test_what_goes_well_is_left_alone() -> None:
    def steps() -> Iterator[int]:
        with service_errors("Kinesis"):
            yield 1

    assert list(steps()) == [1]


def test_an_error_without_code_is_unknown() -> None:
    assert error_code(ClientError({}, "Operation")) == "Unknown"


def test_whatever_is_misconfigured_is_waited_for_too() -> None:
    assert isinstance(translated("SQS", "AccessDenied", ""), Unavailable)
