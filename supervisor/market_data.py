"""Symbols, sessions and indicators, as the API shows them. Pure: ``now`` is an argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from bus.sessions import SessionCalendar
from strategies.indicators import INDICATORS, Indicator, ValueIndicator
from strategies.trading.instruments import Instruments
from supervisor.listing import Used
from supervisor.schema.data import (
    ArgumentView,
    CalendarView,
    IndicatorView,
    SegmentView,
    SymbolView,
    TradingDayView,
)

MOST_DAYS: Final = 60
"""Trading days of a calendar that are shown at once."""


def symbols(known: Instruments, used: Iterable[Used]) -> list[SymbolView]:
    """Return every symbol of the instruments file, and every other that a deployment reads, by name."""
    readers: dict[str, list[str]] = {}
    for one in used:
        for symbol in one.symbols:
            readers.setdefault(symbol, []).append(one.id)
    names = sorted({*known.known, *known.broken, *readers})
    return [_symbol(name, known, readers.get(name, [])) for name in names]


def _symbol(name: str, known: Instruments, readers: list[str]) -> SymbolView:
    terms = known.of(name)
    if terms is None:
        return SymbolView(symbol=name, configured=True, deployments=readers, problem=known.broken[name])
    return SymbolView(
        symbol=name,
        configured=name in known.known,
        tick_size=terms.tick_size,
        lot_size=terms.lot_size,
        min_quantity=terms.min_quantity,
        multiplier=terms.multiplier,
        currency=terms.currency,
        base=terms.base,
        calendar=terms.calendar,
        venues=dict(terms.venues),
        deployments=readers,
    )


def calendar(found: SessionCalendar, now: int, days: int) -> CalendarView:
    """Return whether ``found`` is in session at ``now`` (unix ns), and its next ``days`` trading days."""
    shown: list[TradingDayView] = []
    at: int | None = now
    while len(shown) < min(days, MOST_DAYS) and at is not None:
        opens = found.next_open(at)
        day = None if opens is None else found.day(opens)
        if day is None:
            break
        segments = [SegmentView(opens=opens, closes=closes) for opens, closes in day.segments]
        shown.append(TradingDayView(day=day.label, segments=segments))
        at = day.close
    return CalendarView(
        name=found.name,
        zone=found.zone,
        in_session=found.segment(now) is not None,
        next_open=found.next_open(now),
        known_until=found.horizon,
        days=shown,
    )


def indicators(made: Mapping[str, Callable[..., Indicator]] = INDICATORS) -> list[IndicatorView]:
    """Return what ``ctx.indicator`` knows, from the classes themselves."""
    return [
        IndicatorView(
            name=name,
            description=(inspect.getdoc(kind) or "").partition("\n")[0],
            takes="close" if isinstance(kind, type) and issubclass(kind, ValueIndicator) else "candle",
            arguments=[
                ArgumentView(
                    name=one.name,
                    type=getattr(one.annotation, "__name__", str(one.annotation)),
                    default=None if one.default is inspect.Parameter.empty else one.default,
                )
                for one in inspect.signature(kind).parameters.values()
            ],
        )
        for name, kind in sorted(made.items())
    ]
