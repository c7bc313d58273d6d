"""Darwinex's ZeroMQ connector for MetaTrader 4 (v2.0.1): one frame of text, ``SYMBOL:|:body``.

Source: DWX_ZeroMQ_Server_v2.0.1_RC8.mq4. A tick's body is ``bid;ask`` and carries no time, so it is stamped
on receipt. A rates body has eight fields and is sent on the *first* tick of a new bar with that bar's
values (O=H=L=C): it is never a closed candle, and its times are the broker's local ones, so it is ignored
by name. The body is empty where the terminal knew no price.
"""

from __future__ import annotations

from collections.abc import Sequence

from bus.feeds.errors import MAX_FRAME, FrameRefused, show
from bus.feeds.readings import Decoded, Ignored, Reading, price
from bus.messages import Tick

SEPARATOR = b":|:"


def decode(frames: Sequence[bytes], received_at: int) -> list[Decoded | FrameRefused]:
    """Read one DWX message; ``received_at`` (ns) becomes the event time."""
    if len(frames) != 1:
        raise FrameRefused("frames", f"{len(frames)} frames, DWX sends 1: 'SYMBOL:|:bid;ask'")
    frame = frames[0]
    if len(frame) > MAX_FRAME:
        raise FrameRefused("too_large", f"frame of {len(frame)} bytes, allowed are {MAX_FRAME}")
    topic, separator, body = frame.partition(SEPARATOR)
    if not separator or not topic:
        raise FrameRefused("malformed", f"no 'SYMBOL:|:' in {show(frame)}")
    if not body.strip():
        raise FrameRefused("empty", f"{show(topic)} came without prices: the terminal knows none")
    try:
        symbol, fields = topic.decode("ascii"), body.decode("ascii").split(";")
    except UnicodeDecodeError:
        raise FrameRefused("malformed", f"{show(frame)} is not ASCII") from None
    if len(fields) == 8:
        return [Ignored("opening_bar")]
    if len(fields) != 2:
        raise FrameRefused(
            "malformed", f"{len(fields)} fields in {show(frame)}, allowed are bid;ask or a bar of 8"
        )
    tick = Tick(symbol, received_at, bid=price(fields[0], "bid"), ask=price(fields[1], "ask"))
    return [Reading(tick, untimed=True)]
