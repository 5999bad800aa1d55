"""How tests run.

Generated tests: the same examples in every `make test`, new ones in every `make soak`. A slow machine is no fault of
the code, so nothing is judged by its time.

Over several processes: the tests of a module together, since they share what they have set up. Those with real
daemons, which mostly wait, begin first and come one after the other, since several would overload a small machine.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
settings.register_profile("same", patient, derandomize=True)
settings.register_profile("new", patient)
settings.load_profile("same")

DAEMONS = "tests/infra/test_kcl_"


class ByModule(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return "daemons" if module.startswith(DAEMONS) else module


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByModule:
    return ByModule(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Once their order is shuffled."""
    items.sort(key=lambda item: not item.nodeid.startswith(DAEMONS))
