"""Windows of a schedule as they are typed, ``mon-fri 09:00-17:30`` or ``sat,sun 22:00-02:00``. Pure."""

from __future__ import annotations

from typing import Any, Final

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def window(text: str) -> dict[str, Any]:
    """Return a window as the API takes it, which checks its times. ``ValueError`` says what is allowed."""
    days, _, hours = text.strip().partition(" ")
    start, dash, end = hours.partition("-")
    if not dash:
        raise ValueError("must be DAYS HH:MM-HH:MM, as in 'mon-fri 09:00-17:30'")
    return {"days": _days(days), "start": start.strip(), "end": end.strip()}


def _days(text: str) -> list[str]:
    """Name each day of a list of days and ranges, which may go over the end of the week."""
    if text == "daily":
        return list(DAYS)
    found: list[str] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if first not in DAYS or last not in DAYS:
            allowed = f"{', '.join(DAYS)}, ranges such as mon-fri, and daily"
            raise ValueError(f"{part!r} is no day: allowed are {allowed}")
        begin, count = DAYS.index(first), (DAYS.index(last) - DAYS.index(first)) % len(DAYS) + 1
        found += [DAYS[(begin + number) % len(DAYS)] for number in range(count)]
    return list(dict.fromkeys(found))
