"""What must stand after a history, told slowly: sort the distinct events by time and apply the rules.

Shares no code with the folds, nor with the codec: it reads the JSON of the records itself. Only ids are
the engine's, since they break ties.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pipeline import ids

Json = dict[str, Any]

NEEDLESS = "Retry Not Needed"

HIGHEST_FIRST = ["opened", "delivered", "bounced", "complained", "soft_bounced", "failed", "sent"]


@dataclass(frozen=True)
class Told:
    """One event. `attempt` and `email_id` are what it says of the mail it belongs to."""

    id: str
    time: str
    kind: str
    detail: Json
    email_id: str | None = None
    attempt: int = 0
    own: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What must stand: rows without the fold's own `facts`, and what must have been done."""

    rows: dict[str, Json]
    suppressed: dict[str, tuple[str, str, str, str | None]]
    announced: set[tuple[str, str]]
    retried: set[str]


def outcome(records: Iterable[bytes], notify: Collection[str], retention: timedelta) -> Outcome:
    history = distinct(records)
    mails = {told.email_id: told.email_id for told in history if told.email_id and fact_of(told)}
    of_mail = {key: [told for told in history if told.email_id == key and fact_of(told)] for key in mails}
    announced = {(key, status) for key, told in of_mail.items() for status in announcements(told, notify)}
    retried = {key for key, told in of_mail.items() if wants_retry(told)}
    done = {key: {status for mail, status in announced if mail == key} for key in of_mail}
    for key in retried:
        done[key].add("retry")
    rows = {key: row(key, told, done[key], retention) for key, told in of_mail.items()}
    return Outcome(rows, suppressions(history), announced, retried)


# Reading


def distinct(records: Iterable[bytes]) -> list[Told]:
    found = {told.id: told for told in map(read, records)}
    return sorted(found.values(), key=lambda told: (told.time, told.id))


def read(record: bytes) -> Told:
    told = json.loads(record)
    detail = told["detail"]
    if told["source"] == "sesmailengine":
        name = {"Mail Sent": "emailId", "Mail Failed": "emailId", NEEDLESS: "originalEmailId"}
        email_id = detail.get(name.get(told["detail-type"], ""))
        return Told(
            told["id"], told["time"], told["detail-type"], detail, email_id, detail.get("retryAttempt", 0)
        )
    mail, kind = detail["mail"], detail["eventType"]
    key = {"Rendering Failure": "failure", "DeliveryDelay": "deliveryDelay"}.get(kind, kind.lower())
    own = detail.get(key, {})
    return Told(
        ids.content_id(detail),
        own.get("timestamp") or mail["timestamp"],
        kind,
        detail,
        tag(mail, "emailId"),
        int((mail["tags"].get("retryAttempt") or ["0"])[0]),
        own,
    )


def tag(mail: Json, name: str) -> str | None:
    return ids.from_tag(mail["tags"][name][0]) if name in mail["tags"] else None


# Status


def fact_of(told: Told) -> tuple[str, str | None] | None:
    """How the row calls the fact, and the status it stands for."""
    attempt_word = ("retryExhausted", "failed") if told.attempt else ("softBounced", "soft_bounced")
    if told.kind == "Bounce":
        return ("bounced", "bounced") if told.own["bounceType"] == "Permanent" else attempt_word
    if told.kind == "Complaint":
        innocent = told.own["complaintFeedbackType"] == "not-spam"
        return ("notSpam", None) if innocent else ("complained", "complained")
    if told.kind == "Open":
        return ("machineOpened", None) if told.own.get("isBotEvent") == "Likely" else ("opened", "opened")
    plain = {
        "Mail Sent": ("sent", "sent"),
        "Send": ("accepted", "sent"),
        "Mail Failed": ("failed", "failed"),
        "Reject": ("rejected", "failed"),
        "Rendering Failure": ("renderingFailed", "failed"),
        "Delivery": ("delivered", "delivered"),
        "Click": ("clicked", None),
        "DeliveryDelay": ("delayed", None),
        "Subscription": ("subscription", None),
        NEEDLESS: ("retryNotNeeded", None),
    }
    return plain.get(told.kind)


def statuses(history: list[Told]) -> set[str]:
    found = {fact[1] for fact in map(fact_of, history) if fact}
    return {status for status in found if status}


def first(history: list[Told], *names: str) -> Told | None:
    """The first fact of the name that is named first and is there at all."""
    for name in names:
        for told in history:
            fact = fact_of(told)
            if fact and fact[0] == name:
                return told
    return None


def announcements(history: list[Told], notify: Collection[str]) -> set[str]:
    """Nothing is announced before it is known what was asked for."""
    return statuses(history) & set(notify) if first(history, "sent", "failed") else set()


def wants_retry(history: list[Told]) -> bool:
    return first(history, "softBounced") is not None and first(history, "sent", "failed") is not None


# Rows


def row(email_id: str, history: list[Told], done: set[str], retention: timedelta) -> Json:
    timestamp = min(decision_times(history))
    whole = {
        "emailId": email_id,
        "status": next((status for status in HIGHEST_FIRST if status in statuses(history)), "sent"),
        "timestamp": timestamp,
        "ttl": int((datetime.fromisoformat(timestamp) + retention).timestamp()),
        "done": sorted(done) or None,
        "sesMessageId": message_id(history),
        **asked(history),
        **bounce(history),
        **error(history),
        **first_times(history),
    }
    return {name: value for name, value in whole.items() if value is not None}


def decision_times(history: list[Told]) -> Iterator[str]:
    for told in history:
        yield told.detail["mail"]["timestamp"] if "mail" in told.detail else told.time


