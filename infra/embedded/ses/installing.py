"""Puts a simulated SES in the place of moto's, for calls in this process and over HTTP alike, and takes it out again."""

import time
from collections.abc import Callable
from typing import Any

from moto.core.responses import BaseResponse
from moto.ses.responses import EmailResponse
from moto.sesv2.responses import SESV2Response

from infra.embedded.patches import Patches
from infra.embedded.ses import actions, cloudformation, suppression_actions
from infra.embedded.ses.config import SesConfig
from infra.embedded.ses.simulated import SimulatedSes

__all__ = ["install", "uninstall"]

_patches = Patches()
_installed: list[SimulatedSes] = []


def install(
    config: SesConfig | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> SimulatedSes:
    """One at a time: a former one is taken out. Comes before the first request to SES and the first deploy."""
    uninstall()
    ses = SimulatedSes(config or SesConfig(), clock)
    _installed.append(ses)
    for name, action in (actions.ACTIONS | suppression_actions.ACTIONS).items():
        _patches.replace(SESV2Response, name, _bound(ses, action))
    _patches.replace(EmailResponse, "get_send_quota", _bound(ses, actions.get_send_quota))
    _patches.replace(SESV2Response, "call_action", _slow(ses.config.latency, sleep))
    cloudformation.register()
    return ses


def uninstall() -> None:
    """Gives moto its own SES back and closes the simulated one; pending feedback is dropped."""
    _patches.undo()
    while _installed:
        _installed.pop().close()


def _bound(ses: SimulatedSes, action: Callable[[SimulatedSes, Any], Any]) -> Callable[[Any], Any]:
    return lambda response: action(ses, response)


def _slow(seconds: float, sleep: Callable[[float], None]) -> Callable[[BaseResponse], Any]:
    """Takes its time before the request is carried out, so that requests don't wait for one another."""

    def call_action(response: BaseResponse) -> Any:
        if seconds and response.path.endswith("/outbound-emails"):
            sleep(seconds)
        return BaseResponse.call_action(response)

    return call_action
