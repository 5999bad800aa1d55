"""The composition root of the consumers: from settings and clients to handlers for a host."""

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import cache, partial
from typing import Any

from botocore.config import Config

from consumers.archiver import Archiver
from consumers.clerk import Clerk, ClerkRules
from consumers.delivery import Delivery
from consumers.dynamodb import LedgerTable, MarksTable, PaceTable
from consumers.eventbridge import EventBus
from consumers.gates import BounceRate, Gates, Holds, Limits
from consumers.handler import Handler
from consumers.hearing import Ear, Hearing
from consumers.lanes import Lane
from consumers.mail import Mailer
from consumers.metrics import MeasuredMailer, Metrics
from consumers.names import ConsumerName
from consumers.one_machine import Consumer
from consumers.pace import Pace, SendRate
from consumers.parking import Parking
from consumers.patience import Patience
from consumers.projector import Aftermath, Projector
from consumers.s3 import ArchiveBucket, TemplateBucket, TemplateFolder
from consumers.sender import Sender
from consumers.sending import Desk, Sending
from consumers.ses import SesMailer, send_rate
from consumers.settling import Settler
from consumers.sqs import DelayQueue, ParkedQueue
from consumers.witness import Witness
from pipeline.kinesis import KinesisLog
from pipeline.reading_ahead import ReadingAhead
from pipeline.requests import Priority
from pipeline.settings import Settings
from pipeline.times import Clock, utc_now
from projections.dynamodb import HoldsTable, ReputationTable, SuppressionTable, TrackingTable

__all__ = ["Consumers"]

# SES must be called once: the SDK's own retries after a lost answer would send a mail twice.
CALL_ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=10)

# A tenth of a projector's time: each value of a row would be looked at once more, having come from a typed one.
UNCHECKED = Config(parameter_validation=False)

Client = Callable[..., Any]
"""`client(service, config=…)`: a boto3 client."""


