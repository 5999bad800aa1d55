import json
from collections.abc import Iterator
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError

from infra.embedded import EmbeddedAws
from infra.embedded.ses import Faults, SesConfig
from tests.infra.embedded.ses_world import SET, client, simple

ADDRESS = "ana+x@customer.example"


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws(ses_config=SesConfig(delay_scale=0.0)) as opened:
        client("sesv2", opened.endpoint).create_configuration_set(ConfigurationSetName=SET)
        yield opened


def test_a_mail_sent_over_http_is_in_the_outbox(aws: EmbeddedAws) -> None:
    sent = client("sesv2", aws.endpoint).send_email(**simple(tags={"emailId": "order-1"}))
    with urlopen(f"{aws.endpoint}/_aws/ses?emailId=order-1") as answer:
        (message,) = json.load(answer)["messages"]
    assert message["Id"] == sent["MessageId"]


def test_the_account_and_its_list_answer_over_http(aws: EmbeddedAws) -> None:
    sesv2 = client("sesv2", aws.endpoint)
    sesv2.put_suppressed_destination(EmailAddress=ADDRESS, Reason="BOUNCE")
    found = sesv2.get_suppressed_destination(EmailAddress=ADDRESS)["SuppressedDestination"]
    assert found["EmailAddress"] == ADDRESS
    assert sesv2.get_account()["SendQuota"]["MaxSendRate"] == 14.0
    assert client("ses", aws.endpoint).get_send_quota()["MaxSendRate"] == 14.0


def test_an_error_over_http_has_its_code(aws: EmbeddedAws) -> None:
    with pytest.raises(ClientError, match=r"NotFoundException.*absent"):
        client("sesv2", aws.endpoint).send_email(**simple() | {"ConfigurationSetName": "absent"})


def test_a_lost_answer_over_http_is_a_500() -> None:
    with EmbeddedAws(ses_config=SesConfig(faults=Faults(lost_after=1.0))) as aws:
        client("sesv2", aws.endpoint).create_configuration_set(ConfigurationSetName=SET)
        with pytest.raises(ClientError) as error:
            client("sesv2", aws.endpoint).send_email(**simple())
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        assert len(aws.ses.mails()) == 1
