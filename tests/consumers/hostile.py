"""Templates that want more time or memory than there is, by what they try it with."""

from typing import Any, NamedTuple

__all__ = ["BOMBS", "ENDLESS", "ESCAPES", "LARGE", "Hostile"]

K = 256 * 1024


class Hostile(NamedTuple):
    name: str
    html: str
    data: dict[str, Any]

    def __str__(self) -> str:
        return self.name


def _all(cases: dict[str, str], **data: Any) -> list[Hostile]:
    return [Hostile(name, html, data) for name, html in cases.items()]


def _big(letter: str = "a", times: int = 4_000_000) -> str:
    return f"{{% set x = {letter!r} * {times} %}}"


def _often(statement: str, times: int = 800) -> str:
    """As many variables, each with something of its own."""
    return "".join(f"{{% set a{number} = {statement} %}}" for number in range(times))


def _doubling(doubled: str, before: str = "") -> str:
    """A thing that holds itself twice, sixty times over: small to hold, endless to write out."""
    start = f"{before}{{% set ns = namespace(t=('x', 'x')) %}}"
    return f"{start}{{% for i in range(60) %}}{{% set ns.t = {doubled} %}}{{% endfor %}}{{{{ ns.t }}}}"


GIVEN = "range(3000) | map(attribute='no', default=x)"
"""Three thousand times the same large text."""

ENDLESS = _all({
    "loops in loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "nothing, without end": "{% for i in range(99999) %}{% for j in range(99999) %}{{ e }}{% endfor %}{% endfor %}",
    "a macro that calls itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a macro that calls itself twice": (
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}"
    ),
    "a block that calls itself": "{% block b %}{{ self.b() }}{% endblock %}",
    "a loop that calls itself": "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "a caller that calls itself": (
        "{% macro m() %}{{ caller() }}{% call m() %}x{% endcall %}{% endmacro %}{% call m() %}x{% endcall %}"
    ),
    "a key for each of many names": "{{ range(1000) | sort(attribute='real,' * 100000) | length }}",
    "keys that collide": "{{ keys | unique | list | length }}",
    "a dict of keys that collide": "{{ dict(pairs) | length }}",
    "a namespace of keys that collide": "{% set n = namespace(pairs) %}",
    "keys that collide, from a method": "{{ {}.fromkeys(keys) | length }}",
}, e="", keys=[n * (2**61 - 1) for n in range(1, 40_000)], pairs=[[n * (2**61 - 1), 0] for n in range(1, 40_000)])  # fmt: skip

