"""Numbers, spans and instants as people read them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

NOTHING = "-"


def span(seconds: float | None) -> str:
    """Return ``1.5s``, ``3m20s``, ``2h05m``, ``4d11h``: two units at most, ``-`` for None."""
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.1f}s" if seconds < 10 else f"{seconds:.0f}s"
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def lag(milliseconds: float | None) -> str:
    """Return ``0.4ms`` below a second, else a span: of a recording, by the clock of now, hours or days.

    Negative where a publisher's clock, or its zone, is ahead of ours.
    """
    if milliseconds is None:
        return NOTHING
    size = abs(milliseconds)
    text = f"{size:.1f}ms" if size < 1000 else span(size / 1000)
    return f"-{text}" if milliseconds < 0 else text


def megabytes(value: float | None) -> str:
    """Return MiB in three figures, with the unit."""
    if value is None:
        return NOTHING
    return f"{value:.1f}M" if value < 100 else f"{value:.0f}M" if value < 1024 else f"{value / 1024:.1f}G"


def number(value: float | None, digits: int = 1) -> str:
    """Return ``value`` with ``digits`` after the point, ``-`` for None."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def amount(value: float | None) -> str:
    """Return a quantity or price without needless zeros."""
    return NOTHING if value is None else f"{value:.10g}"


def count(value: int) -> str:
    """Return a count as it is up to six figures, then in thousands or millions."""
    if value < 1_000_000:
        return str(value)
    return f"{value / 1e6:.1f}M" if value < 1_000_000_000 else f"{value / 1e9:.1f}G"


def instant(nanos: int | None, zone: tzinfo | None = None) -> str:
    """Return the local date and time of an instant in ns since the epoch, to the millisecond."""
    if not nanos:
        return NOTHING
    moment = datetime.fromtimestamp(nanos // 1_000_000_000, UTC).astimezone(zone)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{nanos // 1_000_000 % 1000:03d}"


def clock(nanos: int | None, zone: tzinfo | None = None) -> str:
    """Return the local time of day of an instant, to the millisecond."""
    return instant(nanos, zone).partition(" ")[2] or NOTHING
