"""What the API needs of the daemon: the one seam between them, so that each is tested without the other.

Every method may raise the errors of supervisor/errors.py. The three that return an iterator raise them when
awaited, before the first line: a stream that has begun can only end. An iterator with ``follow`` ends when
the daemon stops or cuts off a consumer that is too slow; closing it (``aclose``) frees what it holds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from supervisor.api.deployment_port import DeploymentPort
from supervisor.api.routes.approvals import ApprovalPort
from supervisor.api.routes.catalogue import CataloguePort
from supervisor.api.routes.data import DataPort
from supervisor.api.routes.editing import EditingPort
from supervisor.api.routes.keys import AccessPort
from supervisor.api.routes.limits import LimitsPort
from supervisor.api.routes.metrics import MetricsPort
from supervisor.api.routes.money import MoneyPort
from supervisor.api.routes.notifications import NotificationPort
from supervisor.api.routes.ops import OpsPort
from supervisor.api.routes.questions import QuestionPort
from supervisor.api.routes.register import RegisteringPort
from supervisor.api.routes.required import RunningPort
from supervisor.api.routes.schedules import SchedulePort
from supervisor.api.routes.stream import StreamPort
from supervisor.api.routes.webhooks import WebhookPort
from supervisor.schema import (
    ActionResult,
    CheckpointView,
    DeploymentDetail,
    DeploymentRow,
    EventView,
    LogLine,
    Outcome,
    Selection,
    SignalView,
    StartRequest,
    StartResult,
)


class DaemonPort(
    AccessPort,
    MoneyPort,
    LimitsPort,
    DeploymentPort,
    SchedulePort,
    CataloguePort,
    RunningPort,
    StreamPort,
    MetricsPort,
    DataPort,
    OpsPort,
    RegisteringPort,
    EditingPort,
    ApprovalPort,
    WebhookPort,
    QuestionPort,
    NotificationPort,
    Protocol,
):
    """The daemon, as its HTTP API sees it."""

    async def owners(self) -> dict[str, str]:
        """Return the account of every deployment, by id."""
        ...

    async def born(self) -> dict[str, int]:
        """Return when each deployment was created (unix ns), by id."""
        ...

    async def deployments(self) -> list[DeploymentRow]:
        """Return every deployment, by id."""
        ...

    async def describe(self, deployment_id: str) -> DeploymentDetail:
        """Return everything about one deployment, its last five deaths first to last."""
        ...

    async def start(
        self, request: StartRequest, *, owner: bool = False, account: str | None = None
    ) -> StartResult:
        """Create the deployment if it is new, else start it as it was. A running one is left alone.

        ``owner``: root asks, or the daemon's own user; only they may say that code is trusted. With an
        ``account`` registered code of others is unknown.
        """
        ...

    async def stop(self, selection: Selection, *, reason: str, now: bool, wait: bool) -> ActionResult:
        """Stop; with ``wait`` answer when the processes are gone, with ``now`` skip the goodbye."""
        ...

    async def pause(self, selection: Selection, *, reason: str, now: bool, wait: bool) -> ActionResult:
        """Pause; a paused one is left alone."""
        ...

    async def resume(self, selection: Selection, *, reason: str, now: bool, wait: bool) -> ActionResult:
        """Resume what is paused."""
        ...

    async def restart(self, selection: Selection, *, reason: str, now: bool, wait: bool) -> ActionResult:
        """Stop and start again; a stopped one is started."""
        ...

    async def reset_failed(self, selection: Selection) -> ActionResult:
        """Take them out of failed or quarantined, their tally of restarts forgotten."""
        ...

    async def remove(self, selection: Selection) -> ActionResult:
        """Forget stopped deployments and their state; one that is not stopped is refused."""
        ...

    async def checkpoints(self, deployment_id: str) -> list[CheckpointView]:
        """Return the saved states that are kept of one deployment, the newest first."""
        ...

    async def state(self, deployment_id: str, seq: int | None) -> bytes:
        """Return one saved state as its strategy packed it: of the newest good checkpoint, or of ``seq``."""
        ...

    async def restore_state(self, deployment_id: str, seq: int) -> Outcome:
        """Make an older checkpoint the newest of a stopped deployment; one that was set aside is refused."""
        ...

    async def clear_state(self, deployment_id: str) -> Outcome:
        """Drop every checkpoint of a stopped deployment."""
        ...

    async def logs(self, deployment_id: str, *, n: int, follow: bool) -> AsyncIterator[LogLine]:
        """Return the last ``n`` lines, oldest first, then with ``follow`` each as it comes."""
        ...

    async def events(self, *, after: int | None, n: int, follow: bool) -> AsyncIterator[EventView]:
        """Return the events after number ``after`` (at most ``n``), else the last ``n``; then follow."""
        ...

    async def signals(
        self, deployment_id: str | None, *, after: int | None, n: int, follow: bool
    ) -> AsyncIterator[SignalView]:
        """Return signals with their verdicts as ``events`` does, of one deployment or of all."""
        ...
