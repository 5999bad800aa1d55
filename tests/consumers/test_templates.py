"""Templates as they are compiled, and as the bucket keeps them: used when changed, reported when broken."""

import gc
import json
import logging
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from consumers import s3, templates
from consumers.mail import Refusal
from consumers.s3 import MOST_TEMPLATES, SOONER, TemplateBucket, TemplateFolder
from consumers.templates import LARGEST_FILE, compiled, metadata_strings, safely, said
from tests.consumers.conftest import Deployed

KEPT = 60.0


def refused(html: str = "<p>Hi</p>", text: str | None = None, metadata: Any = None) -> str:
    """The sentence."""
    written = metadata if isinstance(metadata, str) else json.dumps(metadata or {})
    with pytest.raises(Refusal) as refusal:
        compiled("letter", html, text, written)
    assert refusal.value.code == "TEMPLATE_INVALID"
    return refusal.value.sentence


# ── Compiling ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("<p>\n{{ name",),
            "template.html: line 2: unexpected end of template, expected 'end of print statement'",
        ),
        (("<p>\n{{ name | nosuch }}",), "template.html: line 2: No filter named 'nosuch'"),
        (("<p>{{ ((((( }}",), "template.html: line 1: "),
        (("<p>", "a\nb{% if %}"), "template.txt: line 2: "),
        (("<p>", None, {"subject": "Hi {{ name"}), "'subject' in metadata.json: line 1: "),
        (("<p>", None, {"unsubscribe": {"url": "{{"}}), "'unsubscribe.url' in metadata.json: line 1: "),
        (
            ("<p>", None, '{\n"subject": }'),
            "metadata.json: this is no JSON: Expecting value: line 2 column 12",
        ),
        (
            ("<p>", None, "[" * 100_000),
            "metadata.json: this is no JSON: it is nested, or calls itself, too deeply",
        ),
        (("<p>", None, "[]"), "metadata.json must hold an object"),
        (("<p>", None, {"subject": 5}), "'subject' in metadata.json has a value of the wrong kind"),
        (("<p>", None, {"requiredVariables": "name"}), "'requiredVariables' in metadata.json has a value of"),
        (("<p>", None, {"requiredVariables": ["not a name"]}), "'requiredVariables' in metadata.json has"),
        (("<p>", None, {"unsubscribe": {"uri": "https://a.example"}}), "'unsubscribe' in metadata.json has"),
        (
            ("{{ " + "(" * 500 + ")" * 500 + " }}",),
            "template.html: it is nested, or calls itself, too deeply",
        ),
        (("{{ x }}" * 30_000,), "it takes longer than 0.8 s"),
        (("{% macro a() %}{% endmacro %}" * 5_000,), "template.html: it holds too many expressions and tags"),
    ],
    ids=range(16),
)
def test_a_fault_is_named_with_file_and_line(arguments: Any, said: str) -> None:
    sentence = refused(*arguments)
    if "longer" in said and "too many" in sentence:
        said = "too many expressions"  # a fast machine comes as far as that
    assert said in sentence
    assert sentence.startswith("template 'letter' can't be used: ")
    assert sentence.endswith("; `sesmailengine templates check` tells more")
    assert "\n" not in sentence


def test_keys_of_the_metadata_that_mean_nothing_are_no_templates() -> None:
    metadata = {"subject": "Hi", "comment": "{{ broken", "unsubscribe.url": "https://other.example", "n": 5}
    found = compiled("letter", "<p>Hi</p>", None, json.dumps(metadata))
    assert found.strings.keys() == {"subject"}


