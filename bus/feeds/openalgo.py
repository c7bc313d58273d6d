"""OpenAlgo's broker adapters: two frames, topic ``EXCHANGE_SYMBOL_MODE`` and JSON.

Source: websocket_proxy/base_adapter.py, server.py (topic parser) and the broker adapters, as recorded in
wire/formats.json. MODE (LTP, QUOTE, DEPTH) is the last part of the topic and the only reliable one: the
``mode`` in the payload is a number with some brokers, a word with others. EXCHANGE is one part, or two for
the indices; SYMBOL may hold ``_``. Volume counts the day. Times come in s, ms or not at all.
Since 2026-06 the publisher connects, so the feed binds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from bus.feeds.errors import MAX_FRAME, FrameRefused, json_refusal, show
from bus.feeds.readings import Decoded, Ignored, Reading, Snapshot, decimal_price, optional_nanos, side
from bus.messages import DECODE_ERRORS, Price, Size

INDEX_EXCHANGES = frozenset({"NSE_INDEX", "BSE_INDEX", "MCX_INDEX", "GLOBAL_INDEX"})
MODES = ("LTP", "QUOTE", "DEPTH")

_OWN = (("_orders", "orders"), ("_positions", "positions"), ("_margins", "margins"))


class _Level(Struct, frozen=True):
    price: Size | None = None
    quantity: Size | None = None


class _Depth(Struct, frozen=True):
    buy: list[_Level] = []
    sell: list[_Level] = []


class _Payload(Struct, frozen=True):
    ltp: Price
    # text where the broker's packet is passed through: digits (upstox), or a bare HH:MM:SS (shoonya)
    ltt: float | str | None = None
    shoonya_timestamp: float | str | None = None
    timestamp: float | str | None = None
    volume: Size | None = None
    depth: _Depth | None = None


_decode = msgspec.json.Decoder(_Payload, strict=False).decode


def decode(frames: Sequence[bytes], received_at: int) -> list[Decoded | FrameRefused]:
    """Read one OpenAlgo message as a ``Snapshot``, or as ``Ignored`` if it is not about the market."""
    if len(frames) != 2:
        raise FrameRefused("frames", f"{len(frames)} frames, OpenAlgo sends 2: EXCHANGE_SYMBOL_MODE and JSON")
    topic, payload = frames
    if len(payload) > MAX_FRAME:
        raise FrameRefused("too_large", f"payload of {len(payload)} bytes, allowed are {MAX_FRAME}")
    if (name := _not_market(topic)) is not None:
        return [Ignored(name)]
    exchange, symbol, mode = parse_topic(topic)
    try:
        fields = _decode(payload)
    except DECODE_ERRORS as error:
        raise json_refusal(error, payload) from None
    return [_reading(exchange, symbol, mode, fields, received_at)]


def parse_topic(topic: bytes) -> tuple[str, str, str]:
    """Split ``EXCHANGE_SYMBOL_MODE`` into (exchange, symbol, mode); raises ``FrameRefused("topic")``."""
    try:
        text = topic.decode("ascii")
    except UnicodeDecodeError:
        raise FrameRefused("topic", f"topic {show(topic)} is not ASCII") from None
    rest, _, mode = text.rpartition("_")
    parts = rest.split("_")
    wide = 2 if "_".join(parts[:2]) in INDEX_EXCHANGES else 1
    exchange, symbol = "_".join(parts[:wide]), "_".join(parts[wide:])
    if mode not in MODES or not exchange or not symbol:
        raise FrameRefused(
            "topic", f"topic {show(text)}, allowed is EXCHANGE_SYMBOL_MODE, MODE {'|'.join(MODES)}"
        )
    return exchange, symbol, mode


def _not_market(topic: bytes) -> Literal["cache_invalidate", "orders", "positions", "margins"] | None:
    if topic.startswith(b"CACHE_INVALIDATE"):
        return "cache_invalidate"
    if topic.endswith(b"_orders"):
        return "orders"
    if topic.endswith(b"_positions"):
        return "positions"
    return "margins" if topic.endswith(b"_margins") else None


def _reading(exchange: str, symbol: str, mode: str, fields: _Payload, received_at: int) -> Reading:
    bid = _best(fields.depth.buy if fields.depth else [])
    ask = _best(fields.depth.sell if fields.depth else [])
    traded_at = optional_nanos(fields.ltt) or optional_nanos(fields.shoonya_timestamp)
    counted = fields.volume is not None and mode != "LTP"
    snapshot = Snapshot(
        symbol=symbol,
        last=decimal_price(fields.ltp),
        richness=(2 if fields.depth else 1) if counted else 0,
        received_at=received_at,
        traded_at=traded_at,
        published_at=optional_nanos(fields.timestamp),
        volume=fields.volume if counted else None,
        bid=bid[0],
        ask=ask[0],
        bid_size=bid[1],
        ask_size=ask[1],
    )
    return Reading(snapshot, exchange, untimed=traded_at == 0)


def _best(levels: list[_Level]) -> tuple[float | None, float | None]:
    """Give price and size of the first level; brokers fill an empty book with zeros."""
    if not levels or not side(levels[0].price):
        return None, None
    return decimal_price(levels[0].price or 0.0), levels[0].quantity
