"""The composition root of the consumers: from settings and clients to handlers for a host."""

import threading
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from botocore.config import Config

from consumers.archiver import Archiver
from consumers.clerk import Clerk, ClerkRules
from consumers.delivery import Delivery
from consumers.dynamodb import LedgerTable
from consumers.eventbridge import EventBus
from consumers.handler import Handler
from consumers.one_machine import Consumer
from consumers.pace import Pace
from consumers.parking import Parking
from consumers.patience import Patience
from consumers.projector import Aftermath, Projector
from consumers.s3 import ArchiveBucket, TemplateBucket, TemplateFolder
from consumers.sender import Sender
from consumers.sending import Desk, Sending
from consumers.ses import SesMailer, send_rate
from consumers.settling import Settler
from consumers.sqs import DelayQueue, ParkedQueue
from pipeline.kinesis import KinesisLog
from pipeline.settings import Settings
from pipeline.times import Clock, utc_now
from projections.dynamodb import SuppressionTable, TrackingTable

__all__ = ["Consumers"]

# SES must be called once: the SDK's own retries after a lost answer would send a mail twice.
CALL_ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=10)

Client = Callable[..., Any]
"""`client(service, config=…)`: a boto3 client."""


class Consumers:
    """All consumers of an engine, over the same clients. Nothing starts before a handler is asked for."""

    def __init__(self, settings: Settings, client: Client, now: Clock = utc_now) -> None:
        self._settings, self._client, self._now = settings, cache(client), now
        self.log = KinesisLog(self._client("kinesis"), settings.stream_name)
        self._delays = DelayQueue(self._client("sqs"), settings.delay_queue_url)

    def all(self) -> list[Consumer]:
        return [self.sender(), self.projector(), self.archiver()]

    def sender(self) -> Consumer:
        stopping = threading.Event()
        sending = cache(lambda: self._sending(stopping))
        return Consumer(
            "sender", lambda _shard, _after: Sender(sending(), self.log), self._parking("sender"), stopping
        )

    def projector(self) -> Consumer:
        return self._consumer("projector", lambda _shard, _after: self._projector())

    def archiver(self) -> Consumer:
        files = ArchiveBucket(self._client("s3"), self._settings.archive_bucket_name)
        seconds = self._settings.archive_flush_seconds
        return self._consumer("archiver", partial(Archiver, files, flush_seconds=seconds))

    def _consumer(self, name: str, handler: Callable[[str, int | None], Handler]) -> Consumer:
        return Consumer(name, handler, self._parking(name))

    def _parking(self, name: str) -> Parking:
        letters = ParkedQueue(self._client("sqs"), self._settings.parked_queue_url)
        return Parking(name, letters, self.log, self._now)

    def _suppression(self) -> SuppressionTable:
        return SuppressionTable(self._client("dynamodb"), self._settings.suppression_table_name)

    def _projector(self) -> Projector:
        settings = self._settings
        bus = EventBus(self._client("events"), settings.event_bus_name)
        delay = settings.soft_bounce_retry_delay_seconds
        aftermath = Aftermath(bus, self._delays, settings.notify_statuses, delay)
        mails = TrackingTable(self._client("dynamodb"), settings.tracking_table_name, settings.retention)
        return Projector(mails, self._suppression(), aftermath)

    def _sending(self, stopping: threading.Event) -> Sending:
        settings, ses = self._settings, self._client("sesv2", config=CALL_ONCE)
        ledger = LedgerTable(
            self._client("dynamodb"), settings.send_ledger_table_name, settings.retention, self._now
        )
        rules = ClerkRules(settings.open_claim_grace_seconds, settings.open_claim_policy == "send")
        templates = TemplateBucket(TemplateFolder(self._client("s3"), settings.template_bucket_name))
        sender = settings.default_sender_name, settings.default_sender_email
        patience = Patience("sender", stopping)
        rate = cache(lambda: min(patience.call(lambda: send_rate(ses)), settings.email_sender_concurrency))
        desk = Desk(
            clerk=Clerk(ledger, self._delays, rules, self._now),
            suppressions=self._suppression(),
            delivery=Delivery(templates, sender),
            mailer=SesMailer(ses, settings.configuration_set_name),
            pace=Pace(rate),
            settler=Settler(ledger, self.log, Patience("settler", threading.Event())),
            parking=self._parking("sender"),
            patience=patience,
        )
        return Sending(desk, settings.sends_in_flight)
