"""What the engine is told of its feeds: their sections, and the session calendars they name as tables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from supervisor.config import Settings
from supervisor.control import Configure
from supervisor.events import EventLog

log = structlog.get_logger()
Calendars = Callable[[list[str]], dict[str, Any]]
"""Loads session calendars by name as plain tables; blocks."""


async def configuration(
    settings: Settings, calendars: Calendars, events: EventLog, problems: dict[str, str], trading: str = ""
) -> Configure:
    """Return what the engine is to do. A feed whose calendar cannot be had stays closed, and says why.

    Without its calendar a feed's candles would be cut at the wrong instants, and look like good ones.
    """
    feeds = settings.feed_specs
    tables: dict[str, Any] = {}
    for name in sorted({feed.calendar for feed in feeds if feed.calendar}):
        problems.pop(f"calendar {name}", None)
        try:
            tables |= await asyncio.to_thread(calendars, [name])
        except Exception as error:  # the wall: one calendar must not close the other feeds
            log.debug("calendar_failed", calendar=name, exc_info=True)
            closed = ", ".join(feed.name for feed in feeds if feed.calendar == name)
            problems[f"calendar {name}"] = f"feed {closed} is off: calendar {name!r}: {error}"
            events.note("problem", problems[f"calendar {name}"])
    return Configure(
        [feed for feed in feeds if not feed.calendar or feed.calendar in tables],
        tables,
        settings.candles.synthetic,
        settings.signals.spec(),
        settings.restart.checkpoint_every,
        trading,
    )
