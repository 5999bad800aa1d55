import base64
import json
from typing import Any

import pytest
from werkzeug.test import Client

from infra.embedded.ses import routes
from tests.infra.embedded.ses_world import Json, World, client, world

PATH = "/_aws/ses"


def get(it: World, query: str = "") -> list[Json]:
    app = routes(it.ses)[PATH]
    answer: dict[str, list[Json]] = json.loads(Client(app).get(PATH + query).data)
    return answer["messages"]


def test_a_message_has_localstacks_shape_and_ours() -> None:
    with world() as it:
        message_id = it.send(
            "ana@example.com", {"emailId": "order-1"}, ReplyToAddresses=["help@acme.example"]
        )
        (message,) = get(it)
    assert message == {
        "Id": message_id,
        "Region": "us-east-1",
        "Timestamp": "2026-11-24T12:00:00.000Z",
        "Source": "Acme <orders@mail.acme.example>",
        "Destination": {"ToAddresses": ["ana@example.com"], "CcAddresses": [], "BccAddresses": []},
        "ReplyToAddresses": ["help@acme.example"],
        "Subject": "Your order",
        "Body": {"text_part": "x", "html_part": '<a href="https://acme.example/a?b=1&amp;c=2">x</a>'},
        "Headers": [],
        "EmailTags": [{"Name": "emailId", "Value": "order-1"}],
        "ConfigurationSetName": "engine",
    }


def test_a_raw_message_comes_as_base64() -> None:
    raw = b"From: a@acme.example\r\nTo: b@example.com\r\n\r\nx"
    with world() as it:
        client("sesv2").send_email(Content={"Raw": {"Data": raw}})
        assert base64.b64decode(get(it)[0]["RawData"]) == raw


def test_the_newest_is_last() -> None:
    with world() as it:
        sent = [it.send() for _ in range(3)]
        assert [message["Id"] for message in get(it)] == sent


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?emailId=b", ["b"]),
        ("?email=orders@mail.acme.example", ["a", "b"]),
        ("?email=info@acme.example", ["c"]),
        ("?email=info@acme.example&emailId=a", []),
        ("?emailId=absent", []),
        ("?other=1", ["a", "b", "c"]),
    ],
)
def test_queries_narrow(query: str, found: Any) -> None:
    with world() as it:
        for tag, more in {"a": {}, "b": {}, "c": {"FromEmailAddress": "info@acme.example"}}.items():
            it.send(tags={"emailId": tag}, **more)
        assert [message["EmailTags"][0]["Value"] for message in get(it, query)] == found


def test_a_message_is_found_by_what_its_tag_encodes() -> None:
    with world() as it:
        it.send(tags={"emailId": "b3JkZXIvMQ"})
        assert len(get(it, "?emailId=order/1")) == 1


def test_a_message_is_found_by_its_id() -> None:
    with world() as it:
        ids = [it.send() for _ in range(3)]
        assert [message["Id"] for message in get(it, f"?id={ids[1]}")] == [ids[1]]


@pytest.mark.parametrize(("query", "left"), [("", 0), ("?emailId=a", 1)])
def test_delete_forgets(query: str, left: int) -> None:
    with world() as it:
        it.send(tags={"emailId": "a"})
        it.send(tags={"emailId": "b"})
        answer = Client(routes(it.ses)[PATH]).delete(PATH + query)
        assert (answer.status_code, answer.data, len(it.ses.mails())) == (204, b"", left)


def test_other_methods_are_refused() -> None:
    with world() as it:
        assert Client(routes(it.ses)[PATH]).post(PATH).status_code == 405
