"""What happened to one mail, for a person who looks at a run that went wrong."""

from collections.abc import Iterable

from infra.embedded import EmbeddedAws
from pipeline import ids
from pipeline.codec import Event
from pipeline.log import Record

__all__ = ["timeline"]


def timeline(aws: EmbeddedAws, log: Iterable[tuple[Record, Event]], email_id: str) -> str:
    """When SES took a mail, and when and where the log heard of it."""
    mails = [mail for mail in aws.ses.mails() if ids.from_tag(mail.tags["emailId"]) == email_id]
    lines = [f"{mail.time:%X.%f} SES took {mail.message_id}" for mail in mails]
    for record, event in log:
        if getattr(event.body, "email_id", None) == email_id:
            said = [getattr(event.body, name, "") for name in ("message_id", "reason")]
            lines.append(
                f"{record.arrival:%X.%f} {record.shard} {event.kind} of {event.time} {' '.join(map(str, said))}"
            )
    return "\n".join([email_id, *sorted(lines)])
