"""cryptofeed's ZeroMQ backend (2.4.1): one frame, ``EXCHANGE-channel-SYMBOL {json}``.

Source: cryptofeed/backends/zmq.py and types.pyx; with ``dynamic_key=False`` the key is the channel alone.
An exchange may hold ``_`` and a symbol ``-`` (``BINANCE_FUTURES-trades-BTC-USDT-PERP``); the payload names
both again, and is what counts. Times are float seconds; ``numeric_type=str`` writes prices as text.
The publisher connects, so the feed binds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from bus.feeds.errors import MAX_FRAME, FrameRefused, json_refusal, show
from bus.feeds.readings import Decoded, Reading, nanos, side
from bus.messages import DECODE_ERRORS, Bar, Price, Size, Symbol, Tick

T = TypeVar("T")

Venue = Annotated[str, Meta(max_length=32)]


class _Trade(Struct, frozen=True):
    exchange: Venue
    symbol: Symbol
    amount: Size
    price: Price
    id: str | int | None = None
    timestamp: float | None = None
    receipt_timestamp: float | None = None


class _Ticker(Struct, frozen=True):
    exchange: Venue
    symbol: Symbol
    bid: Size | None
    ask: Size | None
    timestamp: float | None = None
    receipt_timestamp: float | None = None


class _Candle(Struct, frozen=True):
    exchange: Venue
    symbol: Symbol
    start: float
    interval: Annotated[str, Meta(pattern=r"^[1-9]\d{0,4}(s|m|h|d|w|M)$")]
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Size
    closed: bool | None = None


def _trade(payload: bytes, received_at: int) -> Reading:
    trade = _decode(_decode_trade, payload)
    ts, untimed = _time(trade.timestamp, trade.receipt_timestamp, received_at)
    trade_id = None if trade.id is None or trade.id == "" else str(trade.id)[:64]
    tick = Tick(trade.symbol, ts, last=trade.price, size=trade.amount, trade_id=trade_id)
    return Reading(tick, trade.exchange, untimed)


def _ticker(payload: bytes, received_at: int) -> Reading:
    ticker = _decode(_decode_ticker, payload)
    ts, untimed = _time(ticker.timestamp, ticker.receipt_timestamp, received_at)
    tick = Tick(ticker.symbol, ts, bid=side(ticker.bid), ask=side(ticker.ask))
    return Reading(tick, ticker.exchange, untimed)


def _candle(payload: bytes, received_at: int) -> Reading:  # noqa: ARG001  (as the other channels)
    candle = _decode(_decode_candle, payload)
    bar = Bar(
        candle.symbol,
        candle.interval,
        nanos(candle.start),
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        candle.volume,
        # null is an exchange that does not say; taking that for closed would make a forming bar final
        closed=candle.closed is True,
    )
    return Reading(bar, candle.exchange)


_Reader = Callable[[bytes, int], Reading]
_READERS: dict[str, _Reader] = {"trades": _trade, "ticker": _ticker, "candles": _candle}
_UNUSED = frozenset(
    {"book", "l1_book", "l2_book", "l3_book", "funding", "open_interest", "liquidations", "index"}
    | {"order_info", "fills", "transactions", "balances", "positions"}
)
# strict=False takes numbers written as text, which is what numeric_type=str makes of them
_decode_trade = msgspec.json.Decoder(_Trade, strict=False).decode
_decode_ticker = msgspec.json.Decoder(_Ticker, strict=False).decode
_decode_candle = msgspec.json.Decoder(_Candle, strict=False).decode


def decode(frames: Sequence[bytes], received_at: int) -> list[Decoded | FrameRefused]:
    """Read one cryptofeed message; ``received_at`` (ns) stands in where it carries no time at all."""
    if len(frames) != 1:
        raise FrameRefused(
            "frames", f"{len(frames)} frames, cryptofeed sends 1: 'EXCHANGE-channel-SYMBOL {{json}}'"
        )
    frame = frames[0]
    if len(frame) > MAX_FRAME:
        raise FrameRefused("too_large", f"frame of {len(frame)} bytes, allowed are {MAX_FRAME}")
    key, space, payload = frame.partition(b" ")
    channel = _channel(key)
    reader = _READERS.get(channel)
    if space and reader is not None:
        return [reader(payload, received_at)]
    if channel in _UNUSED:
        raise FrameRefused(
            "unsupported", f"channel {channel!r} is not used, allowed are {', '.join(_READERS)}"
        )
    raise FrameRefused(
        "topic",
        f"key {show(key)} names no channel, allowed are {', '.join(_READERS)} as EXCHANGE-channel-SYMBOL",
    )


def _channel(key: bytes) -> str:
    """Give the channel of a key: its second part, or all of it with ``dynamic_key=False``."""
    parts = key.split(b"-", 2)
    return parts[1 if len(parts) == 3 else 0].decode("ascii", "replace")


def _time(timestamp: float | None, receipt: float | None, received_at: int) -> tuple[int, bool]:
    """Give (ns, untimed): where the exchange sends no time, cryptofeed repeats its receipt time."""
    if timestamp:
        return nanos(timestamp), timestamp == receipt
    return (nanos(receipt) if receipt else received_at), True


def _decode(decoder: Callable[[bytes], T], payload: bytes) -> T:
    try:
        return decoder(payload)
    except DECODE_ERRORS as error:
        raise json_refusal(error, payload) from None
