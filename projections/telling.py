"""A mail's story in words: the timeline of its facts, and why it has the status it has. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pipeline import times
from projections.rows import failure_of
from projections.tracking import Mail

__all__ = ["Moment", "timeline", "told_as_of", "why"]

Says = Mapping[str, Any]


class Moment(NamedTuple):
    """One fact of a mail, when it happened first, in words."""

    time: str
    fact: str
    words: str


def _bounce(kind: str) -> Callable[[Says], str]:
    def words(says: Says) -> str:
        diagnostic = says.get("diagnosticCode")
        told = f'; the receiving server said "{diagnostic}"' if diagnostic else ""
        return f"{kind}: {says.get('bounceType')}, {says.get('bounceSubType')}{told}"

    return words


def _plain(text: str) -> Callable[[Says], str]:
    return lambda _: text


_WORDS: Mapping[str, Callable[[Says], str]] = {
    "sent": lambda says: f"handed to SES, which calls it {says.get('sesMessageId')}",
    "failed": lambda says: f"not sent ({says.get('errorCode')}): {says.get('errorMessage')}",
    "accepted": _plain("SES confirmed that it has taken the mail"),
    "delivered": _plain("the recipient's mail server took the mail"),
    "opened": _plain("opened by the recipient"),
    "machine_opened": _plain("opened by a machine, which says nothing of the recipient"),
    "clicked": lambda says: f"a link was clicked: {says.get('link')}",
    "bounced": _bounce("bounced for good"),
    "soft_bounced": _bounce("bounced softly, to be tried once more"),
    "retry_exhausted": _bounce("bounced softly at the retry, which was the last"),
    "retry_not_needed": lambda says: f"no second attempt: {says.get('reason')}",
    "complained": lambda says: f"reported as spam ({says.get('complaintFeedbackType') or 'no type given'})",
    "not_spam": _plain("reported not to be spam"),
    "rejected": lambda says: f"SES rejected the mail: {says.get('reason')}",
    "rendering_failed": lambda says: f"SES could not render the mail: {says.get('errorMessage')}",
    "delayed": lambda says: f"delivery is delayed: {says.get('delayType')}",
    "subscription": _plain("the recipient changed a subscription"),
}


def timeline(mails: Sequence[Mail]) -> list[Moment]:
    """The first of each kind of fact, in the order of time; of a retry, too."""
    return sorted(moment for mail in mails for moment in _moments(mail))


def _moments(mail: Mail) -> Iterator[Moment]:
    retry = "retry: " if _attempt(mail) else ""
    for slot, (first, last) in mail.slots.items():
        words = _WORDS.get(slot, _plain(slot.replace("_", " ")))(first.says)
        again = f" (last at {last})" if last != first.time else ""
        yield Moment(first.time, slot, f"{retry}{words}{again}")


def _attempt(mail: Mail) -> int:
    return max((int(slot.first.says.get("retryAttempt", 0)) for slot in mail.slots.values()), default=0)


def why(mail: Mail, retry: Mail | None, suppression: Mapping[str, Any] | None) -> Iterator[str]:
    """Sentences that lead from the request to the status. `suppression` is the recipient's row, today's or then's."""
    outcome = mail.outcome
    if outcome is None:
        yield "Only SES speaks of this mail so far; the fact that it was sent is still on its way."
    else:
        says = outcome.says
        yield (
            f"{says.get('originalSource') or 'Somebody'} asked for template {says.get('templateName') or '(none)'}"
            f" to {says.get('toEmail') or '(no address)'}."
        )
    for moment in _moments(mail):
        yield f"{moment.time}: {moment.words}."
    yield f"So its status is {mail.status}{_because(mail)}."
    if suppression:
        cause = f" by {suppression['emailId']}" if suppression.get("emailId") else ""
        yield (
            f"The recipient is suppressed since {suppression['addedToSuppressionDate']}: "
            f"{suppression['reason']}{cause}."
        )
    if retry is not None:
        yield f"It was tried again as {retry.email_id}, whose status is {retry.status or 'not known yet'}."


def told_as_of(moment: datetime) -> str:
    return f"That is what was known at {times.text(moment)}, by what had arrived in the log."


def _because(mail: Mail) -> str:
    code = failure_of(mail).get("errorCode") if mail.status == "failed" else None
    others = sorted(set(mail.slots) & {"bounced", "complained"}) if mail.status != "bounced" else []
    told = [f"({code})"] if code else []
    told += [f"although it has also {slot}" for slot in others]
    return "".join(f" {each}" for each in told)