def message_id(history: list[Told]) -> str | None:
    decided = first(history, "sent")
    if decided:
        return str(decided.detail["sesMessageId"])
    ids_told = [
        told.detail["mail"]["messageId"] if "mail" in told.detail else told.detail.get("sesMessageId")
        for told in history
    ]
    return next((told for told in ids_told if told), None)


def asked(history: list[Told]) -> Json:
    decided = first(history, "failed", "sent")
    if decided is None and history[0].kind == NEEDLESS:
        return {name: history[0].detail[name] for name in ("toEmail", "originalEmailId")}
    if decided is None:
        mail = history[0].detail["mail"]
        return {
            "toEmail": canonical(recipients(history[0])[0]),
            "originalEmailId": tag(mail, "originalEmailId"),
            "retryAttempt": history[0].attempt,
        }
    names = ("toEmail", "originalSource", "templateName", "subject", "originalEmailId", "retryAttempt")
    detail = decided.detail
    return {
        **{name: detail.get(name) for name in names},
        "metadata": detail.get("metadata") or None,
        "requestShard": detail["place"]["shard"],
        "requestSequence": detail["place"]["sequence"],
        "requestEventId": detail["eventId"],
    }


def bounce(history: list[Told]) -> Json:
    strongest = first(history, "bounced", "softBounced", "retryExhausted")
    complained = first(history, "complained")
    own = strongest.own if strongest else {}
    return {
        "bounceType": own.get("bounceType"),
        "bounceSubType": own.get("bounceSubType"),
        "bounceReason": own.get("bounceSubType"),
        "bounceDiagnostic": own["bouncedRecipients"][0].get("diagnosticCode") if own else None,
        "complaintFeedbackType": complained.own["complaintFeedbackType"] if complained else None,
    }


def error(history: list[Told]) -> Json:
    """Of the first of the facts that stand for `failed`."""
    failures = [told for told in history if (fact_of(told) or ("", None))[1] == "failed"]
    if not failures:
        return {}
    told = failures[0]
    code, message = {
        "Mail Failed": (told.detail.get("errorCode"), told.detail.get("errorMessage")),
        "Reject": ("SES_REJECTED", f"SES rejected the mail: {told.own.get('reason')}"),
        "Rendering Failure": (
            "SES_RENDERING_FAILED",
            f"SES could not render the mail: {told.own.get('errorMessage')}",
        ),
        "Bounce": ("RETRY_EXHAUSTED", f"Retry exhausted: {told.own.get('bounceSubType')}"),
    }[told.kind]
    return {"errorCode": code, "errorMessage": message}


def first_times(history: list[Told]) -> Json:
    times: Json = {}
    for told in history:
        fact = fact_of(told)
        if fact:
            times.setdefault(f"{fact[0]}At", told.time)
    return times


# Suppression


def suppressions(history: list[Told]) -> dict[str, tuple[str, str, str, str | None]]:
    keys = {each.lower() for told in history for each in recipients(told)}
    found = {key: suppression([told for told in history if key in lower(recipients(told))]) for key in keys}
    return {key: cause for key, cause in found.items() if cause}


def suppression(history: list[Told]) -> tuple[str, str, str, str | None] | None:
    released = max((told.time for told in history if told.kind == "Address Released"), default="")
    since = [told for told in history if told.time >= released]
    arrived = {told.detail["sesMessageId"] for told in since if told.kind == NEEDLESS}
    soft = [told for told in since if is_soft(told) and told.detail["mail"]["messageId"] not in arrived]
    worn = soft_bounce_time(soft)
    causes = [cause for cause in map(cause_of, since) if cause]
    if worn and all(worn <= cause[0] for cause in causes):
        return worn, "soft-bounces", "15 soft bounces within 30 days", None
    return causes[0] if causes else None


def cause_of(told: Told) -> tuple[str, str, str, str | None] | None:
    if told.kind == "Address Suppressed":
        return told.time, "manual", told.detail["reason"], None
    if told.kind == "Bounce" and told.own["bounceType"] == "Permanent":
        sub_type = told.own["bounceSubType"]
        if sub_type != "UnsubscribedRecipient":
            return told.time, "bounce", f"hard bounce: {sub_type}", told.email_id
    if told.kind == "Complaint" and told.own["complaintFeedbackType"] != "not-spam":
        kind = told.own["complaintFeedbackType"] or "no type given"
        return told.time, "complaint", f"complaint: {kind}", told.email_id
    return None


def is_soft(told: Told) -> bool:
    return told.kind == "Bounce" and told.own["bounceType"] != "Permanent"


def soft_bounce_time(bounces: list[Told]) -> str | None:
    """When the fifteenth mail bounced softly within 30 days; a mail bounces at its first bounce."""
    firsts: dict[str, str] = {}
    for told in bounces:
        firsts.setdefault(told.detail["mail"]["messageId"], told.time)
    times = sorted(firsts.values())
    for last in times:
        end = datetime.fromisoformat(last)
        within = [t for t in times if end - timedelta(days=30) <= datetime.fromisoformat(t) and t <= last]
        if len(within) >= 15:
            return last
    return None


# Addresses


def recipients(told: Told) -> list[str]:
    if told.kind in ("Address Suppressed", "Address Released"):
        return [told.detail["email"]]
    if told.kind == NEEDLESS:
        return [told.detail["toEmail"]]
    if "mail" not in told.detail:
        return []
    for name in ("bouncedRecipients", "complainedRecipients", "delayedRecipients"):
        if told.own.get(name):
            return [each["emailAddress"] for each in told.own[name]]
    return list(told.own.get("recipients") or told.detail["mail"]["destination"])


def lower(addresses: list[str]) -> list[str]:
    return [address.lower() for address in addresses]


def canonical(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"
