"""SDK errors, translated once, at the edge of every module that is named after a service."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from pipeline.errors import EngineError, Misconfigured, Unavailable, Unprocessable

__all__ = ["error_code", "service_errors", "translated"]

_OPERATOR = {  # what no amount of waiting mends
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "NoSuchBucket",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
    "ResourceNotFound",  # of one PartiQL statement in a batch
    "ResourceNotFoundException",
    "UnrecognizedClientException",
}

_RECORD = {  # what the service will never take, whatever its state
    "InvalidMessageContents",
    "InvalidParameterValue",
    "SerializationException",
    "ValidationError",  # of one PartiQL statement in a batch, or one action of a transaction
    "ValidationException",
}


def error_code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "Unknown")


@contextmanager
def service_errors(service: str) -> Iterator[None]:
    """Raise what the SDK raises as one of ours: wait for the service, have an operator act, park the record."""
    try:
        yield
    except ClientError as error:
        message = error.response.get("Error", {}).get("Message", "")
        raise translated(service, error_code(error), message) from error
    except (NoCredentialsError, NoRegionError) as error:
        raise Misconfigured(f"{service}: {error}") from error
    except BotoCoreError as error:
        raise Unavailable(f"{service}: {error}") from error


def translated(service: str, code: str, message: str) -> EngineError:
    sentence = f"{service}: {code}: {message}"
    if code in _RECORD:
        return Unprocessable(sentence)
    return Misconfigured(sentence) if code in _OPERATOR else Unavailable(sentence)
