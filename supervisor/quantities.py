"""Sizes and spans as people write them: ``256M``, ``1.5G``, ``250ms``, ``1m30s``.

The grammar is systemd's (systemd.resource-control(5): K, M, G and T are powers of 1024;
systemd.time(7): ms, s, m or min, h, d, and sums of them), so that a unit file and stratd.toml agree.
"""

from __future__ import annotations

import math
import re

SIZE_ALLOWED = "bytes, or a number with K, M, G or T (powers of 1024), as in 256M"
DURATION_ALLOWED = "seconds, or numbers with ms, s, m, h or d, as in 250ms or 1m30s"

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([KMGT])(?:i?B)?|B)?", re.IGNORECASE)
_SIZE_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|sec|s|min|m|h|d)?\s*", re.IGNORECASE)
_SPAN_UNITS = {"ms": 1e-3, "": 1.0, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 1e300
"""More seconds than that are infinitely many."""


def parse_size(value: object) -> int:
    """Return bytes; ``value`` is a whole number of bytes or a text such as ``256M``.

    Raises ``ValueError`` with a sentence that says what is allowed.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        size = float(match[1]) * _SIZE_UNITS[(match[2] or "").upper()]
        if math.isfinite(size):
            return round(size)
    raise ValueError(f"must be a size: {SIZE_ALLOWED}")


def parse_duration(value: object) -> float:
    """Return seconds; ``value`` is a number of seconds or a text such as ``250ms`` or ``1m30s``.

    Raises ``ValueError`` with a sentence that says what is allowed.
    """
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
        return float(value) if abs(value) <= _LONGEST else math.inf  # no float holds every whole number
    text = value.strip().lower() if isinstance(value, str) else ""
    total, at = 0.0, 0
    while match := _SPAN.match(text, at):
        total += float(match[1]) * _SPAN_UNITS[match[2] or ""]
        at = match.end()
    if not text or at != len(text):
        raise ValueError(f"must be a span of time: {DURATION_ALLOWED}")
    return total


def format_size(size: int) -> str:
    """Return ``size`` bytes in the largest unit that keeps three figures: ``256M``, ``1.5G``."""
    amount, unit = float(size), "B"
    for unit in ("B", "K", "M", "G", "T"):
        if amount < 1024 or unit == "T":
            break
        amount /= 1024
    return f"{amount:.3g}{unit}" if amount < 1000 else f"{amount:.0f}{unit}"
