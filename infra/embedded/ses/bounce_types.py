"""The kinds of bounce and complaint that SES tells apart, each with what a mail server would have said.

Source: "Contents of event data that Amazon SES publishes", bounce object and complaint object.
"""

from typing import Any, NamedTuple

__all__ = ["BOUNCES", "COMPLAINTS", "OUT_OF_OFFICE", "Bounce"]


class Bounce(NamedTuple):
    type: str
    sub_type: str
    status: str | None = None
    diagnostic: str | None = None

    def details(self) -> dict[str, Any]:
        said = {"action": "failed", "status": self.status, "diagnosticCode": self.diagnostic}
        recipient = said if self.status else {}
        return {"bounceType": self.type, "bounceSubType": self.sub_type, "recipient": recipient}


ON_A_LIST = (
    "Amazon SES did not send the message to this address because it is on the suppression list for your"
)

BOUNCES = {
    bounce.sub_type: bounce
    for bounce in (
        Bounce("Undetermined", "Undetermined"),
        Bounce("Permanent", "General", "5.1.1", "smtp; 550 5.1.1 user unknown"),
        Bounce("Permanent", "NoEmail", "5.1.1", "smtp; 550 5.1.1 no such mailbox"),
        Bounce("Permanent", "Suppressed", "5.1.1", "Amazon SES has suppressed sending to this address because it has a recent history of bouncing as an invalid address."),
        Bounce("Permanent", "OnAccountSuppressionList", "5.1.1", f"{ON_A_LIST} account."),
        Bounce("Permanent", "OnTenantSuppressionList", "5.1.1", f"{ON_A_LIST} tenant."),
        Bounce("Permanent", "EmailValidationSuppressed", "5.1.1", "Amazon SES did not send the message because the address did not pass validation."),
        Bounce("Permanent", "UnsubscribedRecipient", "5.1.1", "Amazon SES did not send the message because the recipient has unsubscribed."),
        Bounce("Transient", "MailboxFull", "4.2.2", "smtp; 452 4.2.2 mailbox full"),
        Bounce("Transient", "MessageTooLarge", "5.3.4", "smtp; 552 5.3.4 message size exceeds limit"),
        Bounce("Transient", "CustomTimeoutExceeded", "4.4.7", "smtp; 421 4.4.7 delivery time expired"),
        Bounce("Transient", "ContentRejected", "5.7.1", "smtp; 554 5.7.1 content rejected"),
        Bounce("Transient", "AttachmentRejected", "5.7.1", "smtp; 554 5.7.1 attachment rejected"),
    )
}  # fmt: skip

OUT_OF_OFFICE = Bounce("Transient", "General")

COMPLAINTS = ("abuse", "auth-failure", "fraud", "not-spam", "other", "virus")
