"""What is kept of feedback beyond the log's own retention: an allow-list, the same for rows and archive.

Never kept: IP addresses, raw user agents, the query part of links, what servers answered.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

__all__ = ["kept"]

_KEPT = (
    *("bounceType", "bounceSubType", "feedbackId", "smtpStatus", "diagnosticCode"),
    *("complaintFeedbackType", "complaintSubType"),
    *("delayType", "reason", "errorMessage"),
    *("machine", "agentClass", "link"),
)

_AGENTS = (
    ("GoogleImageProxy", "gmail proxy"),
    ("YahooMailProxy", "yahoo proxy"),
    ("iPhone", "mobile"),
    ("Android", "mobile"),
    ("Outlook", "desktop client"),
    ("Thunderbird", "desktop client"),
    ("Mozilla", "browser"),
)


def kept(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a `Feedback` that may be kept; of what was kept before, everything."""
    agent = facts.get("agentClass") or _agent_class(facts.get("userAgent"))
    known = {**facts, "agentClass": agent, "link": _without_query(facts.get("link"))}
    return {name: known[name] for name in _KEPT if known.get(name) is not None}


def _agent_class(agent: Any) -> str | None:
    if not isinstance(agent, str):
        return None
    return next((name for mark, name in _AGENTS if mark in agent), "other")


def _without_query(link: Any) -> str | None:
    if not isinstance(link, str):
        return None
    try:
        parts = urlsplit(link)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return None
