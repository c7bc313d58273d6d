"""What is asked of a strategy that runs (docs/http-deployments.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisor.client.call import Call, get, segment, send

if TYPE_CHECKING:
    from supervisor.schema.checkpoints import CheckpointView
    from supervisor.schema.questions import CommandResult, InspectView


def command(
    deployment_id: str, name: str, payload: Any = None, *, timeout: float | None = None
) -> Call[CommandResult]:
    """Tell a strategy a command; its answer is waited for ``timeout`` seconds (1 to 50, 10)."""
    body = {"name": name, "payload": payload}
    return send("POST", _one(deployment_id, "command"), body, query={"timeout": timeout})


def inspect(deployment_id: str, *, timeout: float | None = None) -> Call[InspectView]:
    """What a strategy itself shows; its answer is waited for ``timeout`` seconds (1 to 50, 10)."""
    return get(_one(deployment_id, "inspect"), {"timeout": timeout}, timeout=60.0)


def save_state(deployment_id: str, *, timeout: float | None = None) -> Call[CheckpointView]:
    """Take a checkpoint now; the answer comes once it is in the journal."""
    return send("POST", _one(deployment_id, "checkpoint"), query={"timeout": timeout})


def _one(deployment_id: str, what: str) -> str:
    return f"deployments/{segment(deployment_id)}/{what}"
