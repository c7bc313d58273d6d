"""What is asked of a strategy that runs: a command of its author's making, its own words, its state."""

from __future__ import annotations

from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Depends, Path, Query

from supervisor.api.caller import Caller, caller, needs
from supervisor.schema import CheckpointView
from supervisor.schema.questions import CommandRequest, CommandResult, InspectView

Id = Annotated[str, Path(max_length=64)]
Who = Annotated[Caller, Depends(caller)]
Patience = Annotated[
    float,
    Query(
        alias="timeout",
        ge=1,
        le=50,
        allow_inf_nan=False,
        description="Seconds to wait for the strategy's answer; 504 after that.",
    ),
]
TEN: Final = 10.0


class QuestionPort(Protocol):
    """The daemon, as these routes see it. Every method may raise the errors of supervisor/errors.py."""

    async def command(
        self, deployment_id: str, name: str, payload: Any, *, patience: float, by: str
    ) -> CommandResult:
        """Have a strategy do a command; ``Invalid`` has the line of one that it refused, or raised on.

        ``Failed`` where nothing runs, ``Late`` where no answer came within ``patience`` seconds.
        """
        ...

    async def inspect(self, deployment_id: str, *, patience: float) -> InspectView:
        """Return what a strategy shows of itself; errors as of ``command``."""
        ...

    async def save_state(self, deployment_id: str, *, patience: float) -> CheckpointView:
        """Have a checkpoint taken; return it once it is in the journal. Errors as of ``command``."""
        ...


def question_routes(api: APIRouter, daemon: QuestionPort) -> None:
    """Add the routes to ``api``."""

    @api.post("/deployments/{deployment_id}/command", dependencies=[needs("trade")])
    async def command(
        deployment_id: Id, request: CommandRequest, who: Who, patience: Patience = TEN
    ) -> CommandResult:
        """Tell the strategy a command, once and in order with its data; answers what it answered."""
        return await daemon.command(
            deployment_id, request.name, request.payload, patience=patience, by=who.name
        )

    @api.get("/deployments/{deployment_id}/inspect", dependencies=[needs("read")])
    async def inspect(deployment_id: Id, patience: Patience = TEN) -> InspectView:
        """What the strategy itself shows: its author's names and values, asked of it now."""
        return await daemon.inspect(deployment_id, patience=patience)

    @api.post("/deployments/{deployment_id}/checkpoint", dependencies=[needs("trade")])
    async def checkpoint(deployment_id: Id, patience: Patience = TEN) -> CheckpointView:
        """Take a checkpoint now; answers once it is in the journal."""
        return await daemon.save_state(deployment_id, patience=patience)