class Consumers:
    """All consumers of an engine, over the same clients. Nothing starts before a handler is asked for.

    `metrics_to` takes the lines of the metrics.
    """

    def __init__(
        self,
        settings: Settings,
        client: Client,
        now: Clock = utc_now,
        *,
        metrics_to: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._measured: dict[str, Metrics] = {}
        self._metrics_to = metrics_to
        self._settings, self._client, self._now = settings, cache(client), now
        self.log = KinesisLog(self._client("kinesis"), settings.stream_name)
        self._delays = DelayQueue(self._client("sqs"), settings.delay_queue_url)
        self._templates = TemplateBucket(TemplateFolder(self._client("s3"), settings.template_bucket_name))
        self._dynamodb = dynamodb = self._client("dynamodb", config=UNCHECKED)
        self._ledger = LedgerTable(dynamodb, settings.send_ledger_table_name, settings.retention, now)
        self._marks = MarksTable(dynamodb, settings.reputation_table_name)
        self._holds = HoldsTable(dynamodb, settings.reputation_table_name)
        self._hearing = Hearing(self._marks, self.log, now)
        self._reputation = ReputationTable(
            dynamodb,
            settings.reputation_table_name,
            settings.retention,
            with_simulator=settings.count_simulator_mails,
        )

    def all(self) -> list[Consumer]:
        return [self.named(name) for name in ConsumerName]

    def named(self, name: ConsumerName) -> Consumer:
        match name:
            case ConsumerName.SENDER_TRANSACTIONAL:
                return self.sender("transactional")
            case ConsumerName.SENDER_BULK:
                return self.sender("bulk")
            case ConsumerName.PROJECTOR:
                return self.projector()
            case ConsumerName.ARCHIVER:
                return self.archiver()

    def sender(self, lane: Priority) -> Consumer:
        name, stopping, log = f"sender-{lane}", threading.Event(), ReadingAhead(self.log)

        @cache
        def parts() -> tuple[Sending, Witness | None]:
            desk = self._desk(lane, Patience(name, stopping, self._metrics(name)))
            witness = Witness(desk, self._ledger, self.log) if lane == "transactional" else None
            return Sending(desk, self._settings.sends_in_flight), witness

        def handler(shard: str, after: int | None) -> Sender:
            sending, witness = parts()
            lanes = Lane(lane, self._templates, self._ledger, self._now)
            ear = Ear(witness, self._marks, shard, after) if witness else None
            return Sender(sending, log, lanes, witness, ear)

        return Consumer(name, handler, self._parking(name), stopping, self._metrics(name))

    def tell_metrics(self) -> None:
        """Write what was measured since the last line; a process does so before it ends."""
        for metrics in self._measured.values():
            metrics.flush()

    def _metrics(self, consumer: str) -> Metrics:
        dimensions = {"Stack": self._settings.stack_name, "Consumer": consumer}
        return self._measured.setdefault(consumer, Metrics(dimensions, self._metrics_to))

    def projector(self) -> Consumer:
        return self._consumer("projector", lambda _shard, _after: self._projector())

    def archiver(self) -> Consumer:
        files = ArchiveBucket(self._client("s3"), self._settings.archive_bucket_name)
        seconds = self._settings.archive_flush_seconds
        return self._consumer("archiver", partial(Archiver, files, flush_seconds=seconds))

    def _consumer(self, name: str, handler: Callable[[str, int | None], Handler]) -> Consumer:
        return Consumer(name, handler, self._parking(name), metrics=self._metrics(name))

    def _parking(self, name: str) -> Parking:
        letters = ParkedQueue(self._client("sqs"), self._settings.parked_queue_url)
        return Parking(name, letters, self.log, self._now)

    def _suppression(self) -> SuppressionTable:
        return SuppressionTable(self._dynamodb, self._settings.suppression_table_name)

    def _projector(self) -> Projector:
        settings = self._settings
        bus = EventBus(self._client("events"), settings.event_bus_name)
        delay = settings.soft_bounce_retry_delay_seconds
        aftermath = Aftermath(bus, self._delays, settings.notify_statuses, delay)
        return Projector(self._mails(), self._suppression(), aftermath, self._reputation, self._holds)

    def _mails(self) -> TrackingTable:
        settings = self._settings
        return TrackingTable(self._dynamodb, settings.tracking_table_name, settings.retention)

    def _rules(self) -> ClerkRules:
        settings = self._settings
        return ClerkRules(settings.open_claim_grace_seconds, settings.open_claim_policy == "send")

    def _mailer(self) -> Mailer:
        ses = self._client("sesv2", config=CALL_ONCE)
        return SesMailer(ses, self._settings.configuration_set_name)

    def _desk(self, lane: Priority, patience: Patience) -> Desk:
        settings, ses = self._settings, self._client("sesv2", config=CALL_ONCE)
        metrics, parking = self._metrics(f"sender-{lane}"), self._parking(f"sender-{lane}")
        return Desk(
            clerk=Clerk(self._ledger, self._delays, self._rules(), self._now, self._hearing.is_heard),
            mails=self._mails(),
            suppressions=self._suppression(),
            delivery=self._delivery(metrics),
            mailer=MeasuredMailer(self._mailer(), metrics),
            pace=self._pace(SendRate(lambda: send_rate(ses), settings.email_sender_concurrency), lane),
            settler=Settler(self._ledger, self.log, Patience("settler", threading.Event()), parking),
            parking=parking,
            patience=patience,
        )

    def _delivery(self, metrics: Metrics) -> Delivery:
        settings = self._settings
        limits = Limits(
            age=timedelta(hours=settings.max_request_age_hours),
            bounce_rate=settings.bounce_rate_threshold / 100,
            minimum_sends=settings.bounce_rate_minimum_sends,
        )
        sender = settings.default_sender_name, settings.default_sender_email
        bounce_rate = BounceRate(self._reputation.of_day, limits, self._now)
        holds = Holds(self._holds.standing, self._now, settings.paused_round_seconds)
        return Delivery(self._templates, sender, Gates(holds, bounce_rate, limits, self._now), metrics)

    def _pace(self, rate: SendRate, lane: Priority) -> Pace:
        grants = PaceTable(self._dynamodb, self._settings.reputation_table_name)
        return Pace(grants, rate.current, lambda: self._now().timestamp(), bulk=lane == "bulk")
