"""E-mail addresses: one canonical form, and the key under which an address is suppressed.

Canonical: the domain as lower-case A-labels (RFC 5891), the local part as it was written (RFC 5321
leaves its case to the receiving host). Suppression key: the canonical form, lower-cased whole.
"""

from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

__all__ = ["InvalidAddress", "canonical", "domain", "suppression_key", "validated"]


LONGEST = 320  # 64 for the local part, 255 for the domain


class InvalidAddress(ValueError):
    """The sentence says what is wrong with the address."""


def validated(address: str) -> str:
    """The canonical form of an address that mail may be sent to, judged without DNS.

    Raises:
        InvalidAddress: syntax, length (RFC 5321), or a local part that SES can't take (no SMTPUTF8).
    """
    if len(address) > LONGEST:
        raise InvalidAddress(f"The email address is longer than {LONGEST} characters.")
    return _validated(address)


@lru_cache(maxsize=10_000)
def _validated(address: str) -> str:
    try:
        found = validate_email(address, strict=True, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise InvalidAddress(str(error)) from error
    return f"{found.ascii_local_part}@{found.ascii_domain}"


def canonical(address: str) -> str:
    """The canonical form of an address that somebody else vouches for; what can't be judged stays as it is."""
    bare = address.strip()
    return _canonical(bare) if len(bare) <= LONGEST else bare


@lru_cache(maxsize=10_000)
def _canonical(address: str) -> str:
    try:
        return validated(address)
    except InvalidAddress:
        local, at, host = address.rpartition("@")
        return f"{local}{at}{_host(host)}"


def _host(host: str) -> str:
    """The domain of an address whose local part is at fault may be a good one."""
    try:
        return validated(f"x@{host}").partition("@")[2]
    except InvalidAddress:
        return host.lower()


def suppression_key(address: str) -> str:
    return canonical(address).lower()


def domain(address: str) -> str:
    """Empty for what has none."""
    _, at, host = canonical(address).rpartition("@")
    return host if at else ""
