"""The native feed: two frames, topic and MessagePack (cli.md, "Native feed").

The hot path. ``decode_tick`` is one typed decode that validates on the way, and ``bus/intake.py`` calls it
without anything around it; ``decode`` below is the complete reading of any native message.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from bus.feeds.errors import MAX_FRAME, FrameRefused, refusal, show
from bus.feeds.readings import Decoded, Ignored, Reading
from bus.messages import DECODE_ERRORS, Bar, Heartbeat, Tick

T = TypeVar("T")

decode_tick: Callable[[bytes], Tick] = msgspec.msgpack.Decoder(Tick).decode
"""A ``tick.*`` payload; raises one of ``DECODE_ERRORS``."""

_decode_bar = msgspec.msgpack.Decoder(Bar).decode
_decode_heartbeat = msgspec.msgpack.Decoder(Heartbeat).decode
_decode_batch = msgspec.msgpack.Decoder(list[Tick]).decode
_decode_parts = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode

TOPICS = "tick.<symbol>, ticks.<symbol>, bar.<symbol>.<timeframe> and hb"


def decode(frames: Sequence[bytes], received_at: int) -> list[Decoded | FrameRefused]:  # noqa: ARG001  (as all)
    """Read one native message; refuse it whole with ``FrameRefused``.

    In a batch, a bad tick is refused alone: it stands in the list as its refusal, the others as readings.
    """
    if len(frames) != 2:
        raise FrameRefused("frames", f"{len(frames)} frames, a native message has 2: topic and payload")
    topic, payload = frames
    if len(payload) > MAX_FRAME:
        raise FrameRefused("too_large", f"payload of {len(payload)} bytes, allowed are {MAX_FRAME}")
    if topic == b"hb":
        return [_decode(_decode_heartbeat, payload)]
    kind, dot, name = topic.partition(b".")
    if dot and kind == b"tick":
        tick = _decode(decode_tick, payload)
        return [Reading(own(_belongs(tick, tick.symbol, name)))]
    if dot and kind == b"ticks":
        return _batch(name, payload)
    if dot and kind == b"bar":
        bar = _decode(_decode_bar, payload)
        return [Reading(_belongs(bar, f"{bar.symbol}.{bar.timeframe}", name))]
    raise FrameRefused("topic", f"topic {show(topic)}, allowed are {TOPICS}")


def own(tick: Tick) -> Tick:
    """Drop an eleventh element: ``flags`` are the engine's to set, not a publisher's."""
    return msgspec.structs.replace(tick, flags=0) if tick.flags else tick


def refuse_tick(error: Exception, payload: bytes) -> FrameRefused:
    """Name why ``decode_tick`` raised; looks at the values again, since a NaN only fails a bound."""
    found = refusal(error, payload)
    if found.reason in ("not_positive", "too_large"):
        bad = [value for value in _plain(payload) if isinstance(value, float) and not math.isfinite(value)]
        if bad:
            return FrameRefused("not_finite", f"{bad[0]}: {found.detail}")
    return found


def _batch(name: bytes, payload: bytes) -> list[Decoded | FrameRefused]:
    try:
        ticks = _decode_batch(payload)
    except DECODE_ERRORS:
        return [_one_of(name, bytes(part)) for part in _decode(_decode_parts, payload)]
    if not ticks:
        return [Ignored("empty_batch")]
    return [_checked(name, tick) for tick in ticks]


def _one_of(name: bytes, payload: bytes) -> Decoded | FrameRefused:
    try:
        return _checked(name, _decode(decode_tick, payload))
    except FrameRefused as refused:
        return refused


def _checked(name: bytes, tick: Tick) -> Decoded | FrameRefused:
    try:
        return Reading(own(_belongs(tick, tick.symbol, name)))
    except FrameRefused as refused:
        return refused


def _belongs(body: T, says: str, topic: bytes) -> T:
    """Return ``body`` if its payload names what its topic names: subscribers filtered by the topic."""
    if says.encode() != topic:
        raise FrameRefused("topic", f"the topic is about {show(topic)}, its payload about {show(says)}")
    return body


def _decode(decoder: Callable[[bytes], T], payload: bytes) -> T:
    try:
        return decoder(payload)
    except DECODE_ERRORS as error:
        raise refuse_tick(error, payload) from None


def _plain(payload: bytes) -> Sequence[Any]:
    """Give the elements of an array payload, [] where it is none."""
    try:
        value = msgspec.msgpack.decode(payload)
    except DECODE_ERRORS:
        return []
    return value if isinstance(value, list) else []
