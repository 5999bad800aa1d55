"""What `check` finds in a folder: each kind of fault, with file, line, problem and remedy; and nothing in good ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from consumers.template_check import Finding, check
from consumers.template_folders import folders, starter_folders, starter_sample
from consumers.templates import LARGEST_FILE

METADATA: dict[str, Any] = {
    "subject": "Hello, {{ name }}",
    "requiredVariables": ["name"],
    "optionalVariables": ["note", "link"],
}


def files(html: str = "<p>{{ name }}</p>", text: str = "{{ name }}", **metadata: Any) -> dict[str, str]:
    return {
        "template.html": html,
        "template.txt": text,
        "metadata.json": json.dumps(METADATA | metadata, indent=1),
    }


def found(texts: dict[str, str], name: str = "letter") -> list[tuple[str, int, str]]:
    return [(each.file, each.line, each.problem) for each in check(name, texts)]


def one(texts: dict[str, str]) -> Finding:
    (finding,) = check("letter", texts)
    assert finding.remedy
    return finding


@pytest.mark.parametrize("name", starter_folders())
def test_nothing_is_wrong_with_a_starter_template(name: str) -> None:
    assert check(name, starter_folders()[name]) == []


def test_nothing_is_wrong_with_a_good_template() -> None:
    assert check("letter", files()) == []


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("file", ["template.html", "template.txt", "metadata.json"])
def test_a_file_that_is_missing_is_named(file: str) -> None:
    texts = files()
    del texts[file]
    finding = one(texts)
    assert (finding.file, finding.line, finding.problem) == (file, 0, "the file is missing")


def test_a_folder_without_a_template_is_named() -> None:
    assert found({}, "images") == [("", 0, "there is no template in it")]


@pytest.mark.parametrize("file", ["template.html", "template.txt", "metadata.json"])
def test_a_file_that_is_too_large_is_named_with_its_size(file: str) -> None:
    texts = files()
    texts[file] += " " * LARGEST_FILE
    finding = one(texts)
    assert (finding.file, finding.problem) == (file, "the file has 256 KB, and 256 are allowed")


def test_a_file_that_is_not_utf_8_is_named_with_its_line(tmp_path: Path) -> None:
    for file, text in files().items():
        (tmp_path / "letter").mkdir(exist_ok=True)
        (tmp_path / "letter" / file).write_text(text)
    (tmp_path / "letter" / "template.txt").write_bytes(b"Hello\nGr\xfc\xdfe {{ name }}")
    assert found(dict(folders(tmp_path)["letter"])) == [("template.txt", 2, "this is not UTF-8")]


@pytest.mark.parametrize("name", ["my letter", "größe", "a/b", "-x", "a" * 129, ""])
def test_a_name_that_requests_cannot_use_is_told(name: str) -> None:
    assert ("", 0, "this can't be the name of a template") in found(files(), name)


# ── Metadata ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("metadata", "line", "problem"),
    [
        ('{\n "subject": "Hi",\n}', 3, "this is no JSON: Expecting property name enclosed in double quotes"),
        ("", 1, "this is no JSON: Expecting value"),
        ("[]", 1, "this is no JSON object"),
        ('"x"', 1, "this is no JSON object"),
        ("[" * 100_000, 1, "it is nested too deeply"),
        ('{\n "subject": "Hi",\n "sender": "x"}', 3, "'sender' is no key of metadata.json"),
        ('{"Subject": "Hi"}', 1, "'Subject' is no key of metadata.json"),
        ('{\n\n "subject": 5}', 3, "'subject' has a value of the wrong kind"),
        ('{"requiredVariables": "name"}', 1, "'requiredVariables' has a value of the wrong kind"),
        ('{"optionalVariables": ["first name"]}', 1, "'optionalVariables' has a value of the wrong kind"),
        ('{"unsubscribe": "https://a.example"}', 1, "'unsubscribe' has a value of the wrong kind"),
        ('{"unsubscribe": {"link": "https://a.example"}}', 1, "'unsubscribe' has a value of the wrong kind"),
        ('{"priority": "urgent"}', 1, "'urgent' is no priority"),
    ],
)
def test_metadata_that_cannot_be_used_is_told_with_its_line(metadata: str, line: int, problem: str) -> None:
    finding = one(files() | {"metadata.json": metadata})
    assert (finding.file, finding.line, finding.problem) == ("metadata.json", line, problem)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("subject", "Hi\nthere", "subject must be one line"),
        ("senderName", "A\u2028B", "senderName must be one line"),
        ("senderEmail", "nobody", "senderEmail is no e-mail address"),
        ("replyTo", "a@b.example, c@d.example", "replyTo is no e-mail address"),
        ("unsubscribe", {"url": "ftp://a.example"}, "the unsubscribe url must be a web address"),
        ("unsubscribe", {"mailto": "nobody"}, "the unsubscribe address is no e-mail address"),
    ],
)
def test_a_header_that_every_mail_would_be_refused_for_is_told(key: str, value: Any, problem: str) -> None:
    finding = one(files(**{key: value}))
    assert (finding.file, problem in finding.problem) == ("metadata.json", True)


# ── Jinja2 ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("texts", "place"),
    [
        (files(html="<p>\n{{ name"), ("template.html", 2)),
        (files(html="<p>{{ name }}\n\n{% if name %}"), ("template.html", 3)),
        (files(text="{{ name | nosuch }}"), ("template.txt", 1)),
        (files(subject="{{ name"), ("metadata.json", 2)),
        (files(unsubscribe={"url": "{{"}), ("metadata.json", 11)),
        (files(html="{{ " + "(" * 500 + ")" * 500 + " }}"), ("template.html", 1)),
        (files(html="{% macro a() %}{% endmacro %}" * 5_000), ("template.html", 1)),
    ],
    ids=range(7),
)
def test_a_syntax_error_is_told_with_its_line(texts: dict[str, str], place: tuple[str, int]) -> None:
    finding = one(texts)
    assert (finding.file, finding.line) == place


@pytest.mark.parametrize(
    ("texts", "place"),
    [
        (files(html="{{ name }}\n{{ total }}"), ("template.html", 2)),
        (files(text="\n\n{% if total is defined %}x{% endif %}"), ("template.txt", 3)),
        (files(subject="{{ total | default('') }}"), ("metadata.json", 2)),
    ],
    ids=range(3),
)
def test_a_variable_that_is_not_declared_is_told(texts: dict[str, str], place: tuple[str, int]) -> None:
    finding = one(texts)
    assert (finding.file, finding.line) == place
    assert finding.problem == "the variable 'total' is not declared"


@pytest.mark.parametrize(
    ("texts", "place"),
    [
        (files(html="<p>\n{{ note }}</p>"), ("template.html", 2)),
        (files(html="<p>\n{{ name.first }}{{ note | upper }}</p>"), ("template.html", 2)),
        (files(html="{% for row in name.rows %}{{ row.a }}{% endfor %}\n{{ note }}"), ("template.html", 2)),
        (files(html="{% for k, v in name.items() %}{{ k }}{% endfor %}\n\n{{ note }}"), ("template.html", 3)),
        (files(html="{% if link is defined %}\n{{ note }}{% endif %}"), ("template.html", 2)),
        (files(text="{{ name }}\n\n{{ note.x }}"), ("template.txt", 3)),
        (files(subject="{{ note }}"), ("metadata.json", 2)),
    ],
    ids=range(7),
)
def test_an_optional_variable_that_is_not_tested_is_told(
    texts: dict[str, str], place: tuple[str, int]
) -> None:
    finding = one(texts)
    assert (finding.file, finding.line) == place
    assert finding.problem == "the optional variable 'note' is used without being tested"


@pytest.mark.parametrize(
    "html",
    [
        "{{ note | default('') }}",
        "{% if note is defined %}{{ note }}{% endif %}",
        "{% if note is defined and note %}{{ note.a.b }}{% endif %}",
        "{% set x = note if note is defined else name %}{{ x }}",
        "{% for row in name %}{{ row['a'] }} {{ loop.index }} {{ '%.2f' | format(row.price) }}{% endfor %}",
        "{{ name.title() }} {{ name | upper }} {{ name['first'] }} {{ name | length }} {{ name[0] }}",
        "{% macro m(note) %}{{ note }}{% endmacro %}{{ m(name) }}",
        "{% for note in name %}{{ note }}{% endfor %}",
        "{{ range(3) | list }}{% set n = namespace(a=1) %}{{ n.a }}{{ dict(a=1) }}",
    ],
)
def test_what_is_tested_or_is_no_variable_is_not_told(html: str) -> None:
    assert found(files(html=html)) == []


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ("<p>\n{{ name | safe }}</p>", "|safe puts a value into the HTML unescaped"),
        ("<p>\n{{ name | upper | safe }}</p>", "|safe puts a value into the HTML unescaped"),
        ("\n{% filter safe %}{{ name }}{% endfilter %}", "|safe puts a value into the HTML unescaped"),
        ("\n{% autoescape false %}{{ name }}{% endautoescape %}", "escaping is turned off"),
        ("\n{% autoescape name %}{{ name }}{% endautoescape %}", "escaping is turned off"),
        (
            "<p>\n<a class=x href={{ name }}>x</a>",
            "the attribute has no quotes, so a value with a space would end it",
        ),
        ("\n{% include 'footer' %}", "a template can't use another one"),
        ("\n{% extends 'base' %}", "a template can't use another one"),
        ("\n{% from 'macros' import m %}", "a template can't use another one"),
    ],
)
def test_output_that_is_not_escaped_and_other_templates_are_told(html: str, problem: str) -> None:
    assert ("template.html", 2, problem) in found(files(html=html))


@pytest.mark.parametrize(
    "html",
    [
        "{% autoescape true %}{{ name }}{% endautoescape %}",
        "{{ name | e }}{{ name | forceescape }}",
        "<a href=\"{{ name }}\" title='{{ name }}'>a={{ name }}</a>",
        "<p>x={{ name }}</p>",
    ],
)
def test_output_that_is_escaped_is_not_told(html: str) -> None:
    assert found(files(html=html)) == []


# ── Links ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("texts", "place", "link"),
    [
        (files(html='<a\nhref="http://a.example">'), ("template.html", 2), "http://a.example"),
        (files(html="<a href='HTTP://a.example/{{ name }}'>"), ("template.html", 1), "HTTP://a.example/"),
        (files(html="<a href = http://a.example>"), ("template.html", 1), "http://a.example"),
        (files(html='<img alt="" src="/logo.png">'), ("template.html", 1), "/logo.png"),
        (files(html='<a href="www.a.example">'), ("template.html", 1), "www.a.example"),
        (files(html='<a href="javascript:x">'), ("template.html", 1), "javascript:x"),
        (
            files(html='<td background="http://a.example/x.png">'),
            ("template.html", 1),
            "http://a.example/x.png",
        ),
        (
            files(html="<p style=\"background: url('http://a.example')\">"),
            ("template.html", 1),
            "http://a.example",
        ),
        (files(text="\nSee http://a.example/{{ name }}."), ("template.txt", 2), "http://a.example/{{"),
        (
            files(unsubscribe={"url": "http://a.example/{{ name }}"}),
            ("metadata.json", 11),
            "http://a.example/{{",
        ),
    ],
    ids=range(10),
)
def test_a_link_that_is_not_https_is_told(texts: dict[str, str], place: tuple[str, int], link: str) -> None:
    finding = one(texts)
    assert (finding.file, finding.line) == place
    assert finding.problem == f"the link {link} is not https"


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://a.example">x</a><a href="{{ name }}">y</a><a href="mailto:a@b.example">z</a>',
        '<a href="#top"></a><a href="tel:+4930"></a><img alt="" src="cid:logo"><img alt="" src="data:image/png;base64,x">',
        '<html xmlns="http://www.w3.org/1999/xhtml"><p>Our prices in href terms</p></html>',
        '<a href="{% if name %}https://a.example{% else %}https://b.example{% endif %}">x</a>',
    ],
)
def test_a_link_that_is_one_is_not_told(html: str) -> None:
    assert found(files(html=html)) == []


# ── As it is told ─────────────────────────────────────────────────────────────────────────────────────────


def test_all_that_is_wrong_is_told_in_the_order_of_the_files() -> None:
    texts = files(html="{{ b }}\n{{ a | safe }}", text="{{ c }}\nhttp://a.example", replyTo="nobody")
    told = found(texts)
    assert [file for file, *_ in told] == ["template.html"] * 3 + ["template.txt"] * 2 + ["metadata.json"]
    assert [line for _, line, _ in told] == [1, 2, 2, 1, 2, 10]


def test_a_finding_is_a_line_for_people_and_an_object_for_programs() -> None:
    finding = one(files(html="<p>\n{{ total }}"))
    assert str(finding) == (
        "letter/template.html:2: the variable 'total' is not declared; "
        "add it to requiredVariables or optionalVariables in metadata.json"
    )
    assert finding.as_dict() == {
        "template": "letter",
        "file": "template.html",
        "line": 2,
        "problem": "the variable 'total' is not declared",
        "remedy": "add it to requiredVariables or optionalVariables in metadata.json",
    }


# ── Folders ───────────────────────────────────────────────────────────────────────────────────────────────


def test_folders_that_begin_with_a_dot_or_an_underscore_are_no_templates(tmp_path: Path) -> None:
    for name in ("letter", "_source", ".git", "images"):
        (tmp_path / name).mkdir()
    (tmp_path / "README.md").write_text("x")
    (tmp_path / "letter" / "template.html").write_text("<p>")
    (tmp_path / "letter" / "notes.txt").write_text("x")
    assert folders(tmp_path) == {"images": {}, "letter": {"template.html": "<p>"}}


def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path: Path) -> None:
    (tmp_path / "letter").mkdir()
    (tmp_path / "letter" / "metadata.json").write_bytes(b"\xef\xbb\xbf{}")
    assert folders(tmp_path)["letter"] == {"metadata.json": "{}"}


def test_a_starter_template_has_a_sample_and_no_other_has_one() -> None:
    assert all(starter_sample(name) for name in starter_folders())
    assert starter_sample("nothing-of-ours") is None
