import threading
import time

import pytest

from tests.infra.embedded.clients import ClientOf, messages, queue

ENDLESS = 20  # seconds, against which being woken is a moment


def test_a_long_poll_ends_with_the_message_that_arrives(client: ClientOf) -> None:
    url, _ = queue(client, "q")
    receiver = client("sqs")
    sender = threading.Timer(0.1, client("sqs").send_message, kwargs={"QueueUrl": url, "MessageBody": "x"})
    sender.start()
    started = time.monotonic()
    found = receiver.receive_message(QueueUrl=url, WaitTimeSeconds=ENDLESS)["Messages"]
    assert (found[0]["Body"], time.monotonic() - started < ENDLESS / 2) == ("x", True)
    sender.join()


def test_a_long_poll_ends_when_a_delayed_message_becomes_visible(client: ClientOf) -> None:
    url, _ = queue(client, "q")
    client("sqs").send_message(QueueUrl=url, MessageBody="x", DelaySeconds=1)
    assert messages(client, url) == []
    assert client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=ENDLESS)["Messages"][0]["Body"] == "x"


def test_a_long_poll_ends_when_a_message_is_given_back(client: ClientOf) -> None:
    url, _ = queue(client, "q")
    client("sqs").send_message(QueueUrl=url, MessageBody="x")
    handle = messages(client, url)[0]["ReceiptHandle"]
    giver = threading.Timer(
        0.1,
        client("sqs").change_message_visibility,
        kwargs={"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 0},
    )
    giver.start()
    found = client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=ENDLESS)["Messages"]
    assert found[0]["Body"] == "x"
    giver.join()


def test_a_long_poll_of_an_empty_queue_ends_when_its_time_is_up(client: ClientOf) -> None:
    url, _ = queue(client, "q")
    assert "Messages" not in client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1)


@pytest.mark.parametrize("others", [1, 5])
def test_waiting_holds_up_nobody(client: ClientOf, others: int) -> None:
    url, _ = queue(client, "waited-at")
    poll = threading.Thread(
        target=client("sqs").receive_message, kwargs={"QueueUrl": url, "WaitTimeSeconds": ENDLESS}
    )
    poll.start()
    for number in range(others):
        other, _ = queue(client, f"q{number}")
        client("sqs").send_message(QueueUrl=other, MessageBody="x")
        assert len(messages(client, other)) == 1
    assert poll.is_alive()
    client("sqs").send_message(QueueUrl=url, MessageBody="done")
    poll.join()
