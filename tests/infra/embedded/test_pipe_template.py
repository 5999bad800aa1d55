import json
from typing import Any

import pytest

from infra.embedded.json_path import PathNotFound, at
from infra.embedded.pipe_template import render

EVENT = {
    "messageId": "m-1",
    "body": {"mail": {"id": 'a"b\\c', "to": ["x", "é"]}, "n": 1, "ok": True, "none": None},
    "attributes": {"SentTimestamp": "123"},
    "plain": "not JSON",
}
RESERVED = {"aws.pipes.pipe-name": "p", "aws.pipes.event.json": EVENT}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ('{"a":"constant"}', {"a": "constant"}),
        ("<$.body>", EVENT["body"]),
        ('{"a":<$.body.mail>}', {"a": {"id": 'a"b\\c', "to": ["x", "é"]}}),
        ('{"a":"<$.messageId>"}', {"a": "m-1"}),
        ('{"a":<$.messageId>}', {"a": "m-1"}),
        ('{"a":"<$.body.mail.id>"}', {"a": 'a"b\\c'}),
        ('{"a":"id <$.body.mail.id> of <$.messageId>!"}', {"a": 'id a"b\\c of m-1!'}),
        ('{"a":"<$.body.mail>"}', {"a": '{"id":"a\\"b\\\\c","to":["x","é"]}'}),
        ('{"a":<$.body.mail.to[1]>}', {"a": "é"}),
        ('{"a":[<$.body.n>,<$.body.ok>,<$.body.none>]}', {"a": [1, True, None]}),
        ('{"a":"<$.body.n>"}', {"a": "1"}),
        ('{"a":"<$.attributes.SentTimestamp>"}', {"a": "123"}),
        ('{"a":<$.missing>,"b":"<$.body.missing>"}', {"a": None, "b": ""}),
        ('{"a":"<aws.pipes.pipe-name>","b":<aws.pipes.event.json>}', {"a": "p", "b": EVENT}),
        ('{"a":"<aws.pipes.unheard-of>"}', {"a": ""}),
        ('{"a":"\\"<$.messageId>\\"","b":<$.messageId>}', {"a": '"m-1"', "b": "m-1"}),
        ('{"a":"\\\\","b":<$.messageId>}', {"a": "\\", "b": "m-1"}),
        ('{"a":"1 < 2 > <b>"}', {"a": "1 < 2 > <b>"}),
        ("<$.plain>", "not JSON"),
    ],
)
def test_a_template_becomes(template: str, value: Any) -> None:
    assert json.loads(render(template, EVENT, RESERVED)) == value


def test_text_around_variables_is_left_as_it_is() -> None:
    assert render("a b  <$.messageId>\n", EVENT, {}) == 'a b  "m-1"\n'


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", EVENT),
        ("$.body.n", 1),
        ("$.body.mail.to[0]", "x"),
        ("$['messageId']", "m-1"),
        ("$.body['n']", 1),
    ],
)
def test_a_path_leads_to(path: str, value: Any) -> None:
    assert at(EVENT, path) == value


@pytest.mark.parametrize("path", ["$.x", "$.body.n.x", "$.body.mail.to[7]", "$.messageId.x", "$.body[0]"])
def test_a_path_that_leads_nowhere_says_so(path: str) -> None:
    with pytest.raises(PathNotFound):
        at(EVENT, path)
