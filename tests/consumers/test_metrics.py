"""Metrics as CloudWatch's embedded metric format has them."""

import json
from typing import Any

import pytest

from consumers.mail import Mail, Throttled
from consumers.metrics import MOST_VALUES, MeasuredMailer, Metrics


class Scene:
    def __init__(self) -> None:
        self.lines, self.now = list[str](), 1_000.0
        self.metrics = Metrics({"Stack": "engine", "Consumer": "sender"}, self.lines.append, lambda: self.now)

    def told(self) -> list[dict[str, Any]]:
        self.metrics.flush()
        return [json.loads(line) for line in self.lines]


def test_counts_are_gathered_into_one_line_a_series() -> None:
    scene = Scene()
    for _ in range(3):
        scene.metrics.count("Failed", Code="TEMPLATE_NOT_FOUND")
    scene.metrics.count("Failed", Code="RECIPIENT_SUPPRESSED")
    one, other = scene.told()
    assert (one["Failed"], one["Code"], other["Failed"], other["Code"]) == (
        3, "TEMPLATE_NOT_FOUND", 1, "RECIPIENT_SUPPRESSED",
    )  # fmt: skip


def test_a_line_is_what_cloudwatch_reads() -> None:
    scene = Scene()
    scene.metrics.count("Sent")
    (line,) = scene.told()
    assert line["_aws"] == {
        "Timestamp": 1_000_000,
        "CloudWatchMetrics": [
            {
                "Namespace": "SESMailEngine",
                "Dimensions": [["Stack", "Consumer"]],
                "Metrics": [{"Name": "Sent", "Unit": "Count"}],
            }
        ],
    }
    assert (line["Stack"], line["Consumer"], line["Sent"]) == ("engine", "sender", 1)


def test_durations_are_kept_one_by_one_up_to_what_a_line_holds() -> None:
    scene = Scene()
    for number in range(MOST_VALUES + 20):
        scene.metrics.duration("SesLatency", number / 1000)
    (line,) = scene.told()
    assert line["SesLatency"] == [float(number) for number in range(20, MOST_VALUES + 20)]


def test_lines_are_written_once_a_minute_without_being_asked() -> None:
    scene = Scene()
    scene.metrics.count("Sent")
    assert scene.lines == []
    scene.now += 61
    scene.metrics.count("Sent")
    assert [json.loads(line)["Sent"] for line in scene.lines] == [2]


def test_nothing_measured_is_nothing_written() -> None:
    assert Scene().told() == []


def test_calls_to_ses_are_timed_and_its_refusals_to_hurry_counted() -> None:
    class Slow:
        def send(self, _: Mail) -> str:
            raise Throttled("slower")

    scene = Scene()
    with pytest.raises(Throttled):
        MeasuredMailer(Slow(), scene.metrics).send(Mail("a@b.example", "c@d.example", "s", "<p></p>"))
    names = {name for line in scene.told() for name in line}
    assert {"SesLatency", "Throttled"} <= names
