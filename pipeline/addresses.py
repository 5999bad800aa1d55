"""E-mail addresses: one canonical form, and the key under which an address is suppressed.

Canonical: the domain as lower-case A-labels (RFC 5891), the local part as it was written (RFC 5321
leaves its case to the receiving host). Suppression key: the canonical form, lower-cased whole.
"""

from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

__all__ = ["InvalidAddress", "canonical", "domain", "suppression_key", "validated"]


class InvalidAddress(ValueError):
    """The sentence says what is wrong with the address."""


@lru_cache(maxsize=10_000)
def validated(address: str) -> str:
    """The canonical form of an address that mail may be sent to, judged without DNS.

    Raises:
        InvalidAddress: syntax, length (RFC 5321), or a local part that SES can't take (no SMTPUTF8).
    """
    try:
        found = validate_email(address, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise InvalidAddress(str(error)) from error
    return f"{found.ascii_local_part}@{found.ascii_domain}"


@lru_cache(maxsize=10_000)
def canonical(address: str) -> str:
    """The canonical form of an address that somebody else vouches for; what can't be judged stays as it is."""
    try:
        return validated(address)
    except InvalidAddress:
        local, at, host = address.strip().rpartition("@")
        return f"{local}{at}{host.lower()}"


def suppression_key(address: str) -> str:
    return canonical(address).lower()


def domain(address: str) -> str:
    return canonical(address).rpartition("@")[2]
