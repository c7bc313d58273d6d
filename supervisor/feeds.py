"""What the engine is told of its feeds (their sections, calendars as tables), and what it says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from supervisor.config import Settings
from supervisor.control import Configure, EngineStats, FeedSpec
from supervisor.events import EventLog
from supervisor.schema import FeedView
from supervisor.views import feed

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
    for name in sorted({spec.calendar for spec in feeds if spec.calendar}):
        problems.pop(f"calendar {name}", None)
        try:
            tables |= await asyncio.to_thread(calendars, [name])
        except Exception as error:  # the wall: one calendar must not close the other feeds
            log.debug("calendar_failed", calendar=name, exc_info=True)
            closed = ", ".join(spec.name for spec in feeds if spec.calendar == name)
            problems[f"calendar {name}"] = f"feed {closed} is off: calendar {name!r}: {error}"
            events.note("problem", problems[f"calendar {name}"])
    return Configure(
        [spec for spec in feeds if not spec.calendar or spec.calendar in tables],
        tables,
        settings.candles.synthetic,
        settings.signals.spec(),
        settings.restart.checkpoint_every,
        trading,
    )


def pictures(specs: Iterable[FeedSpec], stats: EngineStats | None) -> list[FeedView]:
    """Return every configured feed; one of which the engine has said nothing yet is ``unknown``."""
    known = {row.name: feed(row) for row in stats.feeds} if stats else {}
    return [
        known.get(spec.name)
        or FeedView(
            name=spec.name, format=spec.format, endpoint=spec.endpoint, mode=spec.mode, state="unknown"
        )
        for spec in specs
    ]