def test_every_string_of_the_metadata_is_a_template() -> None:
    metadata = dict.fromkeys(
        ("subject", "senderName", "senderEmail", "replyTo", "priority", "version"), "{{ a }}"
    )
    whole = metadata | {"unsubscribe": {"url": "{{ a }}", "mailto": "{{ a }}"}, "requiredVariables": ["a"]}
    found = compiled("letter", "", None, json.dumps(whole))
    assert {key: part.render(a="x") for key, part in found.strings.items()} == dict.fromkeys(
        [*metadata, "unsubscribe.url", "unsubscribe.mailto"], "x"
    )
    assert [key for key, _ in metadata_strings(whole)] == list(found.strings)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "it is nested too deeply or takes too much memory"),
        (RecursionError("maximum recursion depth exceeded"), "it is nested, or calls itself, too deeply"),
        (ValueError("it is wrong."), "it is wrong"),
        (AssertionError(), "AssertionError"),
    ],
)
def test_what_is_said_of_an_error(error: Exception, words: str) -> None:
    assert said(error) == words


def test_one_template_at_a_time() -> None:
    inside, most = [0], [0]

    def work() -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        threading.Event().wait(0.001)
        inside[0] -= 1

    with ThreadPoolExecutor(8) as pool:
        for each in [pool.submit(safely, work) for _ in range(40)]:
            each.result()
    assert most == [1]


def test_a_template_that_failed_leaves_the_next_its_whole_budget() -> None:
    for _ in range(3):
        with pytest.raises(Refusal):
            compiled("letter", "{{ 'x' | center(1000) }}" * 9_000, None, "{}")
        assert safely(lambda: templates.HTML.from_string("{{ 'a' * 1500000 }}").render()) == "a" * 1_500_000


# ── The bucket ────────────────────────────────────────────────────────────────────────────────────────────


class Shelf:
    """The templates of a bucket of its own, with a clock, and a count of what is compiled."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._s3, self._bucket = client, bucket
        self.now = 0.0
        self.folder = TemplateFolder(client, bucket)
        self.templates = TemplateBucket(self.folder, KEPT, lambda: self.now)

    def put(self, name: str, html: str | bytes, file: str = "template.html") -> None:
        body = html if isinstance(html, bytes) else html.encode()
        self._s3.put_object(Bucket=self._bucket, Key=f"{name}/{file}", Body=body)

    def html(self, name: str = "letter", **data: Any) -> str:
        return self.templates.get(name).html.render(data)

    def code(self, name: str = "letter") -> str:
        with pytest.raises(Refusal) as refusal:
            self.templates.get(name)
        return refusal.value.code


@pytest.fixture
def shelf(deployed: Deployed) -> Iterator[Shelf]:
    client, bucket = deployed.client("s3"), "shelf"
    client.create_bucket(Bucket=bucket)
    yield Shelf(client, bucket)
    for each in client.list_objects_v2(Bucket=bucket).get("Contents", ()):
        client.delete_object(Bucket=bucket, Key=each["Key"])
    client.delete_bucket(Bucket=bucket)


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the templates that are compiled, as it happens."""
    names: list[str] = []

    def counted(name: str, *arguments: Any) -> Any:
        names.append(name)
        return compiled(name, *arguments)

    monkeypatch.setattr(s3, "compiled", counted)
    return names


def test_an_unchanged_template_is_not_compiled_again(shelf: Shelf, compilations: list[str]) -> None:
    shelf.put("letter", "old")
    for _ in range(5):
        assert shelf.html() == "old"
        shelf.now += KEPT
    shelf.put("letter", "old")  # the same once more
    assert shelf.html() == "old"
    assert compilations == ["letter"]


@pytest.mark.parametrize("file", ["template.html", "template.txt", "metadata.json"])
def test_a_change_of_any_file_is_used(shelf: Shelf, compilations: list[str], file: str) -> None:
    shelf.put("letter", "old")
    shelf.put("letter", "old", "template.txt")
    shelf.put("letter", "{}", "metadata.json")
    shelf.html()
    shelf.put("letter", '{"subject": "new"}', file)
    shelf.now = KEPT
    shelf.html()
    assert compilations == ["letter", "letter"]


