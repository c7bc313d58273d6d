"""What the API asks of strategies that run: the part of ``FakeDaemon`` for ``QuestionPort``."""

from __future__ import annotations

from typing import Any

from supervisor.errors import Failed, Invalid, NotFound, StratdError
from supervisor.schema import CheckpointView, DeploymentRow
from supervisor.schema.questions import CommandResult, InspectView


class FakeQuestions:
    rows: dict[str, DeploymentRow]
    calls: list[tuple[object, ...]]
    fail: StratdError | Exception | None

    async def command(
        self, deployment_id: str, name: str, payload: Any, *, patience: float, by: str
    ) -> CommandResult:
        self._must_run(deployment_id)
        self.calls.append(("command", deployment_id, name, payload, patience, by))
        if name != "echo":
            raise Invalid([f"{name}: NotImplementedError: Fake takes no command {name!r}"])
        return CommandResult(deployment_id=deployment_id, name=name, answer=payload)

    async def inspect(self, deployment_id: str, *, patience: float) -> InspectView:
        self._must_run(deployment_id)
        self.calls.append(("inspect", deployment_id, patience))
        return InspectView(deployment_id=deployment_id, at=1, shown={"bias": 0.5, "armed": True})

    async def save_state(self, deployment_id: str, *, patience: float) -> CheckpointView:
        self._must_run(deployment_id)
        self.calls.append(("save_state", deployment_id, patience))
        return CheckpointView(seq=7, at=1, age_s=0.0, generation=1, state_version=1, size_bytes=3)

    def _must_run(self, deployment_id: str) -> None:
        if self.fail:
            raise self.fail
        row = self.rows.get(deployment_id)
        if row is None:
            raise NotFound("deployment", deployment_id)
        if row.state not in ("running", "paused"):
            raise Failed(f"{row.id} does not run, it is {row.state}: nobody is there to answer")
