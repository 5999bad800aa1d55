"""SES as the mailer. Errors by tables: what certainly was not taken, what never will be, what nobody knows.

A code that the table lacks is a refusal that we don't understand (4xx), or leaves the mail's fate open. An
error that isn't SES's, and is not in the other table, may have come after SES took the mail.

SendEmail: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
The client must have its own retries off: a retry after a lost answer sends the mail twice.
"""

import math
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
)

from consumers.headers import encoded
from consumers.mail import Ambiguous, Mail, Refusal, Throttled, UnknownRefusal
from pipeline.aws import error_code, service_errors
from pipeline.errors import EngineError, Misconfigured, Unavailable, Unprocessable

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

__all__ = ["SesMailer", "forgive", "send_rate"]

# Code → what it means for the mail.
_MEANING: dict[str, type[EngineError]] = {
    "TooManyRequestsException": Throttled,
    "ThrottlingException": Throttled,
    "Throttling": Throttled,
    "LimitExceededException": Misconfigured,
    "SendingPausedException": Misconfigured,
    "AccountSuspendedException": Misconfigured,
    "MailFromDomainNotVerifiedException": Misconfigured,
    "NotFoundException": Misconfigured,
    **dict.fromkeys(
        (
            "AccessDenied",
            "AccessDeniedException",
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "MissingAuthenticationToken",
            "NotAuthorized",
            "OptInRequired",
            "RequestExpired",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ),
        Misconfigured,
    ),
    "MessageRejected": Refusal,
    "BadRequestException": Refusal,
}
# What the SDK raises before anything has reached SES → what it means.
_NEVER_REACHED: dict[type[BotoCoreError], type[EngineError]] = {
    ConnectTimeoutError: Unavailable,
    EndpointConnectionError: Unavailable,
    ProxyConnectionError: Unavailable,
    CredentialRetrievalError: Unavailable,
    NoCredentialsError: Misconfigured,
    PartialCredentialsError: Misconfigured,
    NoRegionError: Misconfigured,
    ParamValidationError: Unprocessable,
}
_DAILY_QUOTA = "daily message quota"
_REQUEST_TIMEOUT = 408


class SesMailer:
    def __init__(self, client: "SESV2Client", configuration_set: str) -> None:
        self._client, self._configuration_set = client, configuration_set

    def send(self, mail: Mail) -> str:
        try:
            answer = self._client.send_email(
                FromEmailAddress=mail.sender,
                Destination={"ToAddresses": [mail.to]},
                Content={"Simple": _content(mail)},
                ConfigurationSetName=self._configuration_set,
                EmailTags=[{"Name": name, "Value": value} for name, value in mail.tags.items()],
                ReplyToAddresses=[mail.reply_to] if mail.reply_to else [],
            )
        except ClientError as error:
            raise _translated(error) from error
        except BotoCoreError as error:
            meaning = _NEVER_REACHED.get(type(error), Ambiguous)
            raise meaning(f"SES: {type(error).__name__}: {error}") from error
        if "MessageId" not in answer:  # the SDK makes something of half an answer, too
            raise Ambiguous("SES: the answer was cut short")
        return answer["MessageId"]


def _content(mail: Mail) -> Any:
    body = {"Html": _utf8(mail.html)} | ({"Text": _utf8(mail.text)} if mail.text is not None else {})
    headers = [{"Name": name, "Value": value} for name, value in mail.headers.items()]
    return {"Subject": _utf8(encoded(mail.subject, "the subject")), "Body": body, "Headers": headers}


def _utf8(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}


def _translated(error: ClientError) -> EngineError:
    code, message = error_code(error), error.response.get("Error", {}).get("Message", "")
    if _DAILY_QUOTA in message.lower():
        return Unavailable(f"SES: daily quota reached: {message}")
    meaning = _MEANING.get(code) or _unknown(
        error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    )
    if meaning is Refusal:
        return Refusal("SES_REFUSED", f"SES refused the mail ({code}): {message}")
    return meaning(f"SES: {code}: {message}")


def _unknown(status: int) -> type[EngineError]:
    refused = 400 <= status < 500 and status != _REQUEST_TIMEOUT
    return UnknownRefusal if refused else Ambiguous


def send_rate(client: "SESV2Client") -> float:
    """The account's `MaxSendRate`, mails a second; infinite where SES sets no limit. Raises Misconfigured at 0."""
    with service_errors("SES"):
        rate = client.get_account()["SendQuota"]["MaxSendRate"]
    if rate == 0:
        raise Misconfigured("SES: the account's MaxSendRate is 0, so it may send nothing")
    return rate if rate > 0 else math.inf


def forgive(client: "SESV2Client", address: str) -> None:
    """Take an address off the account's own suppression list; one that isn't on it is fine."""
    with service_errors("SES"):
        try:
            client.delete_suppressed_destination(EmailAddress=address)
        except ClientError as error:
            if error_code(error) != "NotFoundException":
                raise
