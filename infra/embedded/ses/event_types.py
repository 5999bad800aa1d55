"""The names that one SES event has in different places."""

from typing import NamedTuple

__all__ = ["EVENT_TYPES", "EventType", "matching_type"]


class EventType(NamedTuple):
    """`matching` in the SESv2 API, `key` of the event's own object, `detail_type` on EventBridge."""

    matching: str
    key: str
    detail_type: str


EVENT_TYPES = {
    "Send": EventType("SEND", "send", "Email Sent"),
    "Delivery": EventType("DELIVERY", "delivery", "Email Delivered"),
    "Bounce": EventType("BOUNCE", "bounce", "Email Bounced"),
    "Complaint": EventType("COMPLAINT", "complaint", "Email Complaint Received"),
    "Reject": EventType("REJECT", "reject", "Email Rejected"),
    "Open": EventType("OPEN", "open", "Email Opened"),
    "Click": EventType("CLICK", "click", "Email Clicked"),
    "Rendering Failure": EventType("RENDERING_FAILURE", "failure", "Email Rendering Failed"),
    "DeliveryDelay": EventType("DELIVERY_DELAY", "deliveryDelay", "Email Delivery Delayed"),
    "Subscription": EventType("SUBSCRIPTION", "subscription", "Email Subscribed"),
}

_SQUEEZED = {event.matching.replace("_", ""): event.matching for event in EVENT_TYPES.values()}


def matching_type(name: str) -> str | None:
    """The API's name for a `MatchingEventTypes` entry; CloudFormation writes it in lower camel case."""
    return _SQUEEZED.get(name.replace("_", "").upper())
