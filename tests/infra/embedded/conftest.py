from collections.abc import Iterator

import pytest

from infra.embedded import EmbeddedAws
from tests.infra.embedded.clients import ClientOf, over_http


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as opened:
        yield opened


@pytest.fixture(params=["in process", "http"])
def client(aws: EmbeddedAws, request: pytest.FixtureRequest) -> ClientOf:
    """boto3 clients by service, of both kinds."""
    if request.param == "http":
        return lambda service: over_http(aws, service)
    return aws.client
