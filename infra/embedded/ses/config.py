"""What one simulated SES is told before it starts; all of it has a default that suits a laptop."""

from dataclasses import dataclass

__all__ = ["Faults", "SesConfig"]


@dataclass(frozen=True)
class Faults:
    """Shares (0 to 1) of SendEmail calls that go wrong although nothing is wrong with the mail.

    throttled: refused as if the rate were exceeded. lost_before: the connection breaks and the mail was
    not taken. lost_after: it breaks although the mail was taken. The caller can't tell the last two apart.
    """

    throttled: float = 0.0
    lost_before: float = 0.0
    lost_after: float = 0.0


@dataclass(frozen=True)
class SesConfig:
    """One account in one region.

    Args:
        seed: decides, with a mail's `emailId` tag, what becomes of it.
        duplicates: share of events that are published twice.
        max_send_rate: recipients a second.
        burst: seconds' worth of rate that may be spent at once after a pause.
        daily_quota: recipients in any 24 hours, simulator addresses not counted; -1 is unlimited.
        verified: addresses and domains that may send; None lets everyone.
        delay_scale: stretches the wait before events are published, not the times they carry; 0 waits for nothing.
        latency: seconds that a SendEmail call takes.
        faults: see `Faults`.
    """

    seed: int = 0
    duplicates: float = 0.02
    max_send_rate: float = 14.0
    burst: float = 2.0
    daily_quota: float = 50_000.0
    verified: tuple[str, ...] | None = None
    delay_scale: float = 1.0
    latency: float = 0.0
    faults: Faults = Faults()
