"""The schedule of a deployment: when it is to run by the clock on the wall. No decision is made here."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Path, Response

from supervisor.api.caller import Caller, caller, needs
from supervisor.api.etags import IfMatch, check, tagged
from supervisor.schema.schedules import ScheduleRequest, ScheduleView

Id = Annotated[str, Path(max_length=64)]
Who = Annotated[Caller, Depends(caller)]


class SchedulePort(Protocol):
    """The daemon, as these routes see it. Every method may raise the errors of supervisor/errors.py."""

    async def schedule(self, deployment_id: str) -> ScheduleView:
        """Return the schedule of one deployment, and how it stands to it now."""
        ...

    async def set_schedule(
        self, deployment_id: str, request: ScheduleRequest | None, *, by: str
    ) -> ScheduleView:
        """Put a schedule in the place of what there was, None for none; it binds at once."""
        ...


def schedule_routes(api: APIRouter, daemon: SchedulePort) -> None:
    """Add the routes to ``api``."""

    @api.get("/deployments/{deployment_id}/schedule", dependencies=[needs("read")])
    async def schedule(deployment_id: Id, response: Response) -> ScheduleView:
        """When it is to run by the clock, whether that is now, and until when; `schedule` null: always."""
        return tagged(response, await daemon.schedule(deployment_id))

    async def change(
        name: str, request: ScheduleRequest | None, if_match: str | None, response: Response, who: Caller
    ) -> ScheduleView:
        if if_match is not None:
            check(if_match, await daemon.schedule(name))
        return tagged(response, await daemon.set_schedule(name, request, by=who.name))

    @api.put("/deployments/{deployment_id}/schedule", dependencies=[needs("trade")])
    async def replace(
        deployment_id: Id, request: ScheduleRequest, response: Response, who: Who, if_match: IfMatch = None
    ) -> ScheduleView:
        """Give it a schedule, whole, also while it runs: outside it is ended or paused at once."""
        return await change(deployment_id, request, if_match, response, who)

    @api.delete("/deployments/{deployment_id}/schedule", dependencies=[needs("trade")])
    async def clear(
        deployment_id: Id, response: Response, who: Who, if_match: IfMatch = None
    ) -> ScheduleView:
        """Take its schedule away: from now on it is as it is wanted."""
        return await change(deployment_id, None, if_match, response, who)
