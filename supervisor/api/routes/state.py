"""What strategies have saved."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from supervisor.api.caller import needs
from supervisor.api.port import DaemonPort
from supervisor.schema import CheckpointView, Outcome

Id = Annotated[str, Path(max_length=64)]
Seq = Annotated[int, Path(ge=1, le=2**63 - 1)]


def state_routes(api: APIRouter, daemon: DaemonPort) -> None:
    """Add the routes to ``api``."""

    @api.get("/deployments/{deployment_id}/checkpoints", dependencies=[needs("read")])
    async def checkpoints(deployment_id: Id) -> list[CheckpointView]:
        return await daemon.checkpoints(deployment_id)

    @api.get("/deployments/{deployment_id}/state", dependencies=[needs("read")])
    async def state(
        deployment_id: Id, seq: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None
    ) -> Response:
        # Bytes, not opened: whoever asked decodes what a strategy wrote, and not the daemon.
        return Response(await daemon.state(deployment_id, seq), media_type="application/msgpack")

    @api.post("/deployments/{deployment_id}/checkpoints/{seq}/restore", dependencies=[needs("trade")])
    async def restore(deployment_id: Id, seq: Seq) -> Outcome:
        return await daemon.restore_state(deployment_id, seq)

    @api.delete("/deployments/{deployment_id}/state", dependencies=[needs("trade")])
    async def clear(deployment_id: Id) -> Outcome:
        return await daemon.clear_state(deployment_id)
