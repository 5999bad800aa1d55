"""Who may send: every identity, or the addresses and domains that are listed as verified."""

from infra.embedded.ses.errors import SesError
from infra.embedded.ses.mail import Mail, bare

__all__ = ["Identities"]


class Identities:
    def __init__(self, verified: tuple[str, ...] | None) -> None:
        self._verified = None if verified is None else {identity.lower() for identity in verified}

    def check(self, mail: Mail) -> None:
        """A listed domain verifies its subdomains too. Raises `MessageRejected` for all others."""
        address = bare(mail.source)
        if self._verified is not None and self._verified.isdisjoint(_identities(address.lower())):
            raise SesError(
                "MessageRejected",
                "Email address is not verified. The following identities failed the check in region "
                f"{mail.region.upper()}: {address}",
            )


def _identities(address: str) -> set[str]:
    labels = address.rpartition("@")[2].split(".")
    return {address, *(".".join(labels[start:]) for start in range(len(labels)))}