LARGE = _all({
    # Output
    "100 MB of output": "{% for i in range(99999) %}" + "x" * 1_000 + "{% endfor %}",
    "100 MB of a variable": "{% for i in range(200) %}{{ d }}{% endfor %}",
    "quotes": _big('"') + "{% for i in range(40) %}{{ x }}{% endfor %}",
    "quotes in a macro": _big('"') + "{% macro m() %}" + "{{ x }}" * 3_000 + "{% endmacro %}{{ m() }}",
    "quotes where escaping is decided late": (
        _big('"') + "{% autoescape d is defined %}{% for i in range(40) %}{{ x }}{% endfor %}{% endautoescape %}"
    ),
    "a captured block": "{% for i in range(999) %}{% set x %}{{ 'a' * 1000000 }}{% endset %}{% endfor %}",
    "a filtered block": "{% filter upper %}{% for i in range(99999) %}" + "x" * 200 + "{% endfor %}{% endfilter %}",
    "callers in callers": (
        "{% macro m() %}{{ caller() * 1000 }}{% endmacro %}" + "{% call m() %}" * 4 + "x" + "{% endcall %}" * 4
    ),
    "macros with much in hand": (
        "{% macro m(n) %}{% set a = 'x' * 100000 ~ n %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}"
    ),
    "what joins": "{% set j = joiner('x' * 1000000) %}{% for i in range(999) %}{{ j() }}{% endfor %}",
    # Operators and literals
    "a product": "{{ 'a' * 10000000000 }}",
    "a product the other way round": "{{ 10000000000 * 'a' }}",
    "a product of lists": "{{ [0] * 10000000000 }}",
    "a product of products": "{% set l = [[0] * 1000] * 1000 %}{{ l * 1000 }}",
    "~ of itself": _doubling("ns.t ~ ns.t"),
    "+ of itself": _doubling("ns.t + ns.t"),
    "a list of itself": _doubling("[ns.t, ns.t]"),
    "a tuple of itself": _doubling("(ns.t, ns.t)"),
    "a dict of itself": _doubling("{'a': ns.t, 'b': ns.t}"),
    "a dict made of itself": _doubling("dict(a=ns.t, b=ns.t)"),
    "a cycler of itself": _doubling("cycler(ns.t, ns.t).items"),
    "arguments of itself": _doubling("1", "{% macro m() %}{% set ns.t = varargs %}{% endmacro %}").replace(
        "{% set ns.t = 1 %}", "{{ m(ns.t, ns.t) }}"
    ),
    "named arguments of itself": _doubling("1", "{% macro m() %}{% set ns.t = kwargs %}{% endmacro %}").replace(
        "{% set ns.t = 1 %}", "{{ m(a=ns.t, b=ns.t) }}"
    ),
    "a batch of itself": _doubling("range(2) | map(attribute='no', default=ns.t) | batch(2) | first"),
    "a slice of itself": _doubling("range(2) | map(attribute='no', default=ns.t) | slice(1) | first"),
    "groups of itself": _doubling("range(2) | map(attribute='no', default=ns.t) | groupby('no', default=1)"),
    "keys of itself": _doubling("{}.fromkeys((1, 2), ns.t)"),
    "slices": _big() + _often("x[1:]"),
    "slices of a list": "{% set x = [0] * 300000 %}" + _often("x[:]"),
    "parts": _big() + _often("x.partition('a')"),
    "~ of a dict's values": (
        "{% set d = {'a': 'a' * 4000000} %}{% set v = d.values() %}{{ " + "~".join(["v"] * 3_000) + " }}"
    ),
    "a dict's values as texts": (
        "{% set d = {'a': 'a' * 4000000} %}{% set v = d.values() %}" + _often("v | string")
    ),
    "arguments passed on and on": (
        "{% macro m() %}{{ m(*varargs) }}{% endmacro %}{% set l = [0] * 300000 %}{{ m(*l) }}"
    ),
    "lists of a range": "{% for i in range(1000) %}{% set x = range(100000) | list %}{% endfor %}",
    # Numbers
    "a power": "{{ 10 ** 100000000 }}",
    "a power of a power": "{{ (10 ** 1000) ** 1000000 }}",
    "squares of squares": (
        "{% set ns = namespace(t=10) %}{% for i in range(60) %}{% set ns.t = ns.t * ns.t %}{% endfor %}{{ ns.t }}"
    ),
    "many places": "{{ 1 | round(300000000, 'ceil') }}",
    "many places by name": "{{ 1 | round(precision=300000000, method='floor') }}",
    "many places before the point": "{{ 1 | round(-300000000) }}",
    "a number of many hexadecimals": "{{ (('f' * 3000000) | int(0, 16)) // (('f' * 1500000) | int(0, 16)) }}",
    "a remainder of many hexadecimals": "{{ ('f' * 3000000) | int(0, 16) is divisibleby 7 }}",
    "bytes of a number": "{% set n = 1 %}{{ n.to_bytes(2000000000, 'big') }}",
    "a range beyond all numbers": "{{ range(10 ** 20) }}",
    # Formats
    "a width": "{{ '%999999999d' % 1 }}",
    "a width with flags": "{{ '%-+ #0999999999d' % 1 }}",
    "a width after a key": "{{ '%(a(b))999999999d' % {'a(b)': 1} }}",
    "a width from a value": "{{ '%*d' % (999999999, 1) }}",
    "a precision": "{{ '%.999999999f' % 1 }}",
    "a width in braces": "{{ '{:999999999}'.format(1) }}",
    "a width in other digits": "{{ '{:>٩٩٩٩٩٩٩٩٩}'.format(1) }}",
    "a width in braces from a value": "{{ '{:{w}}'.format(1, w=999999999) }}",
    "fields": _big(times=1_000_000) + "{{ ('%(a)s' * 3000) % {'a': x} }}",
    "fields of a filter": _big(times=1_000_000) + "{{ ('%(a)s' * 3000) | format(a=x) }}",
    "fields in braces": _big(times=1_000_000) + "{{ ('{0}' * 3000).format(x) }}",
    "fields in braces by name": _big(times=1_000_000) + "{{ ('{a}' * 3000).format(a=x) }}",
    "fields in braces of a list": _big(times=1_000_000) + "{{ ('{0[0]}' * 3000).format([x]) }}",
    "fields of a map": _big(times=1_000_000) + "{{ ('{a}' * 3000).format_map({'a': x}) }}",
    "wide fields": "{{ ('%(a)999s' * 400000) % {'a': 1} }}",
    "long numbers": "{{ ('%(a)f' * 400000) % {'a': 1e308} }}",
    # Filters and methods: what they make
    "upper": _big() + _often("x | upper"),
    "escape": _big('"') + _often("x | escape"),
    "safe": _big() + _often("x | safe"),
    "escape of many": _big('"') + "{{ " + GIVEN + " | map('escape') | list | length }}",
    "center": "{{ 'x' | center(999999999) }}",
    "center by name": "{{ 'x' | center(width=999999999) }}",
    "ljust": "{{ 'x'.ljust(999999999) }}",
    "zfill": "{{ 'x'.zfill(999999999) }}",
    "tabs": _big("\t") + "{{ x.expandtabs(1000) }}",
    "indent": _big("x\n", 300_000) + "{{ x | indent(1000) }}",
    "indent by a text": _big("x\n", 1_000) + "{{ x | indent('y' * 1000000) }}",
    "indent by name": _big("x\n", 1_000) + "{{ x | indent(width='y' * 1000000) }}",
    "wordwrap": _big("a ", 100_000) + "{{ x | wordwrap(1, wrapstring='y' * 100000) }}",
    "replace": "{{ ('a' * 1000000) | replace('a', 'b' * 1000) }}",
    "replace by name": "{{ ('a' * 100000) | replace(new='b' * 1000000, old='a') }}",
    "replace nothing": "{{ ('a' * 1000000) | replace('', 'b' * 1000) }}",
    "replace, the method": "{{ ('a' * 1000000).replace('a', 'b' * 1000) }}",
    "replace in a block": (
        "{% filter replace('a', 'b' * 1000000) %}{% for i in range(999) %}a{% endfor %}{% endfilter %}"
    ),
    "join of numbers": _big(times=1_000_000) + "{{ range(3000) | join(x) }}",
    "join of texts": _big(times=1_000_000) + "{{ range(3000) | map('string') | join(x) }}",
    "join of letters": _big(times=100_000) + "{{ x | join(x) }}",
    "join, the method": _big(times=100_000) + "{{ x.join(x) }}",
    "join of one and the same": _big(times=1_000_000) + "{{ " + GIVEN + " | join }}",
    "urlencode of one and the same": _big(times=1_000_000) + "{{ " + GIVEN.replace("=x", "=(x, x)") + " | urlencode }}",
    "groups by a default": _big("A", 1_000_000) + "{{ range(100000) | groupby('no', default=x) | length }}",
    "JSON, indented": "{{ ([0] * 200000) | tojson(1000) }}",
    "JSON, indented by a text": "{{ ([0] * 1000) | tojson(indent='b' * 1000000) }}",
    "JSON, deep": (
        "{% set ns = namespace(t=[0] * 10000) %}{% for i in range(90) %}{% set ns.t = [ns.t] %}{% endfor %}"
        "{{ ns.t | tojson(100) }}"
    ),
    "links with a target": "{{ ('www.a.com ' * 1000) | urlize(target='x' * 100000) }}",
    "links with a target in place": "{{ ('www.a.com ' * 1000) | urlize(40, false, 'x' * 100000) }}",
    "a batch": "{{ [1] | batch(999999999, 'x') | list }}",
    "a batch by name": "{{ [1] | batch(linecount=999999999, fill_with='x') | list }}",
    "a slice": "{{ [1] | slice(999999999) | list }}",
    "letters": _big("я", 4_500_000) + "{{ x | list | length }}",
    "sorted letters": _big("я", 4_500_000) + "{{ x | sort | length }}",
    "words": _big("я ", 2_000_000) + "{{ x.split() | length }}",
    "counted words": _big("я ", 2_000_000) + "{{ x | wordcount }}",
    "titles": _big("-я", 2_000_000) + "{{ x | title }}",
    "lines": _big("я\n", 2_000_000) + "{{ x.splitlines() | length }}",
    "codes": _big("😀", 4_500_000) + "{{ x | urlencode }}",
    "codes of JSON": _big("😀", 4_500_000) + "{{ x | tojson }}",
    # Filters and methods: how long they take
    "a sum of lists": "{% set l = [[0] * 20] * 20000 %}{{ l | sum(start=[]) | length }}",
    "a search from the end": _big(times=2_000_000) + "{% set y = 'ab' ~ 'a' * 500000 %}{{ x.rfind(y) }}",
    "a split from the end": _big(times=500_000) + "{% set y = 'ab' ~ 'a' * 200000 %}{{ x.rsplit(sep=y) }}",
    "a part from the end": _big(times=500_000) + "{% set y = 'ab' ~ 'a' * 200000 %}{{ x.rpartition(y) }}",
    "letters to strip": _big(times=2_000_000) + "{% set y = 'b' * 2000000 ~ 'a' %}{{ x.strip(y) }}",
    "letters to trim": _big(times=2_000_000) + "{% set y = 'b' * 2000000 ~ 'a' %}{{ x | trim(y) }}",
    "one of two, sorted": (
        "{% set x, y = 'a' * 1000000 ~ 'b', 'a' * 1000000 ~ 'c' %}"
        "{{ range(100000) | map(attribute='no', default=(x, y)) | map('random') | sort | length }}"
    ),
    "links in dots": "{% set x = '.' * 500000 ~ 'x.' %}{{ x | urlize }}",
    "links in brackets": "{% set x = '(' * 500000 ~ ')' * 500000 %}{{ x | urlize }}",
    "tags in tags": _big("<!---->", 600_000) + "{{ x | striptags }}",
}, d='"' * 900_000)  # fmt: skip

