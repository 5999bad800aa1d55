"""Two lanes: two senders read every request, and each takes those of its own priority.

Priority: the request's > the template's metadata.json > transactional. A template may change while one of
the two still has its older version, so that each takes a request for the other's. Bulk looks after that: what
it left to the other lane it looks up in the ledger some minutes later, and takes what nobody has claimed.
"""

from collections import deque
from collections.abc import Collection
from datetime import timedelta
from typing import Any, Protocol

from jinja2 import Template

from consumers.mail import Refusal
from consumers.tasks import Task
from consumers.templates import FAULTS, Templates, safely
from pipeline.codec import Request
from pipeline.requests import Priority, is_template_name
from pipeline.times import Clock

__all__ = ["Lane", "priority_of"]

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


class Lane:
    """One shard's requests, as one of the two senders sees them."""

    def __init__(self, mine: Priority, templates: Templates, ledger: Claimed, now: Clock) -> None:
        self._mine, self._templates, self._ledger, self._now = mine, templates, ledger, now
        self._left: deque[Task] = deque()

    def is_mine(self, task: Task) -> bool:
        """Raises Unavailable where the template can't be looked up."""
        priority = priority_of(task.request, self._templates) if task.request else "transactional"
        return priority == self._mine

    def leave(self, task: Task) -> None:
        """To the other lane: for good, or until it is time to see whether it took the task."""
        if self._mine == "bulk":
            self._left.append(task)
        else:
            task.finish()

    def overlooked(self) -> list[Task]:
        """What was left long ago and nobody has claimed. Raises Unavailable."""
        before = self._now() - OVERLOOKED_AFTER
        due = [task for task in self._left if task.record.arrival <= before]
        known = set(self._ledger.known([task.email_id for task in due])) if due else set()
        self._left = deque(task for task in self._left if task.record.arrival > before)
        for task in due:
            if task.email_id in known:
                task.finish()
        return [task for task in due if task.email_id not in known]
