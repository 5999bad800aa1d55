"""Requests that nobody should send, by group: what is put, and what becomes of it.

A case's outcome is an error code, `SENT`, or `UNREADABLE` for what is no event at all. `REFUSED` is any code;
`IT_DEPENDS` stands where a template decides, as long as there is one outcome.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = [
    "BASE",
    "CASES",
    "IT_DEPENDS",
    "RAW",
    "REFUSED",
    "REFUSED_BY_THE_BUS",
    "SENT",
    "TOO_LARGE_FOR_THE_BUS",
    "UNREADABLE",
    "Case",
    "Raw",
    "envelope_text",
]

SENT, UNREADABLE, REFUSED, IT_DEPENDS = "sent", "unreadable", "refused", "sent or refused"
INVALID, EXPIRED = "INVALID_REQUEST", "REQUEST_EXPIRED"
UNKNOWN_TEMPLATE, HEADER = "TEMPLATE_NOT_FOUND", "HEADER_INVALID"

BIG = "x" * 900_000
BASE: Mapping[str, Any] = {
    "to": "ana@example.com",
    "templateName": "welcome",
    "templateData": {"userName": "Ana"},
}


class Case(NamedTuple):
    """`request` on top of `BASE`; a field that is `...` is left out. `whole` stands in the place of both."""

    name: str
    outcome: str
    request: Mapping[str, Any]
    whole: Mapping[str, Any] | None = None

    @property
    def detail(self) -> dict[str, Any]:
        if self.whole is not None:
            return dict(self.whole)
        return {name: value for name, value in {**BASE, **self.request}.items() if value is not ...}


class Raw(NamedTuple):
    """A record as bytes, put on the stream past the bus. `event_id` where it has one."""

    name: str
    outcome: str
    data: bytes
    event_id: str = ""


def deep(levels: int, inner: Any = 1) -> Any:
    for number in range(levels):
        inner = {"a": inner} if number % 2 else [inner]
    return inner


def nested(field: str, value: Any) -> dict[str, Any]:
    """`senderOverride.name` as it stands in a request."""
    outer, _, inner = field.partition(".")
    if not inner:
        return {outer: value}
    beside = {"email": "sales@shop.example"} if outer == "senderOverride" and inner != "email" else {}
    return {outer: {**beside, inner: value}}


def each(field: str, outcome: str, values: Iterable[Any]) -> list[Case]:
    return [Case(f"{field} = {_short(value)}", outcome, nested(field, value)) for value in values]


def _short(value: Any) -> str:
    return ascii(value)[:60]


def _values(*values: Any) -> tuple[Any, ...]:
    return values


# 1. Addresses.

ADDRESSES_THAT_ARE_ONE = (
    "ana+tag@example.com", "o'brien@example.com", "UPPER@EXAMPLE.COM", "x_y-z@example.com",
    "ana%other@example.com", "host!ana@example.com", "a@b.example", "0@example.com", "-@example.com",
    "{{userName}}@example.com", "$(reboot)@example.com".replace("(", "").replace(")", ""), "a" * 64 + "@example.com",
    "ana@münchen.example", "ana@ex\u0430mple.com", "ana@xn--mnchen-3ya.example", "ana@例え.example",
)  # fmt: skip
ADDRESSES_THAT_ARE_NONE = (
    "", " ", "ana", "@", "@example.com", "ana@", "ana@@example.com", "ana@localhost", "ana@example",
    "ana@example..com", ".ana@example.com", "ana.@example.com", "an..a@example.com", "ana@.example.com",
    "ana@example.com.", "ana@-shop.example", "ana@shop-.example", "ana@[127.0.0.1]", "ana@[IPv6:::1]",
    "ana@127.0.0.1", "ana @example.com", "ana@exam ple.com", "ana@example.com ben@example.com",
    "ana@example.com,ben@example.com", "ana@example.com;ben@example.com", "Ana <ana@example.com>",
    "<ana@example.com>", '"ana"@example.com', '"ana@home"@example.com', "(c)ana@example.com",
    "ana(c)@example.com", "mailto:ana@example.com", "ana@example.com?subject=x", "ana@example.com/x",
    "ana@example.com\r\nBcc: ben@example.com", "ana@example.com\n", "ana\r@example.com", "ana\0@example.com",
    "ana@exam\0ple.com", "ana\t@example.com", "\x7fana@example.com", "ana\u2028@example.com", "ana\u202e@example.com",
    "ana@example\u202e.com", "\ufeffana@example.com", "ana\u200b@example.com", "\u0430na@example.com",
    "ana\uff20example.com", "😀@example.com", "ana@😀.example", "jürgen@example.com", "ana\ud800@example.com",
    "ana@\udfff.example", "a" * 65 + "@example.com", "ana@" + "b" * 64 + ".example", "ana@" + "b." * 130 + "example",
    "ana@" + BIG, BIG + "@example.com", BIG, "ana@exa_mple.com", "ana@exam!ple.com", 'ana@example.com"><script>',
    "ana@xn--.example", "ana@xn--a\u0430.example", "ana\\@example.com", "ana@user.invalid", "ana@host.local",
)  # fmt: skip
ENCODED_WORDS = "=?utf-8?q?ana?=@example.com"

ADDRESSES = [
    *each("to", SENT, ADDRESSES_THAT_ARE_ONE),
    *each("to", INVALID, ADDRESSES_THAT_ARE_NONE),
    Case("to in encoded words", HEADER, {"to": ENCODED_WORDS}),
    *each("replyTo", INVALID, ("", "Ana <a@b.example>", "a@b.example\r\nX: y", "jürgen@b.example", BIG)),
    *each("senderOverride.email", INVALID, ("", "no", "a@b.example, c@d.example", "a@b.example\nX: y", BIG)),
    *each("unsubscribe.mailto", INVALID, ("", "no", "a@b.example?cc=c@d.example", "a@b.example\r\n", BIG)),
]

# 2. Types: each value for each field that must be of another type.

FIELDS: Mapping[str, type] = {
    "to": str, "templateName": str, "templateData": dict, "emailId": str, "subject": str, "senderOverride": dict,
    "senderOverride.email": str, "senderOverride.name": str, "replyTo": str, "metadata": dict, "priority": str,
    "unsubscribe": dict, "unsubscribe.url": str, "unsubscribe.mailto": str, "expiresAt": str,
}  # fmt: skip
VALUES: tuple[Any, ...] = (True, 0, -1.5, 10**30, 1e308, "no such thing", [], ["a"], [[]], {}, {"a": 1})
MAY_BE_NULL = {
    "emailId", "subject", "senderOverride", "senderOverride.name", "replyTo", "priority", "unsubscribe",
    "unsubscribe.url", "unsubscribe.mailto", "expiresAt",
}  # fmt: skip

TYPES = [
    case
    for field, wanted in FIELDS.items()
    for case in each(field, INVALID, [value for value in VALUES if not isinstance(value, wanted)])
] + [Case(f"{name} = null", SENT if name in MAY_BE_NULL else INVALID, nested(name, None)) for name in FIELDS]

# 3. What would break out of a header.

BREAKS = ("\r\nBcc: ben@example.com", "\n", "\r", "\0", "\u2028", "\u2029", "\x0b", "\x1f", "\x7f", "\x85")
HEADERS = [
    *[
        Case(f"{field} with {mark!a}", REFUSED, nested(field, f"One{mark}Two"))
        for field in ("subject", "senderOverride.name")
        for mark in BREAKS
    ],
    *[
        Case(f"{field} with {mark!a}", IT_DEPENDS, nested(field, f"https://shop.example/{mark}"))
        for field in ("unsubscribe.url",)
        for mark in BREAKS
    ],
    *each("subject", SENT, ("", " ", "\u202eevil", "a" * 900, "=?utf-8?q?x?=", "{{ 7*7 }}", "😀", "日本語")),
    *each("subject", IT_DEPENDS, ("\ud800", "😀" * 300, "a" * 996, "\t", "\ufeff")),
    *each("subject", INVALID, (BIG,)),
    *each("senderOverride.name", SENT, ("", '"', "Ana <boss@bank.example>", "a,b;c", "\\", "Jürgen", "=?x?q?y?=")),
    *each("senderOverride.name", IT_DEPENDS, ("\u202e", "日本語" * 60, "\ud800")),
    *each("senderOverride.name", INVALID, (BIG,)),
    *each(
        "unsubscribe.url",
        HEADER,
        (
            "javascript:alert(1)", "ftp://shop.example", "https://", "//shop.example", "/off", "https://[::1",
            "https://sho p.example", "https://shop.example/>,<mailto:x@y.example", "https://münchen.example",
            'https://shop.example/"', "https://shop.example/" + "a" * 974, "data:text/html,x", "file:///etc/passwd",
        ),
    ),
    *each("unsubscribe.url", INVALID, (BIG, "https://shop.example/" + "a" * 975)),
]  # fmt: skip

# 4. Names of templates.

TEMPLATE_NAMES = [
    *each(
        "templateName",
        INVALID,
        (
            "", " ", ".", "..", "../welcome", "../../etc/passwd", "/welcome", "welcome/", "welcome/../invoice",
            "welcome/template.html", "%2e%2e/welcome", "welcome\0", "welcome\n", "\nwelcome", "wel come", "C:\\welcome",
            "s3://bucket/welcome", "welcome?x", "welcome#x", "wélcome", "welc\u043eme", "{{7*7}}", "${jndi:ldap://x}",
            "welcome\u202e", "\ud800", "-welcome", ".hidden", "a" * 129, BIG, "welcome;ls", "wel*",
        ),
    ),
    *each("templateName", UNKNOWN_TEMPLATE, ("WELCOME", "welcome.html", "con", "a" * 128, "0", "a..b", "None")),
]  # fmt: skip

# 5. Template data.

TEMPLATE_DATA = [
    *[
        Case(f"userName = {_short(value)}", IT_DEPENDS, {"templateData": {"userName": value}})
        for value in _values(
            None, True, 0, 1e308, 10**30, [], {}, "", "\0", "\x1b[31m", "\ud800", "\udfff\ud800", "\u202eevil", "\u2028",
            "<script>alert(1)</script>", "{{ 7*7 }}", "{% for x in y %}", "{# #}", "\r\nBcc: x@y.example", "😀" * 1000,
            "{{ ''.__class__.__mro__ }}", "'; DROP TABLE mails; --", "${7*7}", "%s%n%x", deep(20), deep(90), ["x"] * 5000,
        )
    ],
    *[
        Case(f"data with the key {_short(key)}", SENT, {"templateData": {"userName": "Ana", key: "x"}})
        for key in (
            "", " ", "\0", "\n", "a.b", "a b", "{{", "self", "context", "environment", "caller", "loop", "__class__",
            "__proto__", "super", "varargs", "true", "None", "import", "😀", "\ud800", "user_name", "k" * 1000,
        )
    ],
    Case("data shadows a function", IT_DEPENDS, {"templateData": {"userName": "Ana", "range": 1, "dict": "x"}}),
    Case("data is 900 KB, unused", SENT, {"templateData": {"userName": "Ana", "unused": BIG}}),
    Case("an event of nearly 1 MB", SENT, {"templateData": {"userName": "Ana", "unused": "x" * 1_048_000}}),
    Case("data is 900 KB, used", IT_DEPENDS, {"templateData": {"userName": BIG}}),
    Case("data has 20,000 keys", SENT, {"templateData": {"userName": "Ana"} | {f"k{n}": n for n in range(20_000)}}),
    Case("data has a key of 900 KB", SENT, {"templateData": {"userName": "Ana", BIG: 1}}),
    *[
        Case(f"data {levels} levels deep", INVALID, {"templateData": {"userName": "Ana", "x": deep(levels)}})
        for levels in (101, 200, 400)
    ],
    Case("data is missing", "TEMPLATE_VARIABLE_MISSING", {"templateData": {}}),
]  # fmt: skip

# 6. Metadata.

METADATA = [
    *[
        Case(f"metadata with the key {_short(key)}", SENT, {"metadata": {key: "x"}})
        for key in ("", " ", "\0", "\n", "a.b", "#a", ":a", "status", "😀", "\ud800", "k" * 2000)
    ],
    *[
        Case(f"metadata with {_short(value)}", SENT, {"metadata": {"a": value}})
        for value in _values(
            None, True, 0, -0.0, 10**30, 10**50, 1e308, 1e-300, 0.1, "", "\0", "\ud800", "\u202e", [], {}, [None, [], {}],
            deep(30), deep(33), deep(90), "x" * 8000,
        )
    ],
    *each("metadata", INVALID, ({"a": "x" * 8192}, {"a": BIG}, {BIG: "a"}, {"a": "é" * 4100}, {str(n): n for n in range(2000)})),
    Case("metadata 150 levels deep", INVALID, {"metadata": {"a": deep(150)}}),
]  # fmt: skip

# 7. Ids, times, priorities.

OTHERS = [
    *each(
        "emailId",
        SENT,
        (
            "a/b", "../..", "a#b", "a b", " a ", "\u202ea", "😀", "日本語", "{{7*7}}", "a\nb", "a\0b", "a\u2028b", "ä" * 95,
            "retry-00000000-0000-0000-0000-000000000000", "email-x", "a\ud800b", "=?utf-8?q?a?=", "%00", "'; --", "-",
        ),
    ),
    *each("emailId", INVALID, ("", " ", "\n", "\u3000", "a" * 191, "ä" * 96, BIG)),
    *each("expiresAt", EXPIRED, ("1970-01-01T00:00:00Z", "2020-02-29T23:59:59+01:00", "0001-01-01T00:00:00Z")),
    *each("expiresAt", SENT, ("9999-12-31T23:59:59Z", "2999-01-01T00:00:00.123456+05:30")),
    *each(
        "expiresAt",
        INVALID,
        (
            "", "tomorrow", "2026-13-01T00:00:00Z", "10000-01-01T00:00:00Z", "2999-02-30T00:00:00Z", "1e9", "NaN", BIG,
            "2999-01-01T00:00:00+99:00", "0001-01-01T00:00:00+14:00", "2999-01-01T25:00:00Z", "\0", "--", "P1D",
        ),
    ),
    *each("priority", INVALID, ("", "BULK", "high", "bulk ", "\0", BIG)),
    *each("priority", SENT, ("bulk", "transactional")),
]  # fmt: skip

# 8. Fields that are none.

NO_FIELDS = [
    *[
        Case(f"'{name[:40]}' is no field", INVALID, {name: "ben@example.com"})
        for name in (
            "cc", "CC", "Cc", "bcc", "BCC", "b-cc", "attachments", "Attachments", "attachment", "TO", "To", "template_name",
            "templatename", "TemplateName", "template-name", "TEMPLATE_DATA", "templatedata", "email_id", "EmailId", "Subject",
            "reply_to", "replyto", "Reply-To", "sender_override", "SenderOverride", "meta_data", "METADATA", "Priority",
            "un_subscribe", "expires_at", "expiresat",
        )
    ],
    *[
        Case(f"'{name[:40]}' is unknown", SENT, {name: "x"})
        for name in (
            "", " ", "from", "body", "html", "ccc", "toEmail", "template", "__proto__", "\0", "😀", "\ud800", "a.b", "x" * 1000,
            BIG,
        )
    ],
    Case("1,000 misspellings of one field", INVALID, {"-" * n + "to": "x" for n in range(1, 1000)}),
    Case("500 unknown fields", SENT, {f"field{number}": number for number in range(500)}),
    Case("misspelt inside senderOverride", INVALID, {"senderOverride": {"Email": "a@b.example"}}),
    Case("misspelt beside it", INVALID, {"senderOverride": {"email": "a@b.example", "NAME": "x"}}),
    Case("misspelt inside unsubscribe", INVALID, {"unsubscribe": {"URL": "https://shop.example"}}),
    Case("no field at all", INVALID, {}, {}),
    Case("only unknown fields", INVALID, {}, {"a": 1, "b": [2]}),
    Case("only a recipient", INVALID, {}, {"to": "ana@example.com"}),
    Case("a request in a request", INVALID, {}, {"detail": dict(BASE)}),
    Case("every field null", INVALID, {}, dict.fromkeys(name for name in FIELDS if "." not in name)),
    Case("every field wrong", INVALID, {}, {name: 7 for name in FIELDS if "." not in name}),
    Case("every field huge", INVALID, {}, {name: "x" * 70_000 for name in FIELDS if "." not in name}),
]  # fmt: skip

CASES: Mapping[str, Sequence[Case]] = {
    "addresses": ADDRESSES,
    "types": TYPES,
    "headers": HEADERS,
    "template names": TEMPLATE_NAMES,
    "template data": TEMPLATE_DATA,
    "metadata": METADATA,
    "others": OTHERS,
    "no fields": NO_FIELDS,
}


# 9. What the bus refuses, and the code with which it does.

REFUSED_BY_THE_BUS: Mapping[str, str] = {
    "": "InvalidArgument",
    **dict.fromkeys(("{", "<mail/>", "to=ana@example.com", '{"to":}', "{'to': 'x'}"), "MalformedDetail"),
}
TOO_LARGE_FOR_THE_BUS = '{"x":"' + "x" * 1024 * 1024 + '"}'


# 10. Records, past the bus.


def envelope_text(event_id: str, request: str, **other: str) -> str:
    fields = {
        "version": '"0"',
        "id": f'"{event_id}"',
        "detail-type": '"Email Request"',
        "source": '"my.application"',
        "account": '"123456789012"',
        "time": '"2999-01-01T00:00:00Z"',
        "region": '"us-east-1"',
        "resources": "[]",
        "detail": request,
    } | {name.replace("_", "-"): value for name, value in other.items()}
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields.items() if value) + "}"


GOOD = '{"to":"ana@example.com","templateName":"welcome","templateData":{"userName":"Ana"}}'


def _raws() -> Iterator[Raw]:
    for number, (outcome, name, detail) in enumerate(_DETAILS):
        yield Raw(name, outcome, envelope_text(f"raw-{number}", detail).encode(), f"raw-{number}")
    for number, (outcome, name, fields) in enumerate(_ENVELOPES):
        yield Raw(name, outcome, envelope_text(f"env-{number}", GOOD, **fields).encode(), f"env-{number}")
    for name, data in _BYTES.items():
        yield Raw(name, UNREADABLE, data)


_SPREAD = '{"to":"ana@example.com","templateName":"welcome","templateData":{"userName":"Ana","x":%s}}'
_DETAILS = (
    (SENT, "duplicate keys, the last one counts", GOOD[:-1] + ',"to":"ben@example.com"}'),
    (INVALID, "duplicate keys, the last one is none", GOOD[:-1] + ',"to":"ben"}'),
    (SENT, "an integer of 5,000 digits", _SPREAD % ("9" * 5000)),
    (SENT, "a number beyond floats", _SPREAD % "1e999999"),
    (SENT, "minus zero", _SPREAD % "-0"),
    (SENT, "half a surrogate pair", _SPREAD % r'"\ud800"'),
    (SENT, "NUL written as an escape", _SPREAD % r'"\u0000"'),
    (SENT, "a detail as text", '"' + GOOD.replace('"', '\\"') + '"'),
    (INVALID, "1,000 levels deep", _SPREAD % ("[" * 1000 + "]" * 1000)),
    (INVALID, "400,000 levels deep", _SPREAD % ("[" * 400_000 + "]" * 400_000)),
    (INVALID, "100,000 objects deep", _SPREAD % ('{"a":' * 100_000 + "1" + "}" * 100_000)),
    (UNREADABLE, "deep, as text", '"' + (_SPREAD % ("[" * 500 + "]" * 500)).replace('"', '\\"') + '"'),
    (SENT, "brackets inside a text", _SPREAD % ('"' + "[{" * 500 + '"')),
    (INVALID, "deep recipient", '{"to":' + "[" * 300 + "]" * 300 + ',"templateName":"welcome"}'),
    (UNREADABLE, "NaN", _SPREAD % "NaN"),
    (UNREADABLE, "Infinity", _SPREAD % "-Infinity"),
    (UNREADABLE, "a comment", _SPREAD % "1 /* one */"),
    (UNREADABLE, "a raw line break in a text", _SPREAD % '"a\nb"'),
    (UNREADABLE, "an unfinished text", _SPREAD % '"a'),
    (UNREADABLE, "a list for a detail", "[1]"),
    (UNREADABLE, "a number for a detail", "7"),
    (UNREADABLE, "null for a detail", "null"),
    (UNREADABLE, "text for a detail", '"hello"'),
)
_ENVELOPES: tuple[tuple[str, str, dict[str, str]], ...] = (
    (UNREADABLE, "without a detail", {"detail": ""}),
    (UNREADABLE, "without an id", {"id": ""}),
    (UNREADABLE, "an empty id", {"id": '""'}),
    (UNREADABLE, "a number for an id", {"id": "7"}),
    (UNREADABLE, "an id of 900 KB", {"id": f'"{BIG}"'}),
    (UNREADABLE, "without a source", {"source": ""}),
    (UNREADABLE, "a list for a source", {"source": "[]"}),
    (INVALID, "a source of 900 KB", {"source": f'"{BIG}"'}),
    (UNREADABLE, "without a time", {"time": ""}),
    (UNREADABLE, "a time that is none", {"time": '"yesterday"'}),
    (UNREADABLE, "a time beyond time", {"time": "1e300"}),
    (UNREADABLE, "a year of five digits", {"time": '"10000-01-01T00:00:00Z"'}),
    (EXPIRED, "a time of long ago", {"time": '"1970-01-01T00:00:00Z"'}),
    (SENT, "a time in the far future", {"time": '"9999-12-31T23:59:59Z"'}),
    (SENT, "an unknown field of the envelope", {"more": '{"a":[]}'}),
)
_BYTES = {
    "nothing but a blank": b" ",
    "UTF-16": GOOD.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + envelope_text("bom", GOOD).encode(),
    "bytes that are no UTF-8": envelope_text("latin", GOOD.replace("Ana", "An\xe9")).encode("latin-1"),
    "an overlong NUL": envelope_text("overlong", GOOD).encode().replace(b"Ana", b"\xc0\x80"),
    "a surrogate in UTF-8": envelope_text("cesu", GOOD).encode().replace(b"Ana", b"\xed\xa0\x80"),
    "NULs": b"\0" * 1000,
    "a list": b"[]",
    "a number": b"7",
    "text": b'"hello"',
    "null": b"null",
    "an empty object": b"{}",
    "half an envelope": envelope_text("half", GOOD).encode()[:-20],
    "two envelopes": 2 * envelope_text("two", GOOD).encode(),
    "1 MB of brackets": b"[" * 1_000_000,
    "1 MB of noise": bytes(range(256)) * 4000,
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
}
RAW: Sequence[Raw] = tuple(_raws())
