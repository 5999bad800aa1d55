"""Every call of the integration guide that names a starter template ends as a delivered mail.

The calls in Python are run as they stand by `tests/infra/test_guide.py`; these are the same and those in JSON,
TypeScript and Java, with what their variables would hold.
"""

import json
import re
from collections.abc import Iterator
from email.utils import parseaddr
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.ses.mail import Mail
from infra.local import SENDER, LocalEngine, LocalOptions
from tests.infra.asking import publish, rows, until
from tests.templates.starter import NAMES

GUIDE = (Path(__file__).parents[1] / "infra" / "guide.md").read_text(encoding="utf-8")
NO_STARTERS = {"test", "newsletter-december"}
FORM = {"formSenderEmail": "tomas@visitor.example", "formSenderName": "Tomás", "message": "Hello?"}

CALLS: dict[str, dict[str, Any]] = {
    "Send Your First Email": {
        "to": "recipient@example.com",
        "templateName": "welcome",
        "templateData": {"userName": "John", "companyName": "My Company"},
    },
    "Complete Event Format": json.loads(
        re.findall(r"```json\n(.*?)```", GUIDE.split("### Complete Event Format")[1], re.DOTALL)[0]
    )["detail"],
    "Python, simple": {
        "to": "user@example.com",
        "templateName": "welcome",
        "templateData": {"userName": "John"},
    },
    "Python, with all options": {
        "to": "user@example.com",
        "templateName": "order-confirmation",
        "templateData": {"userName": "John", "orderId": "ORD-123", "total": "$99.99"},
        "subject": "Your Order #ORD-123",
        "senderOverride": {"email": "orders@mystore.com", "name": "MyStore Orders"},
        "metadata": {"orderId": "ORD-123", "userId": "user-456"},
    },
    "Node.js, simple": {
        "to": "user@example.com",
        "templateName": "welcome",
        "templateData": {"userName": "John"},
    },
    "Node.js, with options": {
        "to": "user@example.com",
        "templateName": "password-reset",
        "templateData": {"userName": "John", "resetLink": "https://example.com/reset/abc123"},
        "senderOverride": {"email": "security@myapp.com", "name": "MyApp Security"},
        "metadata": {"userId": "user-456", "requestIp": "192.168.1.1"},
    },
    "Java, simple": {
        "to": "user@example.com",
        "templateName": "welcome",
        "templateData": {"userName": "John"},
    },
    "Java, with options": {
        "to": "user@example.com",
        "templateName": "invoice",
        "templateData": {"userName": "John", "invoiceId": "INV-123", "amount": "$500.00"},
        "subject": "Invoice #INV-123",
        "senderOverride": {"email": "billing@mycompany.com", "name": "Billing"},
        "replyTo": "billing-support@mycompany.com",
        "metadata": {"invoiceId": "INV-123", "customerId": "cust-456"},
    },
    "Batch Sending": {
        "to": "user1@example.com",
        "templateName": "newsletter",
        "templateData": {"userName": "Alice"},
        "metadata": {"campaign": "december-newsletter"},
    },
    "Reply-To Address": {
        "to": "desk@example.com",
        "templateName": "contact-form-notification",
        "templateData": FORM,
    },
    "Reply-To Address, of the request": {
        "to": "desk@example.com",
        "templateName": "contact-form-notification",
        "templateData": FORM,
        "replyTo": "support@yourcompany.com",
    },
    "Order confirmation": {
        "to": "customer@example.com",
        "templateName": "order-confirmation",
        "templateData": {
            "customerName": "Ana",
            "orderId": 4711,
            "items": [{"name": "Tea", "quantity": 2, "price": 4.5}, {"sku": 1}, "Honey"],
            "total": 9.0,
        },
        "metadata": {"orderId": 4711, "type": "transactional"},
    },
    "Order confirmation, items of another kind": {
        "to": "customer@example.com",
        "templateName": "order-confirmation",
        "templateData": {
            "customerName": "Ana",
            "orderId": "4711",
            "items": [["Tea", 2], 7, None],
            "total": "9 €",
        },
    },
    "Order confirmation, without items": {
        "to": "customer@example.com",
        "templateName": "order-confirmation",
        "templateData": {"customerName": "Ana", "orderId": "4711", "items": [], "total": "9 €"},
    },
    "Password Reset": {
        "to": "customer@example.com",
        "templateName": "password-reset",
        "templateData": {
            "userName": "Ana",
            "resetLink": "https://myapp.com/reset/t0k3n",
            "expiresIn": "24 hours",
        },
        "senderOverride": {"email": "security@myapp.com", "name": "MyApp Security"},
        "metadata": {"userId": 7, "type": "security"},
    },
    "senderOverride of the Python client": {
        "to": "user@example.com",
        "templateName": "welcome",
        "templateData": {"userName": "John"},
        "senderOverride": {"email": "custom@yourcompany.com", "name": None},
    },
}


@pytest.fixture(scope="module")
def mails() -> Iterator[dict[str, Mail]]:
    """What SES was given for each call, once all of them are delivered."""
    details = {name: {**detail, "emailId": name} for name, detail in CALLS.items()}
    with LocalEngine(LocalOptions(send_rate=1_000)) as engine:
        publish(engine, list(details.values()))
        until(lambda: [row["status"] for row in rows(engine).values()] == ["delivered"] * len(CALLS))
        names = {row["sesMessageId"]: name for name, row in rows(engine).items()}
        yield {names[mail.message_id]: mail for mail in engine.aws.ses.mails()}


def test_every_call_of_the_guide_is_among_these() -> None:
    named = re.findall(r"""(?:templateName|template_name)['"]?\s*[:=]\s*['"]([a-z-]+)['"]""", GUIDE)
    named += re.findall(r"""sendEmail\(\s*"[^"]+",\s*"([a-z-]+)\"""", GUIDE)
    assert len(named) > 10
    assert set(named) - NO_STARTERS <= {detail["templateName"] for detail in CALLS.values()}
    assert {detail["templateName"] for detail in CALLS.values()} <= set(NAMES)


def test_the_variables_are_those_of_the_guide() -> None:
    for detail in CALLS.values():
        for variable in detail["templateData"]:
            assert variable in GUIDE or detail["templateName"] == "contact-form-notification"


@pytest.mark.parametrize("name", CALLS)
def test_a_call_of_the_guide_is_delivered_and_says_what_it_was_given(
    mails: dict[str, Mail], name: str
) -> None:
    mail, detail = mails[name], CALLS[name]
    assert mail.recipients == (detail["to"],)
    for value in detail["templateData"].values():
        if isinstance(value, str):
            assert value in (mail.text or "")
            assert value in (mail.html or "")


@pytest.mark.parametrize("name", CALLS)
def test_subject_sender_and_reply_address_are_as_the_guide_says(mails: dict[str, Mail], name: str) -> None:
    mail, detail = mails[name], CALLS[name]
    override = detail.get("senderOverride", {})
    assert parseaddr(mail.source)[1] == override.get("email", SENDER)
    assert (override.get("name") or "") in parseaddr(mail.source)[0]
    if "subject" in detail:
        assert mail.subject == detail["subject"]
    assert mail.subject
    of_template = (FORM["formSenderEmail"],) if detail["templateName"].startswith("contact") else ()
    assert mail.reply_to == ((detail["replyTo"],) if "replyTo" in detail else of_template)
    assert "List-Unsubscribe" not in dict(mail.headers)
