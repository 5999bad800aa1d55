"""What becomes a header: one line of ASCII that says what was written, in whatever script."""

# ruff: noqa: RUF001  letters of one script look like those of another

import re
from email import message_from_string
from email.header import decode_header, make_header
from email.policy import default
from email.utils import parseaddr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumers.headers import LONGEST, address, encoded, list_unsubscribe, mailbox, one_line

BARE = "hello@acme.example"
NAMES = {
    "Latin": "Zoë Größe & Søn, Łódź",
    "Greek": "Αθήνα Παπαδοπούλου",
    "Cyrillic": "Анна Кузнецова",
    "Hebrew": "מרים כהן",
    "Arabic": "فاطمة الزهراء",
    "Devanagari": "अनन्या शर्मा",
    "Thai": "สมชาย ใจดี",
    "Chinese": "北京市朝阳区客户服务",
    "Japanese": "お客様サポート　東京",
    "Korean": "서울특별시 고객센터",
    "emoji": "Party 🎉👩‍👩‍👧 Team",
    "mathematical": "𝔄𝔠𝔪𝔢 𝔎𝔬𝔯𝔭",
    "combining": "A\u0301 e\u0308 \u0323o",
    "joined": "نامه\u200cها",
    "marked left to right": "Acme \u200eשלום\u200e Ltd",
}
CONTROLS = [*map(chr, range(32)), "\x7f", "\x85", "\x9b", "\u2028", "\u2029", "\ud800", "\udfff"]
LETTERS = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])


def decoded(words: str) -> str:
    """As a mail program reads it."""
    return str(make_header(decode_header(words)))


def name_and_address(sender: str) -> tuple[str, str]:
    """As a mail program reads them."""
    name, bare = parseaddr(sender)
    return decoded(name), bare


# ── Encoded words ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", NAMES.values(), ids=NAMES)
def test_any_script_comes_back_from_a_subject(text: str) -> None:
    assert decoded(encoded(text, "the subject")) == text


@pytest.mark.parametrize("text", NAMES.values(), ids=NAMES)
def test_any_script_comes_back_from_a_senders_name(text: str) -> None:
    assert name_and_address(mailbox(text, BARE)) == (text, BARE)


@pytest.mark.parametrize("text", NAMES.values(), ids=NAMES)
def test_a_whole_from_header_is_one_mailbox(text: str) -> None:
    (found,) = message_from_string(f"From: {mailbox(text, BARE)}\n\n", policy=default)["From"].addresses
    assert (found.display_name, found.addr_spec) == (text, BARE)


@given(st.text(LETTERS, max_size=80).map(str.strip))
@example("=?utf-8?q?Hello?=")
@example("Hello =?utf-8?b?SGVsbG8=?= there")
@example("ä" * 40 + " " + "ö" * 39)
def test_any_text_comes_back_from_encoded_words(text: str) -> None:
    words = encoded(text, "the subject")
    assert decoded(words) == text
    assert words.isascii()
    assert words.isprintable()


@given(st.text(LETTERS, min_size=1, max_size=60).map(str.strip).filter(bool))
@example('"Quoted" \\ back, <slash>')
@example("=?utf-8?q?Boss?= <boss@acme.example>,")
def test_any_name_is_one_name_of_one_address(name: str) -> None:
    sender = mailbox(name, BARE)
    assert sender.isascii()
    assert name_and_address(sender) == (name, BARE)


@pytest.mark.parametrize("letter", ["ä", "漢", "😀"])
def test_each_encoded_word_has_at_most_75_characters(letter: str) -> None:
    text = letter * 60
    words = encoded(text, "the subject").split(" ")
    assert len(words) > 1
    assert all(re.fullmatch(r"=\?utf-8\?[bq]\?[^ ?]+\?=", word) and len(word) <= 75 for word in words)
    assert decoded(" ".join(words)) == text


def test_ascii_stays_as_it_is() -> None:
    assert (
        encoded("Your order #42 (50% off!) = yours?", "the subject") == "Your order #42 (50% off!) = yours?"
    )


@pytest.mark.parametrize("text", ["=?utf-8?q?Hello?=", "=?iso-8859-1?b?SGk=?= you", "a=?b"])
def test_what_looks_like_an_encoded_word_is_shown_as_it_is_written(text: str) -> None:
    assert encoded(text, "the subject") != text
    assert decoded(encoded(text, "the subject")) == text


@pytest.mark.parametrize("text", ["x" * LONGEST, "ä" * 250])
def test_a_long_text_is_taken(text: str) -> None:
    assert decoded(encoded(text, "the subject")) == text


@pytest.mark.parametrize("text", ["x" * (LONGEST + 1), "ä" * 900, "😀" * 1_000_000, "x" * 10_000_000])
def test_a_text_that_no_header_holds_is_refused_at_once(text: str) -> None:
    with pytest.raises(ValueError, match="the subject is too long for a header"):
        encoded(text, "the subject")