def test_a_change_is_used_within_five_minutes() -> None:
    default = TemplateBucket.__init__.__defaults__
    assert default is not None
    assert default[0] <= 300


def test_one_that_breaks_fails_only_its_own_mails_and_recovers_when_it_is_mended(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    shelf.put("letter", "old")
    shelf.put("other", "fine")
    shelf.html()
    shelf.put("letter", "new {{")
    shelf.now = KEPT
    assert (shelf.code(), shelf.code(), shelf.html("other")) == (
        "TEMPLATE_INVALID",
        "TEMPLATE_INVALID",
        "fine",
    )
    shelf.put("letter", "mended")
    shelf.now += KEPT / SOONER
    assert shelf.html() == "mended"
    broken, mended = [each for each in caplog.records if each.name == "consumers.s3"]
    assert (broken.levelname, mended.levelname) == ("ERROR", "INFO")
    assert "template letter: TEMPLATE_INVALID: " in broken.getMessage()
    assert "template.html: line 1: unexpected 'end of template'" in broken.getMessage()
    assert mended.getMessage() == "template letter can be used again"


def test_one_that_stays_broken_is_reported_once_for_each_change(
    shelf: Shelf, caplog: pytest.LogCaptureFixture, compilations: list[str]
) -> None:
    for html in ("{{", "{%"):
        shelf.put("letter", html)
        for _ in range(4):
            shelf.code()
            shelf.now += KEPT
    assert len([each for each in caplog.records if each.name == "consumers.s3"]) == 2
    assert len(compilations) == 2


def test_one_that_is_missing_or_broken_is_looked_at_sooner(shelf: Shelf) -> None:
    assert shelf.code() == "TEMPLATE_NOT_FOUND"
    shelf.put("letter", "here")
    assert shelf.code() == "TEMPLATE_NOT_FOUND"
    shelf.now = KEPT / SOONER
    assert shelf.html() == "here"


def test_a_template_is_found_among_many_other_files(shelf: Shelf) -> None:
    for number in range(30):
        shelf.put("letter", "x", f"images/{number}.png")
        shelf.put("letter", "x", f"{number}.bak")
    shelf.put("letter", "<p>Hi</p>")
    shelf.put("letter-2", "<p>Other</p>")
    assert shelf.html() == "<p>Hi</p>"


def test_a_file_within_a_folder_of_a_template_is_no_template(shelf: Shelf) -> None:
    shelf.put("letter", "<p>Hi</p>")
    shelf.put("letter", "<p>Old</p>", "old/template.html")
    shelf.put("images", "x", "logo.png")
    assert shelf.folder.names() == ["letter"]


def test_a_byte_order_mark_is_no_part_of_a_file(shelf: Shelf) -> None:
    shelf.put("letter", b"\xef\xbb\xbf<p>Hi</p>")
    shelf.put("letter", b'\xef\xbb\xbf{"subject": "Hi"}', "metadata.json")
    assert shelf.html() == "<p>Hi</p>"
    assert "subject" in shelf.templates.get("letter").strings


@pytest.mark.parametrize("file", ["template.html", "template.txt", "metadata.json"])
def test_a_file_of_256_kb_is_taken_and_a_larger_one_refused(shelf: Shelf, file: str) -> None:
    filling = {"metadata.json": '{"x": "%s"}'}.get(file, "%s")
    shelf.put("letter", "<p>Hi</p>")
    shelf.put("letter", filling % ("x" * (LARGEST_FILE - len(filling) + 2)), file)
    assert shelf.templates.get("letter")
    shelf.put("letter", filling % ("x" * (LARGEST_FILE - len(filling) + 3)), file)
    shelf.now = KEPT
    with pytest.raises(Refusal, match=f"letter/{file} is larger than 256 KB"):
        shelf.templates.get("letter")


def test_the_last_fifty_that_were_used_are_kept(shelf: Shelf, compilations: list[str]) -> None:
    names = [f"letter-{number}" for number in range(MOST_TEMPLATES)]
    for name in names:
        shelf.put(name, name)
        shelf.html(name)
    shelf.html(names[0])
    shelf.put("one-more", "x")
    shelf.html("one-more")
    compilations.clear()
    for name in (names[0], names[2], "one-more"):
        shelf.html(name)
    assert compilations == []
    shelf.html(names[1])
    assert compilations == [names[1]]
    assert len(shelf.templates._known) == MOST_TEMPLATES


def test_many_who_want_a_new_template_have_it_compiled_once(shelf: Shelf, compilations: list[str]) -> None:
    shelf.put("letter", "new")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: shelf.html(), range(16))) == ["new"] * 16
    assert compilations == ["letter"]


