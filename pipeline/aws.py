"""SDK errors, translated once, at the edge of every module that is named after a service."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from pipeline.errors import EngineError, Misconfigured, Unavailable

__all__ = ["error_code", "service_errors"]

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
    "ResourceNotFoundException",
    "UnrecognizedClientException",
}


def error_code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "Unknown")


@contextmanager
def service_errors(service: str) -> Iterator[None]:
    """Raise what the SDK raises as one of ours: the service is waited for, or an operator has to act."""
    try:
        yield
    except ClientError as error:
        raise _translated(service, error) from error
    except (NoCredentialsError, NoRegionError) as error:
        raise Misconfigured(f"{service}: {error}") from error
    except BotoCoreError as error:
        raise Unavailable(f"{service}: {error}") from error


def _translated(service: str, error: ClientError) -> EngineError:
    sentence = f"{service}: {error_code(error)}: {error.response.get('Error', {}).get('Message', '')}"
    return Misconfigured(sentence) if error_code(error) in _OPERATOR else Unavailable(sentence)
