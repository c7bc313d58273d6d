"""The schedule of one deployment through the API: how it stands, and another one."""

from __future__ import annotations

from supervisor.daemon import Daemon
from supervisor.schedule import dump
from supervisor.schedule_views import schedule_of, spec_of, text_of
from supervisor.schema.schedules import ScheduleRequest, ScheduleView
from supervisor.selection import find


class Schedules:
    """``supervisor.api.routes.schedules.SchedulePort``; a part of ``Port``."""

    _daemon: Daemon

    async def schedule(self, deployment_id: str) -> ScheduleView:
        """Return the schedule of one deployment, and how it stands to it now."""
        mine = find(self._daemon.actors, deployment_id).deployment
        scheduling = self._daemon.scheduling
        found = scheduling.stands(mine)
        return ScheduleView(
            schedule=spec_of(mine), inside=found.inside, until=found.until, says=scheduling.says(mine)
        )

    async def set_schedule(
        self, deployment_id: str, request: ScheduleRequest | None, *, by: str
    ) -> ScheduleView:
        """Put a schedule in the place of what there was, None for none; it binds at once."""
        daemon = self._daemon
        find(daemon.actors, deployment_id)
        if request is not None:
            await daemon.scheduling.check(request.calendar)
        wanted = None if request is None else schedule_of(request)
        stored = {} if wanted is None else dump(wanted)
        actor, changed = await daemon.verbs.reschedule(deployment_id, stored)
        if changed:
            said = "none any more" if wanted is None else text_of(wanted)
            daemon.events.note("schedule_changed", f"{said}, by {by}", actor.id)
            daemon.scheduling.judge(actor)
            await actor.done()
        return await self.schedule(deployment_id)
