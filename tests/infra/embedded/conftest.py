from collections.abc import Iterator
from functools import cache, partial

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
    return cache(partial(over_http, aws) if request.param == "http" else aws.client)
