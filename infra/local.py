"""The whole engine on one machine: the embedded AWS, the stack deployed into it, and every consumer."""

from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, Self

from consumers.bootstrap import Consumers
from consumers.dynamodb import CheckpointTable
from consumers.one_machine import OneMachine, OneMachineHost
from consumers.s3 import TemplateFolder
from consumers.template_folders import folders, starter_folders
from infra.embedded import EmbeddedAws
from infra.embedded.ses import SesConfig
from infra.kcl_host import KclHost
from infra.stack import configuration, deploy
from infra.worker import WorkerOptions
from pipeline.kinesis import KinesisLog
from pipeline.settings import Settings
from pipeline.times import utc_now
from projections.dynamodb import SuppressionTable, TrackingTable

__all__ = ["LocalEngine", "LocalOptions"]

SENDER = "hello@sesmailengine.example.com"


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """Seconds for durations; `send_rate` in mails a second; `templates` None for the starter templates."""

    port: int = 0
    stack: str = "sesmailengine"
    shards: int = 2
    retry_delay: float = 900.0
    archive_flush: float = 5.0
    send_rate: float = 14.0
    seed: int = 0
    duplicates: float = 0.02
    verified: tuple[str, ...] | None = None
    templates: Path | None = None
    host: Literal["one-machine", "kcl"] = "one-machine"

    def parameters(self) -> dict[str, str]:
        """What the stack is deployed with."""
        return {
            "DefaultSenderEmail": SENDER,
            "EmailSenderConcurrency": str(max(1, round(self.send_rate))),
            "ShardCount": str(self.shards),
            "SoftBounceRetryDelaySeconds": str(round(self.retry_delay)),
            "PausedRoundSeconds": "5",  # it costs nothing here
            "ArchiveFlushSeconds": str(max(1, round(self.archive_flush))),
            "CountSimulatorMails": "true",
            "DeletionProtection": "false",
        }

    def ses(self) -> SesConfig:
        return SesConfig(
            seed=self.seed,
            duplicates=self.duplicates,
            max_send_rate=self.send_rate,
            verified=self.verified,
        )


class LocalEngine(AbstractContextManager["LocalEngine"]):
    """Ready for requests once entered; leaving it drains the consumers. Raises PortInUse."""

    def __init__(self, options: LocalOptions) -> None:
        self._options = options
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self._start(opening)
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def settled(self) -> bool:
        """Whether SES has nothing more to say and every consumer has read all there is."""
        return self.aws.ses.pending() == 0 and self._host.caught_up()

    def drain(self) -> None:
        """Stop the consumers, with everything durable that can be; the AWS goes on."""
        self._host.stop()

    def client(self, service: str, config: Any = None) -> Any:
        return self.aws.client(service, config)

    def tracking(self) -> TrackingTable:
        settings = self.settings
        return TrackingTable(self.client("dynamodb"), settings.tracking_table_name, settings.retention)

    def suppression(self) -> SuppressionTable:
        return SuppressionTable(self.client("dynamodb"), self.settings.suppression_table_name)

    def _start(self, opening: ExitStack) -> None:
        options = self._options
        self.aws = opening.enter_context(EmbeddedAws(port=options.port, ses_config=options.ses()))
        cloudformation = self.client("cloudformation")
        deploy(cloudformation, options.stack, options.parameters())
        self.settings = Settings.from_mapping(configuration(cloudformation, options.stack))
        templates = TemplateFolder(self.client("s3"), self.settings.template_bucket_name)
        for name, texts in (folders(options.templates) if options.templates else starter_folders()).items():
            templates.put(name, texts)
        self.log = KinesisLog(self.client("kinesis"), self.settings.stream_name)
        self._host = self._kcl_host(opening) if options.host == "kcl" else self._one_machine_host()
        opening.callback(self._host.stop)
        self._host.start()

    def _kcl_host(self, opening: ExitStack) -> KclHost:
        health = Path(opening.enter_context(TemporaryDirectory(prefix="health-")))
        environment = {
            "AWS_ENDPOINT_URL": self.aws.endpoint,
            "AWS_REGION": self.aws.region,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }
        options = WorkerOptions(health, failover=3.0, hang=60.0, environment=environment)
        return KclHost(self.settings, self.log, self.client, self.aws.region, options)

    def _one_machine_host(self) -> OneMachineHost:
        consumers = Consumers(self.settings, self.client)
        checkpoints = CheckpointTable(self.client("dynamodb"), f"{self.settings.stack_name}-LocalCheckpoints")
        checkpoints.create()
        return OneMachineHost(OneMachine(consumers.log, checkpoints, utc_now), consumers.all())
