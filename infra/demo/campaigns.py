"""Three campaigns of a shop, to made-up people and a few addresses of the mailbox simulator."""

import random
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = ["Request", "requests"]

Request = dict[str, Any]


class Campaign(NamedTuple):
    name: str
    template: str
    data: Callable[[int], Mapping[str, str]]


CAMPAIGNS = (
    Campaign("welcome-series", "welcome", lambda n: {"userName": f"Reader {n}", "companyName": "Northwind"}),
    Campaign(
        "order-mails",
        "order-confirmation",
        lambda n: {"userName": f"Buyer {n}", "orderId": f"N-{n:05d}", "total": "€42.00"},
    ),
    Campaign(
        "security",
        "password-reset",
        lambda n: {"userName": f"User {n}", "resetLink": f"https://northwind.example/reset/{n}"},
    ),
)
DOMAINS = ("post.example", "mail.example.net", "inbox.example.org")
SIMULATED = ("bounce+softonce", "bounce+NoEmail", "complaint+abuse", "success+open", "bounce+soft")


def requests(emails: int, seed: int) -> list[Request]:
    """The details of the requests, the same for the same seed; the first show each outcome there is."""
    chance = random.Random(seed)  # noqa: S311  a demo's recipients are no secrets
    return [_request(number, chance) for number in range(emails)]


def _request(number: int, chance: random.Random) -> Request:
    campaign = CAMPAIGNS[number % len(CAMPAIGNS)]
    person = f"person{number}@{chance.choice(DOMAINS)}"
    return {
        "emailId": f"demo-{number:05d}",
        "to": f"{SIMULATED[number]}@simulator.amazonses.com" if number < len(SIMULATED) else person,
        "templateName": campaign.template,
        "templateData": campaign.data(number),
        "metadata": {"campaignId": campaign.name, "segment": chance.choice(("new", "regular"))},
    }
