"""The outbox over HTTP: `GET /_aws/ses`, in the shape that LocalStack made known, and `DELETE` to empty it.

`?id=` (message id), `?email=` (sender) and `?emailId=` (the tag, or what it encodes in base64url) narrow both.
"""

import base64
import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from infra.embedded.ses.mail import Mail, bare, stamp
from infra.embedded.ses.simulated import SimulatedSes

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["PATH", "as_json", "routes"]

Json = dict[str, Any]
Wanted = Callable[[Mail], bool]

PATH = "/_aws/ses"
FILTERS: dict[str, Callable[[Mail, str], bool]] = {
    "id": lambda mail, value: mail.message_id == value,
    "email": lambda mail, value: value in {mail.source, bare(mail.source)},
    "emailId": lambda mail, value: mail.email_id in {value, _encoded(value)},
}


def routes(ses: SimulatedSes) -> dict[str, "WSGIApplication"]:
    """WSGI applications by path."""

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        answer = METHODS.get(environ["REQUEST_METHOD"], _not_allowed)
        status, body = answer(ses, _wanted(environ.get("QUERY_STRING", "")))
        data = json.dumps(body).encode() if body is not None else b""
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(data)))]
        start_response(status, headers)
        return [data]

    return {PATH: app}


def as_json(mail: Mail) -> Json:
    raw = {"RawData": base64.b64encode(mail.raw).decode()} if mail.raw else {}
    return {
        "Id": mail.message_id,
        "Region": mail.region,
        "Timestamp": stamp(mail.time),
        "Source": mail.source,
        "Destination": {
            "ToAddresses": list(mail.to),
            "CcAddresses": list(mail.cc),
            "BccAddresses": list(mail.bcc),
        },
        "ReplyToAddresses": list(mail.reply_to),
        "Subject": mail.subject,
        "Body": {"text_part": mail.text, "html_part": mail.html},
        "Headers": [{"Name": name, "Value": value} for name, value in mail.headers],
        "EmailTags": [{"Name": name, "Value": value} for name, value in mail.tags.items()],
        "ConfigurationSetName": mail.configuration_set,
        **raw,
    }


def _encoded(value: str) -> str:
    return base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")


def _wanted(query: str) -> Wanted:
    asked = {name: values[-1] for name, values in parse_qs(query).items() if name in FILTERS}
    return lambda mail: all(FILTERS[name](mail, value) for name, value in asked.items())


def _get(ses: SimulatedSes, wanted: Wanted) -> tuple[str, Json | None]:
    return "200 OK", {"messages": [as_json(mail) for mail in ses.mails() if wanted(mail)]}


def _delete(ses: SimulatedSes, wanted: Wanted) -> tuple[str, Json | None]:
    ses.forget(wanted)
    return "204 No Content", None


def _not_allowed(_: SimulatedSes, __: Wanted) -> tuple[str, Json | None]:
    return "405 Method Not Allowed", {"message": "Use GET or DELETE."}


METHODS = {"GET": _get, "DELETE": _delete}
