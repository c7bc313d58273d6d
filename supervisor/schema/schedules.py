"""A deployment's own timetable: the request that sets it, and how it stands now."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from supervisor.schema.base import Request, View

DayName = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (LookupError, ValueError, OSError):
        raise ValueError(
            "is no IANA time zone; such are Europe/London, America/New_York, Asia/Kolkata, UTC"
        ) from None
    return value


Zone = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_zone)]
Start = Annotated[
    str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="Local time, 00:00 to 23:59.")
]
End = Annotated[
    str,
    Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", description="Local time, 00:00 to 24:00."),
]
Calendar = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_./+@:-]*$")]


class WindowSpec(Request):
    """From ``start`` on each of ``days`` until ``end``, which is on the next day if it is not later."""

    days: Annotated[list[DayName], Field(min_length=1, max_length=7)]
    start: Start
    end: End

    @model_validator(mode="after")
    def _some_time(self) -> WindowSpec:
        if self.start == self.end:
            raise ValueError(f"from {self.start} to {self.end} is no time; a whole day is 00:00 to 24:00")
        return self


class ScheduleRequest(Request):
    """The whole schedule of a deployment: what it does not name has its default.

    ``calendar`` is an exchange on whose holidays it stays outside. ``outside`` says what is done there.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "zone": "Europe/London",
                    "windows": [
                        {"days": ["mon", "tue", "wed", "thu", "fri"], "start": "09:00", "end": "17:30"}
                    ],
                    "calendar": "XLON",
                    "outside": "stop",
                }
            ]
        }
    )

    zone: Zone
    windows: Annotated[list[WindowSpec], Field(min_length=1, max_length=20)]
    calendar: Calendar = ""
    outside: Literal["stop", "pause"] = "stop"


class WindowView(View):
    """One window of a schedule (``WindowSpec``)."""

    days: list[DayName]
    start: str
    end: str


class ScheduleSpec(View):
    """A schedule as it is set (``ScheduleRequest``); ``text`` is all of it as one line for a person."""

    zone: str
    windows: list[WindowView]
    calendar: str = ""
    outside: Literal["stop", "pause"] = "stop"
    text: str = ""


class ScheduleView(View):
    """How a deployment stands to its schedule; ``schedule`` None: it has none, and is always inside.

    ``until`` (nanoseconds since the epoch) is when that changes, None for not within 40 days or where the
    calendar cannot be had; ``says`` is the same for a person.
    """

    schedule: ScheduleSpec | None = None
    inside: bool = True
    until: int | None = None
    says: str = ""
