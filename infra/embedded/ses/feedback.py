"""When which event of an accepted mail is published: pure, from the mail, the seed and the list of the suppressed."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NamedTuple

from infra.embedded.ses.behaviour import ON_ACCOUNT_LIST, Step, behaviour, steps
from infra.embedded.ses.config import SesConfig
from infra.embedded.ses.dice import between, chance
from infra.embedded.ses.events import Occurrence
from infra.embedded.ses.mail import Mail, is_simulator

__all__ = ["Planned", "plan"]


class Planned(NamedTuple):
    """An occurrence, to be published so many seconds from now; `attempt` counts failed publications."""

    wait: float
    occurrence: Occurrence
    attempt: int = 0


def plan(mail: Mail, config: SesConfig, suppressed: Callable[[str], bool]) -> Iterator[Planned]:
    """Every event, some of them twice. The road from SES adds up to 300 ms, so that events overtake each other."""
    for place, recipient in enumerate(mail.recipients):
        key = (config.seed, mail.email_id or mail.message_id, recipient)
        for number, step in enumerate(_steps(mail, recipient, config.seed, suppressed)):
            # SES says once that it took a mail, whatever the number of recipients.
            if place and step.kind == "Send":
                continue
            yield from _published(mail, recipient, step, config, (*key, number))


def _steps(mail: Mail, recipient: str, seed: int, suppressed: Callable[[str], bool]) -> list[Step]:
    if suppressed(recipient) and not is_simulator(recipient):
        return steps(ON_ACCOUNT_LIST, (seed, mail.email_id, recipient))
    return behaviour(recipient, mail.tags, seed)


def _published(
    mail: Mail, recipient: str, step: Step, config: SesConfig, key: tuple[object, ...]
) -> Iterator[Planned]:
    time = mail.time + timedelta(seconds=step.delay)
    occurrence = Occurrence(mail, recipient, step.kind, time, step.details)
    copies = 2 if chance(*key, "twice") < config.duplicates else 1
    for copy in range(copies):
        road = between(0.0, 0.3, *key, "road", copy)
        yield Planned((step.delay + road) * config.delay_scale, occurrence)