def test_a_push_in_the_midst_of_reading_is_noticed_at_the_next_look(shelf: Shelf) -> None:
    """The version is looked at before the files are read, so what is newer than it is read again."""
    shelf.put("letter", "old")
    version = shelf.folder.version

    def pushed_meanwhile(name: str) -> tuple[str, ...]:
        found = version(name)
        shelf.put("letter", "new {{ 1 }}", "template.html")
        shelf.put("letter", "new", "template.txt")
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shelf.folder, "version", pushed_meanwhile)
        shelf.html()
    shelf.put("letter", "newest", "template.txt")
    shelf.now = KEPT
    text = shelf.templates.get("letter").text
    assert text
    assert text.render() == "newest"


def test_what_is_put_is_what_differs(shelf: Shelf) -> None:
    texts = {"template.html": "<p>Hi</p>", "template.txt": "Hi", "metadata.json": "{}"}
    assert shelf.folder.put("letter", texts) == dict.fromkeys(texts, "new")
    assert shelf.folder.put("letter", texts) == {}
    assert shelf.folder.put("letter", texts | {"template.txt": "Hello"}) == {"template.txt": "changed"}
    assert shelf.folder.texts("letter") == texts | {"template.txt": "Hello"}


def test_the_log_says_nothing_of_the_mails(shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="consumers")
    shelf.put("letter", "{{ name }}{{ missing }}")
    found = shelf.templates.get("letter")
    from consumers.rendering import render
    from pipeline import requests
    from tests.builders import request

    asked = requests.parse(request(to="ana@secret.example", templateData={"name": "Secret"}))
    with pytest.raises(Refusal, match="'missing' is undefined"):
        render(found, asked, ("", "hello@acme.example"))
    assert caplog.text == ""


@pytest.fixture
def disturbed() -> Iterator[list[str]]:
    """What went wrong in other code's callback, which the collector runs all the time."""

    def callback(*_: object) -> None:
        def deeper(steps: int) -> None:
            if steps:
                deeper(steps - 1)

        deeper(5)

    wrong, threshold, hook = list[str](), gc.get_threshold(), sys.unraisablehook
    sys.unraisablehook = lambda error: wrong.append(error.exc_type.__name__)
    gc.callbacks.append(callback)
    gc.set_threshold(5, 2, 2)
    yield wrong
    gc.set_threshold(*threshold)
    gc.callbacks.remove(callback)
    sys.unraisablehook = hook


@pytest.mark.parametrize(
    "source",
    [
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{{ " + "(" * 3000 + "x" + ")" * 3000 + " }}",
        "{{ x" + ".a" * 4000 + " }}",
        "{{ " + "not " * 5000 + "x }}",
    ],
    ids=["macro", "loop", "brackets", "attributes", "operators"],
)
def test_a_template_that_uses_up_the_stack_disturbs_nobody_else(source: str, disturbed: list[str]) -> None:
    """The collector runs other code's callbacks wherever it is: not while the stack is a template's."""

    def rendered() -> str:
        template = compiled("deep", source, None, "{}")
        return safely(lambda: template.html.render(x=1))

    with pytest.raises((Refusal, RecursionError)):
        rendered()
    assert disturbed == []
    assert gc.isenabled()
