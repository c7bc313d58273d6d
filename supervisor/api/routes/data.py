"""What is traded and when, and what strategies can compute of it."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import APIRouter, Path, Query

from supervisor.api.caller import needs
from supervisor.api.pages import Paging
from supervisor.market_data import MOST_DAYS, indicators
from supervisor.schema.data import CalendarView, IndicatorList, SymbolView


class DataPort(Protocol):
    """The daemon, as these routes see it. Every method may raise the errors of supervisor/errors.py."""

    async def symbols(self, *, account: str | None = None) -> list[SymbolView]:
        """Return every symbol that is configured or read, by name.

        With an ``account`` those that only deployments of others read are not among them.
        """
        ...

    async def calendar(self, venue: str, *, days: int) -> CalendarView:
        """Return the sessions of one of the calendars that feeds and instruments name."""
        ...


def data_routes(api: APIRouter, daemon: DataPort) -> None:
    """Add the routes to ``api``."""

    @api.get("/symbols", dependencies=[needs("read")], summary="List symbols")
    async def symbols(page: Paging) -> list[SymbolView]:
        """Every symbol of the instruments file with its terms, and every other that a deployment reads."""
        return page.of(await daemon.symbols(), key=lambda one: one.symbol)

    # A name may hold a slash: 24x7@Europe/London.
    @api.get("/calendar/{venue:path}", dependencies=[needs("read")], summary="Sessions of a venue")
    async def calendar(
        venue: Annotated[str, Path(max_length=64, examples=["FX"])],
        days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = 5,
    ) -> CalendarView:
        """Whether a calendar that a feed or an instrument names is in session, and its next trading days."""
        return await daemon.calendar(venue, days=days)

    @api.get("/indicators", dependencies=[needs("read")], summary="List indicators")
    async def known() -> IndicatorList:
        """What strategies get from `ctx.indicator`, with the arguments of each."""
        return IndicatorList(indicators=indicators())
