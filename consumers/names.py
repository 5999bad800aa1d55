"""The consumers of an engine, by name; apart from what makes them, which takes long to import."""

from enum import StrEnum

__all__ = ["ConsumerName"]


class ConsumerName(StrEnum):
    SENDER_TRANSACTIONAL = "sender-transactional"
    SENDER_BULK = "sender-bulk"
    PROJECTOR = "projector"
    ARCHIVER = "archiver"
