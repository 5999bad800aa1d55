"""The SESv2 operations on the account's suppression list."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import BaseResponse

from infra.embedded.ses.errors import SesError, bad_request, not_found
from infra.embedded.ses.simulated import SimulatedSes
from infra.embedded.ses.suppression_list import REASONS, SuppressedDestination

__all__ = ["ACTIONS"]

Json = dict[str, Any]

PAGE = 1000


def _put_reasons(ses: SimulatedSes, response: BaseResponse) -> str:
    reasons = json.loads(response.body).get("SuppressedReasons") or ()
    ses.suppression.reasons = tuple(map(_reason, reasons))
    return "{}"


def _put(ses: SimulatedSes, response: BaseResponse) -> str:
    asked = json.loads(response.body)
    address, reason = asked.get("EmailAddress") or "", _reason(asked.get("Reason"))
    if "@" not in address:
        raise bad_request(f"Invalid email address <{address}>.")
    ses.suppression.put(SuppressedDestination(address, reason, ses.now()))
    return "{}"


def _get(ses: SimulatedSes, response: BaseResponse) -> str:
    entry = ses.suppression.get(_address(response))
    if entry is None:
        raise _absent(response)
    ids = {"MessageId": entry.message_id, "FeedbackId": entry.feedback_id} if entry.message_id else {}
    return json.dumps({"SuppressedDestination": {**_summary(entry), "Attributes": ids}})


def _delete(ses: SimulatedSes, response: BaseResponse) -> str:
    if not ses.suppression.delete(_address(response)):
        raise _absent(response)
    return "{}"


def _list(ses: SimulatedSes, response: BaseResponse) -> str:
    asked = response.normalized_request.args
    found = list(_matching(ses, asked.getlist("Reason"), asked.get("StartDate"), asked.get("EndDate")))
    start, size = _number(asked.get("NextToken"), 0), _number(asked.get("PageSize"), PAGE)
    more = {"NextToken": str(start + size)} if start + size < len(found) else {}
    summaries = [_summary(entry) for entry in found[start : start + size]]
    return json.dumps({"SuppressedDestinationSummaries": summaries, **more})


def _matching(
    ses: SimulatedSes, reasons: list[str], start: str | None, end: str | None
) -> Iterator[SuppressedDestination]:
    earliest = _time(start) or datetime.min.replace(tzinfo=UTC)
    latest = _time(end) or datetime.max.replace(tzinfo=UTC)
    for entry in ses.suppression:
        if (not reasons or entry.reason in reasons) and earliest <= entry.time <= latest:
            yield entry


def _summary(entry: SuppressedDestination) -> Json:
    return {"EmailAddress": entry.address, "Reason": entry.reason, "LastUpdateTime": entry.time.timestamp()}


def _address(response: BaseResponse) -> str:
    return str(response.uri_match["EmailAddress"])


def _absent(response: BaseResponse) -> SesError:
    return not_found(f"Email address {_address(response)} does not exist on your suppression list.")


def _reason(reason: str | None) -> str:
    if reason not in REASONS:
        raise bad_request(f"Reason <{reason}> must be one of {', '.join(REASONS)}.")
    return reason


def _number(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isdigit():
        raise SesError("InvalidNextTokenException", "The specified token is invalid.")
    return int(text)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


ACTIONS = {
    "put_account_suppression_attributes": _put_reasons,
    "put_suppressed_destination": _put,
    "get_suppressed_destination": _get,
    "delete_suppressed_destination": _delete,
    "list_suppressed_destinations": _list,
}
