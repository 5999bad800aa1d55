"""What the account may send: the rate, the daily quota, and whether it may send at all."""

from collections import deque
from collections.abc import Callable
from threading import Lock

from infra.embedded.ses.config import SesConfig
from infra.embedded.ses.errors import SesError, throttled
from infra.embedded.ses.mail import Mail, is_simulator

__all__ = ["Account", "DailyQuota", "SendRate"]

DAY = 86_400.0
UNLIMITED = -1


class SendRate:
    """A token bucket, one token a recipient. A mail with many recipients may leave it in debt."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self._capacity = max(1.0, rate * burst)
        self._tokens = self._capacity
        self._at = now

    def take(self, recipients: int, now: float) -> bool:
        self._tokens = min(self._capacity, self._tokens + max(0.0, now - self._at) * self.rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= recipients
        return True


class DailyQuota:
    """Recipients of the last 24 hours."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._sent: deque[tuple[float, int]] = deque()
        self._total = 0

    def sent(self, now: float) -> int:
        while self._sent and self._sent[0][0] <= now - DAY:
            self._total -= self._sent.popleft()[1]
        return self._total

    def has_room(self, recipients: int, now: float) -> bool:
        return self.limit == UNLIMITED or self.sent(now) + recipients <= self.limit

    def add(self, recipients: int, now: float) -> None:
        self._sent.append((now, recipients))
        self._total += recipients


class Account:
    def __init__(self, config: SesConfig, clock: Callable[[], float]) -> None:
        self.sending_enabled = True
        self._clock = clock
        self._lock = Lock()
        self._rate = SendRate(config.max_send_rate, config.burst, clock())
        self._quota = DailyQuota(config.daily_quota)

    def admit(self, mail: Mail) -> None:
        """Count the mail, or raise the error with which SES would refuse it.

        The rate is asked last, so that a mail refused for another reason doesn't use it up.
        """
        if not self.sending_enabled:
            raise SesError("SendingPausedException", "Sending is paused for your account.", counted="paused")
        counted = sum(not is_simulator(recipient) for recipient in mail.recipients)
        with self._lock:
            self._admit(len(mail.recipients), counted, self._clock())

    def _admit(self, recipients: int, counted: int, now: float) -> None:
        if not self._quota.has_room(counted, now):
            raise SesError("ThrottlingException", "Daily message quota exceeded.", counted="over_quota")
        if not self._rate.take(recipients, now):
            raise throttled()
        self._quota.add(counted, now)

    def send_quota(self) -> dict[str, float]:
        with self._lock:
            sent = self._quota.sent(self._clock())
        return {
            "Max24HourSend": float(self._quota.limit),
            "MaxSendRate": float(self._rate.rate),
            "SentLast24Hours": float(sent),
        }
