"""Constrained scalars: what a field may hold stands in its type."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

# le=1e15 is what refuses infinity: msgspec compares, and NaN compares false with everything.
Price: TypeAlias = Annotated[float, Meta(gt=0, le=1e15)]
Size: TypeAlias = Annotated[float, Meta(ge=0, le=1e15)]
Number: TypeAlias = Annotated[float, Meta(ge=-1e15, le=1e15)]
Nanos: TypeAlias = Annotated[int, Meta(gt=0, le=2**63 - 1)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
# The characters of a symbol are checked once per symbol where it enters (bus/topics.py): a regular
# expression here would cost twice as much as the whole rest of a tick.
Symbol: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
TimeframeId: TypeAlias = Annotated[str, Meta(pattern=r"^[1-9]\d{0,4}(s|m|h|d|w|M)$")]
ShortText: TypeAlias = Annotated[str, Meta(max_length=256)]

PriceKind: TypeAlias = Literal["last", "bid", "ask", "mid", "mark"]
VolumeKind: TypeAlias = Literal["trade", "cumulative", "tick"]
