"""What a strategy says besides signals: handed to the host's ``update`` sink, as plain frozen data.

``Schedule`` (a timer) is ``bus.messages.Schedule``. Times are event time, int nanoseconds, UTC.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from bus.messages import Schedule

Level: TypeAlias = Literal["debug", "info", "warning", "error"]


class LogLine(Struct, array_like=True, frozen=True, tag=1):
    """``ctx.log``: at most ``MAX_TEXT`` characters, the rest cut and said so."""

    level: Level
    text: str
    at: int


class Fault(Struct, array_like=True, frozen=True, tag=2):
    """A callback raised, or returned what it may not. ``traceback`` is of the author's frames only."""

    callback: str
    error: str
    traceback: str
    at: int


class Saved(Struct, array_like=True, frozen=True, tag=3):
    """A checkpoint: ``state`` packed by ``strategies.state``, of the strategy's ``state_version``."""

    state: bytes
    version: int


class Recorded(Struct, array_like=True, frozen=True, tag=4):
    """``ctx.record``: one point of a chart or metric."""

    name: str
    value: float
    at: int


class Answered(Struct, array_like=True, frozen=True, tag=5):
    """What a strategy answered to a command or to ``inspect``: JSON, or ``why`` not, in one line."""

    request: int
    data: bytes = b""
    why: str = ""


Update: TypeAlias = LogLine | Fault | Saved | Recorded | Schedule | Answered

PARAMETERS_UPDATED = "on_parameters_updated"
"""The callback whose fault is a refusal."""
LONGEST_REQUEST = 86_400
"""Seconds that ``ctx.request_time`` may ask for at once: a day."""
MAX_TEXT = 8192
"""Longest log line or traceback in characters; a message of the cell is bounded, so this is."""


def bounded(text: str, limit: int = MAX_TEXT) -> str:
    """``text``, or its beginning and end with a note of how much was cut between them."""
    if len(text) <= limit:
        return text
    half = (limit - 40) // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters cut ...\n{text[-half:]}"
