"""What the API asks of markets, answered for one daemon: only what it trades or reads."""

from __future__ import annotations

import asyncio
import time

from bus.sessions import CalendarError
from supervisor import market_data
from supervisor.catalogue_port import Strategies
from supervisor.errors import NotFound, Unavailable, near_matches
from supervisor.schema.data import CalendarView, SymbolView


class MarketData(Strategies):
    """``supervisor.api.routes.data.DataPort``; a part of ``Port``."""

    async def symbols(self, *, account: str | None = None) -> list[SymbolView]:
        """Return every symbol that is configured or read, by name."""
        return market_data.symbols(self._daemon.trading.instruments, self._used(account))

    async def calendar(self, venue: str, *, days: int) -> CalendarView:
        """Return the sessions of one of the calendars that feeds and instruments name."""
        daemon = self._daemon
        known = {feed.calendar for feed in daemon.settings.feed_specs}
        known |= {one.calendar for one in daemon.trading.instruments.known.values()}
        if venue not in known - {""}:
            # Any other would have to be made in a process of its own, for whoever asks.
            raise NotFound("calendar", venue, near_matches(venue, known), "feeds and instruments name them")
        try:
            tables = await asyncio.to_thread(daemon.calendars, [venue])
        except CalendarError as error:
            raise Unavailable(f"calendar {venue!r}: {error}") from None
        return market_data.calendar(tables[venue], time.time_ns(), days)
