"""What strategies have saved."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from supervisor.api.caller import needs
from supervisor.api.port import DaemonPort
from supervisor.schema import CheckpointView, Outcome

Id = Annotated[str, Path(max_length=64)]
Seq = Annotated[int, Path(ge=1, le=2**63 - 1)]


class Packed(Response):
    """MessagePack, as it was packed."""

    media_type = "application/msgpack"


def state_routes(api: APIRouter, daemon: DaemonPort) -> None:
    """Add the routes to ``api``."""

    @api.get("/deployments/{deployment_id}/checkpoints", dependencies=[needs("read")])
    async def checkpoints(deployment_id: Id) -> list[CheckpointView]:
        """The saved states that are kept of a deployment, the newest first."""
        return await daemon.checkpoints(deployment_id)

    @api.get("/deployments/{deployment_id}/state", dependencies=[needs("read")], response_class=Packed)
    async def state(
        deployment_id: Id, seq: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None
    ) -> Packed:
        """One saved state as its strategy packed it (MessagePack): the newest good one, or by number."""
        # Bytes, not opened: whoever asked decodes what a strategy wrote, and not the daemon.
        return Packed(await daemon.state(deployment_id, seq))

    @api.post("/deployments/{deployment_id}/checkpoints/{seq}/restore", dependencies=[needs("trade")])
    async def restore(deployment_id: Id, seq: Seq) -> Outcome:
        """Make an older checkpoint the newest of a stopped deployment."""
        return await daemon.restore_state(deployment_id, seq)

    @api.delete("/deployments/{deployment_id}/state", dependencies=[needs("trade")])
    async def clear(deployment_id: Id) -> Outcome:
        """Drop every checkpoint of a stopped deployment."""
        return await daemon.clear_state(deployment_id)
