"""A deployment with a timetable in a real daemon, on a clock that is set: no test waits for a window."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from bus.sessions import CalendarError, SessionCalendar, TradingDay, always
from supervisor.calendars import UnknownCalendarError
from supervisor.errors import Failed, Invalid, Unavailable
from supervisor.schema import Selection
from supervisor.schema.schedules import ScheduleRequest
from tests.supervisor.rig import Scene

pytestmark = pytest.mark.system
SECOND = 1_000_000_000
WHY = "outside its schedule until Mon 09:00 Europe/London"


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/London")).timestamp()) * SECOND


MONDAY, FRIDAY, SATURDAY = at("2026-11-23T09:00"), at("2026-11-20T12:00"), at("2026-11-21T12:00")


def office(**more) -> ScheduleRequest:
    windows = [{"days": ["mon", "tue", "wed", "thu", "fri"], "start": "09:00", "end": "17:30"}]
    return ScheduleRequest.model_validate({"zone": "Europe/London", "windows": windows, **more})


def test_a_window_that_closes_and_opens_ends_it_and_begins_it_over_daemons_and_jumps(rig):
    rig.settings += "\n[limits]\nmax_concurrent = 1\n"

    async def week(scene: Scene):
        rig.clock = lambda: FRIDAY
        pid = (await scene.start("a", "idle")).deployment.pid
        view = await scene.port.set_schedule("a", office(), by="ann")
        assert (view.inside, view.until) == (True, at("2026-11-20T17:30"))
        assert view.says == "inside its schedule until Fri 17:30 Europe/London"
        assert (await scene.row("a")).pid == pid, "inside it is left alone"
        told = (await scene.event("schedule_changed", "a")).detail
        assert told == "mon-fri 09:00-17:30 Europe/London, outside: stop, by ann"

        rig.clock = lambda: SATURDAY  # the host slept through the end
        row = await scene.state("a", "stopped")
        assert (row.desired, row.reason, row.outside) == ("running", WHY, WHY)
        assert row.last_death.cause == "schedule"
        again = await scene.start("a", "idle")
        assert (again.deployment.state, again.deployment.desired) == ("stopped", "running")
        assert (await scene.verb("restart", "a")).state == "stopped"
        assert (await scene.verb("pause", "a")).problem.title == f"a is stopped, {WHY}"
        assert (await scene.start("b", "idle")).deployment.state == "running", "what waits takes no slot"
        new = (await scene.start("c", "idle", schedule=office())).deployment
        assert (new.state, new.desired, new.generation, new.outside) == ("registered", "running", 0, WHY)
        await scene.verb("stop", "c")
        await scene.port.remove(Selection(ids=["c"]))
        new = (await scene.start("c", "idle", schedule=office())).deployment
        assert (new.state, new.generation) == ("registered", 0), "nor does another one of that name"
        await scene.verb("stop", "c")
        rig.clock = lambda: MONDAY
        refused = await scene.event("refused", "a")
        assert "max_concurrent" in refused.detail
        await scene.verb("stop", "b")
        row = await scene.state("a", "running")
        assert (row.generation, row.outside, row.restarts) == (2, "", 0)
        rig.clock = lambda: SATURDAY  # a clock that is set back
        await scene.state("a", "stopped")

    async def next_daemon(scene: Scene):
        row = await scene.row("a")
        assert (row.state, row.desired, row.generation, row.reason) == ("stopped", "running", 2, WHY)
        view = await scene.port.set_schedule("a", None, by="ann")
        assert (view.schedule, view.inside) == (None, True)
        assert (await scene.state("a", "running")).generation == 3

    rig.run(week)
    rig.run(next_daemon)


def test_a_pause_outside_keeps_the_process_and_another_schedule_binds_at_once(rig):
    rig.clock = lambda: FRIDAY
    rig.strategy("bad", head="import no_such_module")

    async def scenario(scene: Scene):
        with pytest.raises(Failed, match="did not start"):
            await scene.start("bad")
        await scene.port.set_schedule("bad", office(), by="ann")
        pid = (await scene.start("a", "idle")).deployment.pid
        await scene.port.set_schedule("a", office(outside="pause"), by="ann")
        rig.clock = lambda: SATURDAY
        row = await scene.state("a", "paused")
        assert (row.pid, row.desired, row.outside) == (pid, "running", WHY)
        await scene.verb("resume", "a")
        assert (await scene.row("a")).state == "paused"
        assert (await scene.row("bad")).state == "failed", "what has failed stays failed"
        await scene.port.set_schedule("a", office(outside="stop"), by="ann")
        assert (await scene.state("a", "stopped")).pid is None
        await scene.port.set_schedule("a", office(outside="pause"), by="ann")
        await scene.state("a", "paused")
        await scene.verb("stop", "a")
        rig.clock = lambda: MONDAY
        await scene.port.set_schedule("a", office(), by="ann")
        row = await scene.row("a")
        assert (row.state, row.desired, row.outside) == ("stopped", "stopped", ""), "no window begins it"
        detail = await scene.port.describe("a")
        assert detail.schedule.windows[0].end == "17:30"

    rig.run(scenario)


class Exchanges:
    """Calendars of which one knows when the exchange trades, and which may fail."""

    broken = False

    def __call__(self, names):
        (name,) = names
        if self.broken:
            raise CalendarError("pandas is gone")
        if name == "24x7":
            return {name: always()}
        if name != "XLON":
            raise UnknownCalendarError(f"calendar {name!r} is unknown; did you mean XLON?")
        friday = TradingDay("2026-11-20", ((at("2026-11-20T08:00"), at("2026-11-20T16:30")),))
        tuesday = TradingDay("2026-11-24", ((at("2026-11-24T08:00"), at("2026-11-24T16:30")),))
        return {name: SessionCalendar(name=name, zone="Europe/London", days=(friday, tuesday))}


def test_holidays_are_outside_and_a_calendar_that_cannot_be_had_closes(rig):
    rig.clock = lambda: MONDAY
    exchanges = Exchanges()

    async def scenario(scene: Scene):
        await scene.start("a", "idle")
        with pytest.raises(Invalid, match=r"calendar = 'XLOM': .*unknown; did you mean XLON"):
            await scene.port.set_schedule("a", office(calendar="XLOM"), by="ann")
        with pytest.raises(Invalid, match=r"calendar = '24x7': .*has no holidays; name an exchange"):
            await scene.port.set_schedule("a", office(calendar="24x7"), by="ann")
        exchanges.broken = True
        with pytest.raises(Unavailable, match="calendar 'XLON' cannot be had: pandas is gone"):
            await scene.port.set_schedule("a", office(calendar="XLON"), by="ann")
        assert (await scene.row("a")).state == "running", "nothing was changed"
        exchanges.broken = False
        await scene.port.set_schedule("a", office(calendar="XLON"), by="ann")
        row = await scene.state("a", "stopped")
        assert row.outside == "outside its schedule until Tue 09:00 Europe/London"
        exchanges.broken = True

    async def without(scene: Scene):
        row = await scene.row("a")
        assert (row.state, row.outside) == (
            "stopped", "outside its schedule until its calendar XLON can be had"
        )  # fmt: skip
        (problem,) = [one for one in (await scene.port.status()).problems if "XLON" in one]
        assert "pandas is gone" in problem

    rig.run(scenario, calendars=exchanges)
    rig.run(without, calendars=exchanges)
