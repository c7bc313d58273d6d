"""Names what a refused frame really is, where it is a publisher or an encoding that we know and do not take.

Called only after an adapter refused a message, so it costs nothing on the way of good ones. It looks at
bytes and opens nothing: a pickle runs code when it is opened, whoever sent it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bus.feeds.errors import FrameRefused, show

_BITCOIN = frozenset({b"hashtx", b"rawtx", b"hashblock", b"rawblock", b"sequence"})
_PRICE_LINE = re.compile(rb"[^\s{}\"]{1,32} \d{1,12}(\.\d{1,8})?")


def identify(frames: Sequence[bytes], refused: FrameRefused) -> FrameRefused:
    """Give a refusal that names the sender's format, or ``refused`` itself where it is not recognised."""
    if any(_is_pickle(frame) for frame in frames):
        return FrameRefused(
            "pickle", f"a Python pickle (vn.py's RpcServer?) is never opened: {show(frames[-1])}"
        )
    if len(frames) == 3 and frames[0] in _BITCOIN and len(frames[2]) == 4:
        return FrameRefused(
            "foreign_format", f"a Bitcoin Core notification {show(frames[0])} is no market data"
        )
    if len(frames) == 1 and refused.reason in ("frames", "topic", "malformed"):
        frame = frames[0]
        if frame.startswith(b'{"status":'):
            return FrameRefused("foreign_format", f"MQL5-JSON-API is not a format of stratd: {show(frame)}")
        if _PRICE_LINE.fullmatch(frame):
            return FrameRefused(
                "foreign_format", f"'SYMBOL price' without a time is not a format: {show(frame)}"
            )
    return refused


def _is_pickle(frame: bytes) -> bool:
    """Tell a pickle of protocol 2 to 5: PROTO opcode, version, and STOP at the end (pickletools)."""
    return len(frame) > 3 and frame[0] == 0x80 and 2 <= frame[1] <= 5 and frame[-1:] == b"."