@pytest.mark.parametrize("name", ["ä" * 290, "x" * (LONGEST - 10)])
def test_a_name_that_leaves_no_room_for_its_address_is_refused(name: str) -> None:
    assert encoded(name, "the name")
    with pytest.raises(ValueError, match="the sender is too long for a header"):
        mailbox(name, f"{'a' * 60}@{'b' * 60}.example")


def test_a_sender_without_a_name_is_its_address() -> None:
    assert mailbox("", BARE) == mailbox("  ", BARE) == BARE


# ── One line ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mark", CONTROLS, ids=ascii)
def test_a_control_character_within_is_refused(mark: str) -> None:
    for check in (encoded, one_line, lambda text, _: mailbox(text, BARE)):
        with pytest.raises(
            ValueError, match="must be one line without line breaks or other control characters"
        ):
            check(f"Hello{mark}Bcc: all@acme.example", "the subject")


@pytest.mark.parametrize("space", [" ", "\n", "\r\n", "\t", "\u2028", "\u00a0"], ids=ascii)
def test_space_around_is_left_out(space: str) -> None:
    assert one_line(f"{space}Hello{space}", "the subject") == "Hello"


# ── Addresses ─────────────────────────────────────────────────────────────────────────────────────────────


def test_an_address_is_canonical() -> None:
    assert address("Ana+x@BÜCHER.example", "the address") == "Ana+x@xn--bcher-kva.example"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "ana",
        "ana@",
        "@acme.example",
        "ana@acme.example, bo@acme.example",
        "ana@acme.example;bo@acme.example",
        "Ana <ana@acme.example>",
        "ana@acme.example\r\nBcc: all@acme.example",
        "ana@acme.example\0",
        "ana\u2028@acme.example",
        "ana@acme.example\u202e",
        '"ana\n"@acme.example',
        "ana@[127.0.0.1]",
        "=?utf-8?q?ana=40elsewhere.example=3e=20?=@acme.example",
        "a=?b@acme.example",
        "a" * 400 + "@acme.example",
    ],
    ids=ascii,
)
def test_what_is_not_one_plain_address_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="the reply address"):
        address(value, "the reply address")


# ── List-Unsubscribe ──────────────────────────────────────────────────────────────────────────────────────

ONE_CLICK = {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


@pytest.mark.parametrize(
    ("url", "mailto", "headers"),
    [
        ("", "", {}),
        (
            "https://a.example/u?t=1&k=2",
            "",
            {"List-Unsubscribe": "<https://a.example/u?t=1&k=2>"} | ONE_CLICK,
        ),
        ("HTTPS://A.example/u", "", {"List-Unsubscribe": "<HTTPS://A.example/u>"} | ONE_CLICK),
        ("http://a.example/u", "", {"List-Unsubscribe": "<http://a.example/u>"}),
        ("", "off@a.example", {"List-Unsubscribe": "<mailto:off@a.example>"}),
        ("", "mailto:off@a.example", {"List-Unsubscribe": "<mailto:off@a.example>"}),
        ("", "off+t=1@a.example", {"List-Unsubscribe": "<mailto:off+t%3D1@a.example>"}),
        ("", "off?cc=boss@a.example", {"List-Unsubscribe": "<mailto:off%3Fcc%3Dboss@a.example>"}),
        ("", "off&b%20#c/d@a.example", {"List-Unsubscribe": "<mailto:off%26b%2520%23c%2Fd@a.example>"}),
        (
            "https://a.example/u",
            "off@a.example",
            {"List-Unsubscribe": "<https://a.example/u>, <mailto:off@a.example>"} | ONE_CLICK,
        ),
        (
            "http://a.example/u",
            "off@a.example",
            {"List-Unsubscribe": "<http://a.example/u>, <mailto:off@a.example>"},
        ),
    ],
)
def test_the_ways_to_unsubscribe(url: str, mailto: str, headers: dict[str, str]) -> None:
    assert list_unsubscribe(url, mailto) == headers


@pytest.mark.parametrize(
    "url",
    [
        "a.example/u",
        "//a.example/u",
        "ftp://a.example/u",
        "javascript:alert(1)",
        "mailto:off@a.example",
        "https:",
        "https://",
        "https:///u",
        "https://[::1",
        "https://a.example/u>, <https://b.example",
        "https://a.example/u\r\nBcc: all@a.example",
        "https://a.example/u\nX: y",
        "https://a.example/\0",
        "https://a.example/\t",
        "https://a.example/a b",
        "https://a.example/ä",
        "https://bücher.example/u",
        "https://a.example/\u202egpj",
        "https://a.example/\u2028x",
        'https://a.example/"x',
        "https://a.example/" + "x" * LONGEST,
    ],
    ids=lambda url: ascii(url)[:40],
)
def test_what_is_no_web_address_for_a_header_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"the unsubscribe (url|link)"):
        list_unsubscribe(url, "")


@pytest.mark.parametrize(
    "mailto", ["off", "a@b.example,c@d.example", "off@a.example\nX: y", "off@a.example>"]
)
def test_what_is_no_address_to_unsubscribe_at_is_refused(mailto: str) -> None:
    with pytest.raises(ValueError, match="the unsubscribe address"):
        list_unsubscribe("", mailto)
