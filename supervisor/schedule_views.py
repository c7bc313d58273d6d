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
            Window(
                tuple(sorted({DAY_NAMES.index(day) for day in one.days})),
                minutes(one.start),
                minutes(one.end),
            )
            for one in request.windows
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
    )


def told(request: ScheduleRequest) -> str:
    """Return a schedule as one line."""
    windows = "; ".join(f"{','.join(one.days)} {one.start}-{one.end}" for one in request.windows)
    holidays = f", closed on holidays of {request.calendar}" if request.calendar else ""
    return f"{windows} {request.zone}{holidays}, outside: {request.outside}"


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
