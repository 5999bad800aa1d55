"""No template costs more than its own mail: whatever it tries, it ends in time, in little memory, with a sentence."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.mail import Refusal
from consumers.rendering import render
from consumers.templates import compiled
from pipeline import requests
from tests.builders import request
from tests.consumers.arena import Arena, Fight
from tests.consumers.hostile import BOMBS, ENDLESS, ESCAPES, LARGE, Hostile

SECONDS = 2.0
MEGABYTES = 200
CODES = {"TEMPLATE_INVALID", "TEMPLATE_RENDERING_FAILED"}
OURS = re.compile(
    "makes more than a mail can hold|takes longer than 0\\.8 s|nested, or calls itself, too deeply|nested too deeply"
    "|too many expressions|holds a number|a number of more than|width of|rounds to more than|only numbers"
    "|searches for more|looks for links|write a dict as|is unsafe|too large to convert|too many statically nested"
    "|Exceeds the limit"
)
"""What a user is told of a template that wants too much."""


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    with Arena() as arena:
        yield arena


def within_bounds(fight: Fight) -> None:
    assert fight.broken == ""
    assert fight.seconds < SECONDS
    assert fight.megabytes < MEGABYTES
    assert fight.healthy


@pytest.mark.parametrize("hostile", [*ENDLESS, *LARGE, *BOMBS], ids=str)
def test_a_hostile_template_fails_its_own_mail_in_time_and_in_little_memory(
    arena: Arena, hostile: Hostile
) -> None:
    fight = arena.fight(hostile.html, **hostile.data)
    within_bounds(fight)
    assert fight.code in CODES
    assert fight.sentence.startswith("template 'letter' ")
    assert OURS.search(fight.sentence), fight.sentence


@pytest.mark.parametrize("html", ESCAPES)
def test_nothing_of_the_process_can_be_reached(html: str) -> None:
    with pytest.raises(Refusal) as refused:
        rendered(html, x={"a": 1})
    assert refused.value.code in CODES
    assert "0x" not in refused.value.sentence


@pytest.mark.parametrize(
    ("html", "outcome"),
    [
        ("{{ [cycler] | map(attribute='__init__') | list }}", "[Undefined]"),
        ("{{ namespace(a='x' * 100) }}", "&lt;namespace&gt;"),
        ("{{ {'a': 1}.items().mapping }}", "{&#39;a&#39;: 1}"),
    ],
)
def test_what_a_template_may_look_at_says_nothing_of_the_process(html: str, outcome: str) -> None:
    assert rendered(html) == outcome


# ── What templates are used to ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("html", "outcome"),
    [
        ("{{ '%.2f' | format(9.5) }} {{ '%s in 2026: %5d' % ('Tea', 7) }}", "9.50 Tea in 2026:     7"),
        ("{{ 'No 12345678: {:>6.2f} {a}'.format(1.5, a='b') }}", "No 12345678:   1.50 b"),
        ("{{ '{a[b]}'.format_map({'a': {'b': 1}}) }}", "1"),
        ("{{ name | upper }} {{ name.title() }} {{ name | replace('n', 'nn') }}", "ANA Ana Anna"),
        ("{{ rows | map(attribute='n') | join(', ') }}", "1, 2, 3"),
        ("{{ rows | sum(attribute='n') }} {{ rows | map(attribute='n') | max }}", "6 3"),
        ("{% for row in rows | batch(2, {'n': '-'}) %}{{ row | map(attribute='n') | join }}/{% endfor %}", "12/3-/"),
        ("{% for row in rows | slice(2) %}{{ row | length }}/{% endfor %}", "2/1/"),
        ("{% for k, group in rows | groupby('odd') %}{{ k }}{{ group | length }}{% endfor %}", "False1True2"),
        ("{% for k, v in order.items() %}{{ k }}={{ v }};{% endfor %}", "a=1;b=2;"),
        ("{% for k, v in order | items %}{{ k }}={{ v }};{% endfor %}{{ order | dictsort | first }}", "a=1;b=2;(&#39;a&#39;, 1)"),
        ("{{ rows | selectattr('odd') | map(attribute='n') | list }}{{ rows | rejectattr('odd') | list | length }}", "[1, 3]1"),
        ("{{ [3, 1, 1] | unique | sort | reverse | list }}{{ 'abc' | reverse }}", "[3, 1]cba"),
        ("{% macro price(p, c='€') %}{{ c }}{{ p }}{% endmacro %}{{ price(3) }} {{ price(4, c='$') }}", "€3 $4"),
        ("{% macro box() %}[{{ caller('in') }}]{% endmacro %}{% call(x) box() %}{{ x }}{% endcall %}", "[in]"),
        ("{% macro all() %}{{ varargs | join }}{{ kwargs.a }}{% endmacro %}{{ all(1, 2, a=3) }}", "123"),
        ("{% set n = namespace(t=0) %}{% for r in rows %}{% set n.t = n.t + r.n %}{% endfor %}{{ n.t }}", "6"),
        ("{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.current }}", "aba"),
        ("{% for r in rows %}{{ loop.index }}{{ loop.cycle('x', 'y') }}{{ ',' if not loop.last }}{% endfor %}", "1x,2y,3x"),
        ("{% for r in rows %}{{ loop.previtem is defined }}{% endfor %}", "FalseTrueTrue"),
        ("{% for r in rows %}{{ loop.changed(r.odd) }}{% endfor %}", "TrueTrueTrue"),
        ("{% set j = joiner('; ') %}{% for r in rows %}{{ j() }}{{ r.n }}{% endfor %}", "1; 2; 3"),
        ("{{ dict(a=1, **order) }}{{ dict(order) }}".replace("a=1, ", "c=1, "), "{&#39;c&#39;: 1, &#39;a&#39;: 1, &#39;b&#39;: 2}{&#39;a&#39;: 1, &#39;b&#39;: 2}"),
        ("{{ 'a-b c' | title }} {{ 'one two three' | truncate(7, true, '…') }}", "A-B C one tw…"),
        ("{{ 'one two' | wordwrap(3) }}|{{ 'a\nb' | indent(2) }}", "one\ntwo|a\n  b"),
        ("{{ 'a b&c' | urlencode }} {{ {'q': 'ä'} | urlencode }}", "a%20b%26c q=%C3%A4"),
        ("{{ 'see https://a.example/b.' | urlize }}", 'see <a href="https://a.example/b" rel="noopener">https://a.example/b</a>.'),
        ("{{ {'a': [1]} | tojson }}{{ [1] | tojson(indent=2) }}", '{"a": [1]}[\n  1\n]'),
        ("<p{{ {'class': 'x'} | xmlattr }}>", '<p class="x">'),
        ("{{ 42.55 | round(1, 'floor') }} {{ '7' | int + 1 }} {{ 2 ** 10 }} {{ 7 // 2 }} {{ 7 % 4 }}", "42.5 8 1024 3 3"),
        ("{{ '1a' | int(0, 16) }} {{ 1048576 | filesizeformat }}", "26 1.0 MB"),
        ("{{ '<b>x</b>' | striptags }} {{ 'a b' | wordcount }} {{ ' x ' | trim }} {{ 'x!' | trim('!') }}", "x 2 x x"),
        ("{{ name[1:] }} {{ rows[:2] | length }} {{ name * 2 }} {{ [0] * 2 }}", "na 2 AnaAna [0, 0]"),
        ("{{ 'a,b'.split(',') | last }} {{ 'b.a'.rsplit('.', 1)[0] }} {{ 'a=b'.partition('=')[2] }}", "b b b"),
        ("{{ 'x'.center(3) }}|{{ 'a\tb'.expandtabs(4) }}|{{ '-'.join(['a', 'b']) }}", " x |a   b|a-b"),
        ("{% filter upper %}a{{ name }}{% endfilter %}{% set b %}{{ '<' }}{% endset %}{{ b }}", "AANA&lt;"),
        ("{% block b %}x{% endblock %}{{ self.b() }}", "xx"),
        ("{{ name ~ 1 ~ none ~ '<' }}", "Ana1None&lt;"),
    ],
)  # fmt: skip
def test_what_templates_are_used_to_works(html: str, outcome: str) -> None:
    rows = [{"n": 1, "odd": True}, {"n": 2, "odd": False}, {"n": 3, "odd": True}]
    assert rendered(html, name="Ana", rows=rows, order={"a": 1, "b": 2}) == outcome


def test_a_mail_of_a_thousand_lines_is_no_hostile_one() -> None:
    items = [{"name": f"Article {n} " + "x" * 100, "price": n * 1.5, "quantity": n} for n in range(1_000)]
    html = """
        {% macro money(value) %}€ {{ '%.2f' | format(value) }}{% endmacro %}
        {% for item in items %}<tr><td>{{ item['name'] | truncate(80) | upper }}</td><td>{{ item.quantity }}</td>
        <td>{{ money(item.price) }}</td><td>{{ money(item.price * item.quantity) }}</td></tr>{% endfor %}
        {{ money(items | sum(attribute='price')) }} {{ items | map(attribute='name') | join(', ') | wordwrap(76) }}
    """
    assert "749250.00" in rendered(html, items=items)


def test_the_largest_file_that_is_mostly_words_is_no_hostile_one() -> None:
    row = "<p style='margin:0'>Dear {{ name }}, here is some text that goes on for a while and for a while.</p>\n"
    assert rendered(row * (256 * 1024 // len(row)), name="Ana").count("Ana") > 2_500


# ── Generated ones ────────────────────────────────────────────────────────────────────────────────────────

TEXTS = st.sampled_from(["x", "'a'", "'%s %(a)s'", "'{0} {a}'", "'a\\nb'", "ns.t", "'.'", "'я-'", "''"])
NUMBERS = st.sampled_from(["0", "1", "7", "-1", "999", "100000", "99999999", "3.5", "1e300"])
THINGS = st.one_of(
    TEXTS, NUMBERS, st.sampled_from(["l", "d", "range(5000)", "none", "true", "d.values()", "[x, x]"])
)
OPERATIONS = st.sampled_from([
    "({a} * {b})", "({a} + {b})", "({a} ~ {b})", "({a} % {b})", "({a} ** {b})", "({a} // {b})", "({a} - {b})",
    "[{a}, {b}]", "({a}, {b}, {a})", "{{'k': {a}, 'j': {b}}}", "{a}[1:]", "{a}[::-1]", "({a} if {b} else {a})",
    "({a} in {b})", "({a} == {b})", "dict(k={a}, j={b})", "cycler({a}, {b}).items", "namespace(t={a})",
    "({a} | center({b}))", "({a} | replace({b}, {a}))", "({a} | join({b}))", "({a} | list)", "({a} | sort)",
    "({a} | batch({b}) | list)", "({a} | slice({b}) | list)", "({a} | map('upper') | list)", "({a} | sum(start={b}))",
    "({a} | map(attribute='no', default={b}) | list)", "({a} | groupby('no', default={b}))", "({a} | indent({b}))",
    "({a} | wordwrap({b}, wrapstring={a}))", "({a} | urlize(target={b}))", "({a} | tojson)", "({a} | tojson({b}))",
    "({a} | format({b}))", "({a} | format(a={b}))", "({a} | round({b}, 'ceil'))", "({a} | int({b}, 16))",
    "({a} | upper)", "({a} | escape)", "({a} | string)", "({a} | title)", "({a} | urlencode)", "({a} | length)",
    "({a} | reverse)", "({a} | unique | list)", "({a} | trim({b}))", "({a} | truncate({b}, end={a}))", "({a} | safe)",
    "{a}.join({b})", "{a}.replace({b}, {a})", "{a}.format({b}, a={b})", "{a}.split({b})", "{a}.rfind({b})",
    "{a}.strip({b})", "{a}.zfill({b})", "{a}.expandtabs({b})", "{a}.splitlines()", "m({a}, {b})", "m(*{a})",
])  # fmt: skip
EXPRESSIONS = st.recursive(
    THINGS,
    lambda inner: st.builds(lambda form, a, b: form.format(a=a, b=b), OPERATIONS, inner, inner),
    max_leaves=12,
)
MACRO = "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}"
START = "{% set x = 'a' * 3000 %}{% set l = [x, 1] * 20 %}{% set d = {'a': x, 'b': l} %}{% set ns = namespace(t=x) %}"


@given(expressions=st.lists(EXPRESSIONS, min_size=1, max_size=3), times=st.sampled_from([1, 40, 9_999]))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_generated_template_is_rendered_or_refused_within_bounds(
    arena: Arena, expressions: list[str], times: int
) -> None:
    body = "".join(f"{{% set ns.t = {expression} %}}" for expression in expressions)
    fight = arena.fight(f"{MACRO}{START}{{% for i in range({times}) %}}{body}{{% endfor %}}{{{{ ns.t }}}}")
    within_bounds(fight)
    assert fight.code in {*CODES, ""}


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@given(expressions=st.lists(EXPRESSIONS, min_size=1, max_size=5), times=st.sampled_from([1, 40, 9_999]))
@settings(max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_thousands_of_generated_templates_are_rendered_or_refused_within_bounds(
    arena: Arena, expressions: list[str], times: int
) -> None:
    test_a_generated_template_is_rendered_or_refused_within_bounds.hypothesis.inner_test(  # type: ignore[attr-defined]
        arena, expressions, times
    )


def rendered(html: str, **data: Any) -> str:
    template = compiled("letter", html, None, "{}")
    return render(template, requests.parse(request(templateData=data)), ("", "hello@acme.example")).html
