from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.embedded.ses.account import DAY, DailyQuota, SendRate
from tests.infra.embedded.ses_world import SET, World, client, world

SIMULATOR = "success@simulator.amazonses.com"


def error_of(it: World, **more: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as error:
        it.send(**more)
    response = error.value.response
    return (
        response["Error"]["Code"],
        response["ResponseMetadata"]["HTTPStatusCode"],
        response["Error"]["Message"],
    )


def test_get_account_answers_in_full() -> None:
    with world(max_send_rate=14.0, daily_quota=200.0) as it:
        it.send()
        answer = client("sesv2").get_account()
    del answer["ResponseMetadata"]
    assert answer == {
        "DedicatedIpAutoWarmupEnabled": False,
        "EnforcementStatus": "HEALTHY",
        "ProductionAccessEnabled": True,
        "SendQuota": {"Max24HourSend": 200.0, "MaxSendRate": 14.0, "SentLast24Hours": 1.0},
        "SendingEnabled": True,
        "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
    }


def test_the_first_api_shows_the_same_quota() -> None:
    with world() as it:
        it.send()
        quota = client("ses").get_send_quota()
        assert {name: quota[name] for name in quota if name != "ResponseMetadata"} == (
            client("sesv2").get_account()["SendQuota"]
        )


def test_quotas_count_recipients_without_the_simulator() -> None:
    with world() as it:
        it.send(Destination={"ToAddresses": ["a@example.com", SIMULATOR], "CcAddresses": ["b@example.com"]})
        assert client("sesv2").get_account()["SendQuota"]["SentLast24Hours"] == 2.0


def test_above_the_rate_calls_are_throttled_until_time_has_passed() -> None:
    with world(max_send_rate=2.0, burst=1.0) as it:
        it.send()
        it.send(SIMULATOR)
        assert error_of(it) == ("ThrottlingException", 400, "Maximum sending rate exceeded.")
        it.clock.now += 0.5
        it.send()
        assert (it.ses.counters["accepted"], it.ses.counters["throttled"]) == (3, 1)


def test_a_mail_refused_for_another_reason_uses_up_no_rate() -> None:
    with world(max_send_rate=1.0, burst=1.0) as it:
        error_of(it, ConfigurationSetName="absent")
        it.send()


def test_above_the_daily_quota_calls_are_throttled_until_the_next_day() -> None:
    with world(daily_quota=1.0) as it:
        it.send()
        assert error_of(it) == ("ThrottlingException", 400, "Daily message quota exceeded.")
        it.send(SIMULATOR)
        it.clock.now += DAY
        it.send()
        assert it.ses.counters["over_quota"] == 1


def test_a_paused_account_sends_nothing_until_it_is_resumed() -> None:
    sesv2 = client("sesv2")
    with world() as it:
        sesv2.put_account_sending_attributes(SendingEnabled=False)
        assert error_of(it)[:2] == ("SendingPausedException", 400)
        assert sesv2.get_account()["SendingEnabled"] is False
        sesv2.put_account_sending_attributes(SendingEnabled=True)
        it.send()
        assert it.ses.counters["paused"] == 1


def test_a_paused_configuration_set_sends_nothing_until_it_is_resumed() -> None:
    sesv2 = client("sesv2")
    with world() as it:
        sesv2.put_configuration_set_sending_options(ConfigurationSetName=SET, SendingEnabled=False)
        assert error_of(it)[:2] == ("SendingPausedException", 400)
        sesv2.put_configuration_set_sending_options(ConfigurationSetName=SET, SendingEnabled=True)
        it.send()


def test_a_set_created_as_paused_sends_nothing() -> None:
    with world() as it:
        client("sesv2").create_configuration_set(
            ConfigurationSetName="paused", SendingOptions={"SendingEnabled": False}
        )
        assert error_of(it, ConfigurationSetName="paused")[0] == "SendingPausedException"


def test_the_rate_lets_an_even_sender_through_for_ever() -> None:
    rate = SendRate(10.0, burst=2.0, now=0.0)
    # Whole seconds' worth, the first late in its second and the next early in the following one.
    starts = [0.9, 1.0, 2.0, 3.0, 4.0]
    assert all(rate.take(1, start) for start in starts for _ in range(10))


def test_the_rate_holds_over_time() -> None:
    rate = SendRate(10.0, burst=2.0, now=0.0)
    assert sum(rate.take(1, tick / 100) for tick in range(10_000)) == pytest.approx(10 * 100 + 20, abs=1)


def test_many_recipients_leave_a_debt() -> None:
    rate = SendRate(1.0, burst=1.0, now=0.0)
    assert [rate.take(5, 0.0), rate.take(1, 4.9), rate.take(1, 5.0)] == [True, False, True]


def test_the_quota_forgets_after_a_day() -> None:
    quota = DailyQuota(10.0)
    quota.add(4, 0.0)
    quota.add(5, 100.0)
    assert [quota.sent(100.0), quota.sent(DAY), quota.sent(DAY + 100.0)] == [9, 5, 0]


def test_an_unlimited_quota_has_room() -> None:
    assert DailyQuota(-1).has_room(10**9, 0.0)
