"""Two lanes: two senders read every request, and each takes those of its own priority.

Priority: the request's > the template's metadata.json > transactional. A template may change while one of
the two still has its older version, so that each takes a request for the other's. Bulk looks after that:

    left to the other lane ── 20 s ──► in the ledger? ─┬► claimed ─► finished
                                                       └► not yet ── 40, 80, … s, 5 min ──► nor now? ─► sent by bulk
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from jinja2 import Template

from consumers.mail import Refusal
from consumers.tasks import Task
from consumers.templates import FAULTS, Templates, safely
from pipeline.codec import Request
from pipeline.requests import Priority, is_template_name
from pipeline.times import Clock

__all__ = ["Lane", "priority_of"]

LOOK_AFTER = timedelta(seconds=20)  # the other lane has mostly claimed it by then
OVERLOOKED_AFTER = timedelta(minutes=5)  # longer than any sender keeps a template without looking at it


class Claimed(Protocol):
    def known(self, email_ids: Collection[str]) -> Collection[str]:
        """Those that have a claim."""
        ...


def priority_of(request: Request, templates: Templates) -> Priority:
    """Unavailable where the template can't be looked up."""
    own = request.detail.get("priority")
    return ("bulk" if own == "bulk" else "transactional") if own else _of_template(request, templates)


def _of_template(request: Request, templates: Templates) -> Priority:
    name, data = request.detail.get("templateName"), request.detail.get("templateData")
    if not isinstance(name, str) or not is_template_name(name):
        return "transactional"
    try:
        priority = templates.get(name).strings.get("priority")
    except Refusal:
        return "transactional"
    return "bulk" if priority and _shown(priority, data) == "bulk" else "transactional"


def _shown(priority: Template, data: Any) -> str:
    try:
        return safely(lambda: priority.render(data if isinstance(data, dict) else {})).strip()
    except FAULTS:
        return ""


@dataclass(slots=True, eq=False)
class _Left:
    """To the other lane; when to look whether it took the task."""

    task: Task
    look_at: datetime


class Lane:
    """One shard's requests, as one of the two senders sees them."""

    def __init__(self, mine: Priority, templates: Templates, ledger: Claimed, now: Clock) -> None:
        self._mine, self._templates, self._ledger, self._now = mine, templates, ledger, now
        self._left: list[_Left] = []

    def is_mine(self, task: Task) -> bool:
        """Raises Unavailable where the template can't be looked up."""
        priority = priority_of(task.request, self._templates) if task.request else "transactional"
        return priority == self._mine

    def leave(self, task: Task) -> None:
        """To the other lane: for good, or until it is time to see whether it took the task."""
        if self._mine == "bulk":
            self._left.append(_Left(task, task.record.arrival + LOOK_AFTER))
        else:
            task.finish()

    def settle(self) -> None:
        """Finish what the other lane has claimed, before its time. Raises Unavailable."""
        self._unclaimed(self._left)

    def overlooked(self) -> list[Task]:
        """What was left long ago and nobody has claimed. Raises Unavailable."""
        now = self._now()
        unclaimed = self._unclaimed([left for left in self._left if left.look_at <= now])
        for left in unclaimed:
            arrival = left.task.record.arrival
            left.look_at = arrival + min(2 * (now - arrival), OVERLOOKED_AFTER)
        overlooked = {left for left in unclaimed if left.look_at <= now}
        self._left = [left for left in self._left if left not in overlooked]
        return [left.task for left in unclaimed if left in overlooked]

    def _unclaimed(self, looked_at: Sequence[_Left]) -> list[_Left]:
        """Those of them that nobody has claimed; the others are finished."""
        if not looked_at:
            return []
        known = set(self._ledger.known([left.task.email_id for left in looked_at]))
        claimed = {left for left in looked_at if left.task.email_id in known}
        self._left = [left for left in self._left if left not in claimed]
        for left in claimed:
            left.task.finish()
        return [left for left in looked_at if left not in claimed]
