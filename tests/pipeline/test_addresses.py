import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.addresses import InvalidAddress, canonical, domain, suppression_key, validated
from tests.pipeline.laws import law

addresses = (
    st.emails()
    | st.text()
    | st.builds("{}@{}".format, st.text(), st.text())
    | st.builds(
        "{}@{}".format,
        st.text("aZ.+ßé\"' "),
        st.text("aZ.-ßüİ\N{KELVIN SIGN}\N{FULLWIDTH LATIN CAPITAL LETTER A}\N{IDEOGRAPHIC FULL STOP} "),
    )
    | st.builds("{}@{}.example".format, st.text("aZ.+", min_size=1), st.text("aZ-üß", min_size=1))
)


@pytest.mark.parametrize(
    ("given_", "form"),
    [
        ("ana@customer.example", "ana@customer.example"),
        ("Ana.B@Customer.EXAMPLE", "Ana.B@customer.example"),
        ("ana+news@customer.example", "ana+news@customer.example"),
        ("ana@bücher.example", "ana@xn--bcher-kva.example"),
        ("ana@BÜCHER.example", "ana@xn--bcher-kva.example"),
        ("ana@xn--bcher-kva.example", "ana@xn--bcher-kva.example"),
        (
            "ana@\N{FULLWIDTH LATIN SMALL LETTER C}ustomer\N{IDEOGRAPHIC FULL STOP}example",
            "ana@customer.example",
        ),
        ("o'neil/x=1@customer.example", "o'neil/x=1@customer.example"),
        ("bounce+soft@simulator.amazonses.com", "bounce+soft@simulator.amazonses.com"),
    ],
)
def test_the_domain_is_in_lower_case_a_labels_and_the_local_part_as_written(given_: str, form: str) -> None:
    assert validated(given_) == form


@pytest.mark.parametrize(
    "bad",
    ["", "ana", "@", "ana@", "@b.example", "ana@b", "ana@localhost", "ana@-b.example", "ana@b..example",
     ".ana@b.example", "ana.@b.example", "a na@b.example", " ana@b.example", "ana@b.example ", "ana@[192.0.2.1]",
     "josé@b.example", "Ana <ana@b.example>", '"ana b"@b.example', "ana@b.example\n", "ana@b.test",
     "x" * 65 + "@b.example", "ana@" + "b" * 64 + ".example", "ana@" + "b." * 130 + "example", "x" * 1_000_000],
)  # fmt: skip
def test_an_address_that_mail_cannot_be_sent_to_is_invalid(bad: str) -> None:
    with pytest.raises(InvalidAddress):
        validated(bad)


def test_an_invalid_address_is_explained_in_a_sentence() -> None:
    with pytest.raises(InvalidAddress, match=r"^The part after the @-sign .*\.$"):
        validated("ana@localhost")


@pytest.mark.parametrize(
    ("vouched", "form"),
    [
        (" ana@Customer.example\t", "ana@customer.example"),
        ('"Ana B"@Customer.example', '"Ana B"@customer.example'),
        ("josé@BÜCHER.example", "josé@xn--bcher-kva.example"),
        ("Ana@B.Test", "Ana@b.test"),
        ("Ana@[192.0.2.1]", "Ana@[192.0.2.1]"),
        ("Ana", "ana"),
        ("", ""),
    ],
)
def test_what_somebody_else_vouches_for_is_kept_with_the_best_domain_there_is(
    vouched: str, form: str
) -> None:
    assert canonical(vouched) == form


@law
@given(addresses)
def test_a_valid_address_is_its_own_canonical_form(address: str) -> None:
    try:
        valid = validated(address)
    except InvalidAddress:
        assume(False)
    assert (validated(valid), canonical(valid), canonical(address)) == (valid, valid, valid)


@law
@given(addresses)
def test_the_canonical_form_of_a_canonical_form_is_itself(address: str) -> None:
    assert canonical(canonical(address)) == canonical(address)


@law
@given(addresses)
def test_an_address_and_its_canonical_form_have_one_suppression_key(address: str) -> None:
    assert suppression_key(canonical(address)) == suppression_key(address)


@law
@given(addresses)
def test_the_key_of_a_key_is_itself(address: str) -> None:
    assert suppression_key(suppression_key(address)) == suppression_key(address)


def test_a_suppression_key_is_in_lower_case_whole() -> None:
    assert suppression_key("Ana.B@BÜCHER.example") == "ana.b@xn--bcher-kva.example"


def test_an_ascii_address_has_the_key_that_the_guide_tells_users_to_look_up() -> None:
    email = "Ana.B@Customer.Example"
    assert suppression_key(email) == email.lower()


def test_what_is_far_too_long_is_left_as_it_is() -> None:
    long = "X" * 1_000_000 + "@B.example"
    assert canonical(long) == long


@pytest.mark.parametrize(
    ("address", "host"),
    [("ana@Customer.example", "customer.example"), ('"a@b"@c.example', "c.example"), ("ana", ""), ("", "")],
)
def test_the_domain_is_what_stands_behind_the_last_at(address: str, host: str) -> None:
    assert domain(address) == host
