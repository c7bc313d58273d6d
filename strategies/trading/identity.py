"""Names that a replay reproduces: the idempotency key of a signal, and ids made of time and sequence."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

import msgspec

from bus.messages import Signal

SEQS: Final = 2**32
"""A name made by ``uuid7`` tells its ``seq`` but for multiples of this."""
_encode: Final = msgspec.msgpack.Encoder().encode
_NAME: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-([89ab][0-9a-f]{3})-([0-9a-f]{12})", re.ASCII
)


def idempotency_key(deployment_id: str, signal: Signal) -> bytes:
    """Return the 32 bytes by which a repeated signal is known; published as 64 hex digits.

    SHA-256 over the MessagePack array ``[deployment_id, symbol, timeframe, data_key, intent, leg]``.
    MessagePack writes the length before every string, so no two lists of fields give the same bytes.
    No clock, no run id and no quantity is in it: the same candle judged again after a restart has the
    same key, even if the strategy now wants another size.
    """
    fields = (deployment_id, signal.symbol, signal.timeframe, signal.data_key, signal.intent, signal.leg)
    return sha256(_encode(fields)).digest()


def uuid7(now: int, seq: int, seed: int = 0) -> str:
    """Return a UUID version 7 (RFC 9562, section 5.7) for time ``now`` (ns) and the journal's ``seq``.

    No random source is asked, so a replay gives the same id. After the 48 bits of milliseconds stand 12
    bits of the millisecond's fraction (RFC 9562, section 6.2, method 3), then 32 bits of ``seq``, which
    make it unique and ascending within one journal, and 30 bits of ``seed``, which tell journals apart.
    """
    millis, rest = divmod(now, 1_000_000)
    fraction = (rest << 12) // 1_000_000
    low = 2 << 62 | (seq & 0xFFFF_FFFF) << 30 | (seed & 0x3FFF_FFFF)
    return (
        f"{millis >> 16 & 0xFFFF_FFFF:08x}-{millis & 0xFFFF:04x}-7{fraction:03x}"
        f"-{low >> 48:04x}-{low & 0xFFFF_FFFF_FFFF:012x}"
    )


def seq_of(name: str) -> int | None:
    """Return the ``seq`` in a name that ``uuid7`` made, modulo ``SEQS``; None for any other text."""
    found = _NAME.fullmatch(name)
    return int(found[1] + found[2], 16) >> 30 & SEQS - 1 if found else None
