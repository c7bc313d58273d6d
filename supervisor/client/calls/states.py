"""What is saved of a strategy (docs/state.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervisor.client.call import Call, get, segment, send

if TYPE_CHECKING:
    from supervisor.schema import CheckpointView, Outcome


def checkpoints(deployment_id: str) -> Call[list[CheckpointView]]:
    """What is kept of a deployment, the newest first."""
    return get(f"deployments/{segment(deployment_id)}/checkpoints")


def saved_state(deployment_id: str, *, seq: int | None = None) -> Call[bytes]:
    """One saved state as its strategy packed it: the newest, or that of checkpoint ``seq``."""
    return get(f"deployments/{segment(deployment_id)}/state", {"seq": seq})


def restore_state(deployment_id: str, seq: int) -> Call[Outcome]:
    """Let the next start of a stopped deployment take checkpoint ``seq``."""
    return send("POST", f"deployments/{segment(deployment_id)}/checkpoints/{int(seq)}/restore")


def clear_state(deployment_id: str) -> Call[Outcome]:
    """Forget every saved state of a stopped deployment."""
    return send("DELETE", f"deployments/{segment(deployment_id)}/state")
