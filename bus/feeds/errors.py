"""Why a frame was refused: one exception with a reason from a closed list, and one line of detail.

::

    FrameRefused    what came in cannot be used; counted under its reason, nothing stops

A refused frame is the publisher's fault or a wrong setting, never ours: the detail is written for whoever
reads ``stratd feeds``, and names the thing, the value and what is allowed.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, get_args

Reason: TypeAlias = Literal[
    "frames",  # a wrong number of frames
    "topic",  # a topic this format does not have, or one that contradicts its payload
    "malformed",  # the payload does not parse at all
    "field",  # it parses, and a field is missing or has the wrong type
    "not_positive",  # a price that is not > 0, a size or counter that is negative
    "not_finite",  # NaN or infinity
    "too_large",  # a number beyond 1e15, a text beyond its length, a frame beyond 1 MiB
    "no_price",  # neither last, bid nor ask
    "empty",  # a body with nothing in it
    "ohlc",  # a bar whose high is not its highest or whose low is not its lowest price
    "time",  # a time before 1973 or after 2100: a wrong unit
    "future",  # event time ahead of the clock by more than the allowance
    "backwards",  # event time behind what was delivered by more than the allowance
    "volume_decrease",  # a day counter of volume that fell inside one trading day
    "symbol",  # a name that cannot be a symbol
    "too_many_symbols",  # more distinct symbols, or timeframes of one symbol, than the limit
    "venue_conflict",  # one plain symbol from two venues
    "unsupported",  # a channel that is known and not used, such as an order book
    "foreign_format",  # a message of a publisher that stratd has no format for
    "pickle",  # a Python pickle: opening one runs its code, so it is never opened
]
REASONS: tuple[Reason, ...] = get_args(Reason)

MAX_FRAME = 1 << 20
"""Largest frame that is looked into, in bytes: two thousand ticks fit in a fifth of it."""

_SHOWN = 80
_NOT_FINITE = re.compile(rb':\s*"?[-+]?(nan|inf|infinity)\b', re.IGNORECASE)


class FrameRefused(Exception):
    """A frame, or one reading in it, that is counted by ``reason`` and goes no further."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def refusal(error: Exception, payload: bytes) -> FrameRefused:
    """Name the reason of a failed decode; msgspec's message already names the field and what is allowed.

    A NaN fails a lower bound and an infinity an upper one; ``json_refusal`` and ``native.refuse_tick``
    look again to tell those from numbers that are only too small or too large.
    """
    text = str(error)
    if isinstance(error, RecursionError):
        return FrameRefused("malformed", f"nested too deeply: {show(payload)}")
    if isinstance(error, UnicodeDecodeError):
        return FrameRefused("malformed", f"text that is not UTF-8: {show(payload)}")
    if not text.startswith(("Expected", "Object", "Number", "Invalid")):
        return FrameRefused("malformed", f"{text}: {show(payload)}")
    reason: Reason = "field"
    if "` > " in text or "` >= " in text:
        reason = "not_positive"
    elif "` <= " in text or "length <=" in text or text.startswith("Number out of range"):
        reason = "too_large"
    return FrameRefused(reason, f"{text}, in {show(payload)}")


def json_refusal(error: Exception, payload: bytes) -> FrameRefused:
    """Do ``refusal`` for JSON, where a NaN is either no JSON at all or text that fails a bound."""
    found = refusal(error, payload)
    if found.reason in ("malformed", "not_positive", "too_large") and _NOT_FINITE.search(payload):
        return FrameRefused("not_finite", found.detail)
    return found


def show(data: bytes | str) -> str:
    """Give the beginning of ``data`` as printable ASCII in quotes: whatever came in, a log stays a line."""
    head = data[:_SHOWN]
    try:
        text = ascii(head.decode() if isinstance(head, bytes) else head)
    except UnicodeDecodeError:
        text = ascii(head)
    return text if len(data) <= _SHOWN else f"{text}... ({len(data)} long)"
