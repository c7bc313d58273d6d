"""What the API asks of schedules: the part of ``FakeDaemon`` that ``SchedulePort`` names."""

from __future__ import annotations

from supervisor.errors import NotFound, near_matches
from supervisor.schema import DeploymentRow
from supervisor.schema.schedules import ScheduleRequest, ScheduleSpec, ScheduleView


class FakeSchedules:
    rows: dict[str, DeploymentRow]
    calls: list[tuple[object, ...]]

    def __init__(self) -> None:
        self.schedules: dict[str, ScheduleView] = {}

    async def schedule(self, deployment_id: str) -> ScheduleView:
        if deployment_id not in self.rows:
            raise NotFound("deployment", deployment_id, near_matches(deployment_id, self.rows))
        return self.schedules.get(deployment_id, ScheduleView())

    async def set_schedule(
        self, deployment_id: str, request: ScheduleRequest | None, *, by: str
    ) -> ScheduleView:
        await self.schedule(deployment_id)
        self.calls.append(("set_schedule", deployment_id, request, by))
        view = ScheduleView()
        if request is not None:
            text = "mon-fri 09:00-17:30 Europe/London, outside: stop"
            spec = ScheduleSpec.model_validate({**request.model_dump(), "text": text})
            says = "outside its schedule until Mon 09:00 Europe/London"
            view = ScheduleView(schedule=spec, inside=False, until=1_800_000_000_000_000_000, says=says)
        self.schedules[deployment_id] = view
        return view