BOMBS = _all({
    "many expressions": "{{x}}" * (K // 5),
    "a long sum": "{{ " + "+".join("x" * (K // 2 - 10)) + " }}",
    "a long ~": "{{ " + "~".join("x" * (K // 2 - 10)) + " }}",
    "a long list": "{{ [" + "x," * (K // 2 - 10) + "] }}",
    "a long comparison": "{{ x" + "==x" * (K // 3 - 5) + " }}",
    "many ifs": "{%if x%}{%endif%}" * (K // 16),
    "many elifs": "{%if x%}" + "{%elif x%}" * (K // 10 - 5) + "{%endif%}",
    "many macros": "".join(f"{{%macro a{n}()%}}{{%endmacro%}}" for n in range(8_000)),
    "many blocks": "".join(f"{{%block a{n}%}}{{%endblock%}}" for n in range(8_000)),
    "many filters": "{{ x" + "|e" * (K // 2 - 10) + " }}",
    "nested brackets": "{{ " + "(" * (K // 2 - 10) + "x" + ")" * (K // 2 - 10) + " }}",
    "nested lists": "{{ " + "[" * (K // 2 - 10) + "]" * (K // 2 - 10) + " }}",
    "nested ifs": "{%if x%}" * (K // 16) + "{%endif%}" * (K // 16),
    "nested loops": "{% for a in x %}" * 30 + "{% endfor %}" * 30,
    "many nots": "{{ " + "not " * (K // 4 - 10) + "x }}",
    "many minus signs": "{{ " + "-" * (K - 10) + "x }}",
    "a long number": "{{ " + "1" * (K - 10) + " }}",
    "a long hexadecimal number": "{{ 0x" + "f" * (K - 50) + " }}",
    "folded text": "{{ (('x' | center(1000)) | replace(' ', 'y' | center(1000))) | replace(' ', 'yyyyyy') }}",
    "much folded text": "{{ ('x' | center(1000)) | replace(' ', 'y' | center(1000)) }}" * 4_000,
    "keys that collide": "{{ {" + ",".join(f"{n * (2**61 - 1)}:x" for n in range(1, 5_000)) + "} | length }}",
}, x="y")  # fmt: skip

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ cycler.reset(cycler) }}",
    "{{ joiner.__call__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ range.__globals__ }}",
    "{{ dict.mro() }}",
    "{{ dict.fromkeys }}",
    "{{ lipsum.__globals__ }}",
    "{{ self._TemplateReference__context.environment }}",
    "{{ self.__init__.__globals__ }}",
    "{{ (range(3) | map('string')).gi_frame.f_globals }}",
    "{% set n = namespace() %}{{ n.__class__ }}",
    "{% set n = namespace(a=1) %}{{ n._Namespace__attrs }}",
    "{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}",
    "{% macro m() %}{% endmacro %}{{ m._environment }}",
    "{% macro m() %}{% endmacro %}{{ m.__call__ }}",
    "{% for i in [1] %}{{ loop._iterator }}{% endfor %}",
    "{% for i in [1] %}{{ loop.__class__ }}{% endfor %}",
    "{% set c = cycler(1) %}{{ c.next.__func__.__globals__ }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '{x.__init__}'.format_map({'x': cycler}) }}",
    "{{ '{0.format.__globals__}'.format('') }}",
    "{{ ('%s' | safe).format.__globals__ }}",
    "{{ '' | attr('__class__') }}",
    "{{ cycler | attr('__init__') }}",
    "{{ [cycler] | sum(attribute='__init__') }}",
    "{{ [cycler] | selectattr('__init__') | list }}",
    "{{ 'a'.encode() }}",
    "{{ 'a'.translate({97: 'b' * 1000}) }}",
    "{{ ('a' | safe).escape('<') }}",
    "{{ 1 .to_bytes(1, 'big') }}",
    "{{ 1.5.hex() }}",
    "{{ x.pop('a') }}",
    "{{ x.update(a=1) }}",
    "{{ x.setdefault('b', 1) }}",
    "{{ [1].append(2) }}",
    "{{ [3, 1].sort() }}",
    "{{ ''.upper }}",
    "{{ ''.format }}",
    "{{ range }}",
    "{{ cycler }}",
    "{{ context }}",
    "{{ environment }}",
    "{{ request.application.__globals__ }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{% include 'other' %}",
    "{% import 'other' as other %}",
    "{% from 'other' import it %}",
    "{% extends 'other' %}",
    "{{ '\\ud83d' }}",
    "{{ '%c' % 0xd83d }}",
]
