"""The errors of SESv2 as the wire carries them.

    SesError                 an answer of SES, with its code and HTTP status
    ConnectionLost           no answer at all

`counted` is the counter of the simulated SES under which the call is booked.
"""

from moto.core.exceptions import JsonRESTError

__all__ = ["ConnectionLost", "SesError", "already_exists", "bad_request", "not_found", "throttled"]

STATUS = {"NotFoundException": 404, "InternalFailure": 500}
MAXIMUM_RATE = "Maximum sending rate exceeded."


class ConnectionLost(Exception):
    """The call got no answer; whether the mail was taken is not for the caller to know."""

    counted = "lost"


class SesError(JsonRESTError):
    def __init__(self, code: str, message: str, counted: str = "refused") -> None:
        super().__init__(code, message)
        self.code = STATUS.get(code, 400)
        self.counted = counted


def bad_request(message: str) -> SesError:
    return SesError("BadRequestException", message)


def not_found(message: str) -> SesError:
    return SesError("NotFoundException", message)


def already_exists(message: str) -> SesError:
    return SesError("AlreadyExistsException", message)


def throttled() -> SesError:
    return SesError("ThrottlingException", MAXIMUM_RATE, counted="throttled")
