"""Between a schedule as it is looked at, as it is asked for, and as it is shown. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from supervisor.schedule import DAY_NAMES, Schedule, Window, load
from supervisor.schema.schedules import ScheduleRequest, ScheduleSpec, WindowView
from supervisor.store.tables import Deployment


def schedule_of(request: ScheduleRequest) -> Schedule:
    """Return what a request says, as it is looked at."""
    return Schedule(
        zone=request.zone,
        windows=tuple(
            Window(days_of(one.days), minutes(one.start), minutes(one.end)) for one in request.windows
        ),
        calendar=request.calendar,
        outside=request.outside,
    )


def spec_of(deployment: Deployment) -> ScheduleSpec | None:
    """Return the schedule of a deployment as it is shown, None without one, or where it cannot be read."""
    if not deployment.schedule:
        return None
    try:
        schedule = load(deployment.schedule)
    except (ValueError, LookupError, OSError):
        return None
    return ScheduleSpec(
        zone=schedule.zone,
        windows=[
            WindowView(days=[DAY_NAMES[day] for day in one.days], start=clock(one.start), end=clock(one.end))
            for one in schedule.windows
        ],
        calendar=schedule.calendar,
        outside=schedule.outside,
        text=text_of(schedule),
    )


def text_of(schedule: Schedule) -> str:
    """Return a schedule as one line: ``mon-fri 09:00-17:30 Europe/London, not on holidays of XLON``."""
    windows = "; ".join(f"{_days(one.days)} {clock(one.start)}-{clock(one.end)}" for one in schedule.windows)
    holidays = f", not on holidays of {schedule.calendar}" if schedule.calendar else ""
    return f"{windows} {schedule.zone}{holidays}, outside: {schedule.outside}"


def _days(days: tuple[int, ...]) -> str:
    """Name days of the week, three and more in a row by the first and the last."""
    if len(days) == len(DAY_NAMES):
        return "daily"
    runs: list[list[int]] = []
    for day in days:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    names = [[DAY_NAMES[day] for day in run] for run in runs]
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(run) for run in names)


def days_of(names: Iterable[str]) -> tuple[int, ...]:
    """Return days of the week from Monday 0, each once."""
    return tuple(sorted({DAY_NAMES.index(day) for day in names}))


def minutes(local: str) -> int:
    """Return minutes from midnight of ``HH:MM``."""
    hours, _, rest = local.partition(":")
    return int(hours) * 60 + int(rest)


def clock(of_day: int) -> str:
    """Return ``HH:MM`` of minutes from midnight, 24:00 for the midnight that ends the day."""
    return f"{of_day // 60:02}:{of_day % 60:02}"
