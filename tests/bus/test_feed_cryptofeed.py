"""cryptofeed's messages, as its ZeroMQ backend 2.4.1 writes them."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from bus.feeds.cryptofeed import decode
from bus.feeds.errors import FrameRefused
from bus.feeds.readings import Reading
from bus.messages import Bar, Tick
from tests.bus.feeding import T0, recorded
from tests.shared import SHARED, needs_shared

TRADE = {
    "exchange": "COINBASE", "symbol": "BTC-USD", "side": "buy", "amount": 0.015, "price": 61234.5, "id": "1",
    "type": None, "timestamp": 1700000000.123456, "receipt_timestamp": 1700000000.2,
}  # fmt: skip
TICKER = {
    "exchange": "KRAKEN", "symbol": "ETH-USD", "bid": 2010.1, "ask": 2010.3, "timestamp": 1700000002.75,
    "receipt_timestamp": 1700000002.8,
}  # fmt: skip
CANDLE = {
    "exchange": "BINANCE", "symbol": "BTC-USDT", "start": 1700000000, "stop": 1700000059.999,
    "interval": "1m", "trades": 42, "open": 61000, "close": 61010.5, "high": 61020, "low": 60990,
    "volume": 12.5, "closed": True, "timestamp": 1700000060, "receipt_timestamp": 1700000060.1,
}  # fmt: skip


def read(key, fields):
    (reading,) = decode([f"{key} {json.dumps(fields)}".encode()], T0)
    return reading


def refused(*frames):
    with pytest.raises(FrameRefused) as caught:
        decode(list(frames), T0)
    return caught.value


def test_a_trade_has_price_size_id_and_the_exchange_s_time():
    expected = Tick("BTC-USD", 1_700_000_000_123_456_000, last=61234.5, size=0.015, trade_id="1")
    assert read("COINBASE-trades-BTC-USD", TRADE) == Reading(expected, "COINBASE")


def test_a_static_key_is_the_channel_alone():
    assert read("trades", TRADE) == read("COINBASE-trades-BTC-USD", TRADE)


def test_an_exchange_with_an_underscore_and_a_symbol_with_dashes_are_taken_from_the_payload():
    fields = TICKER | {"exchange": "BINANCE_FUTURES", "symbol": "BTC-USDT-PERP"}
    reading = read("BINANCE_FUTURES-ticker-BTC-USDT-PERP", fields)
    assert (reading.venue, reading.body.symbol) == ("BINANCE_FUTURES", "BTC-USDT-PERP")


def test_prices_written_as_text_are_prices():
    fields = TRADE | {"price": "61234.5", "amount": "0.015"}
    assert read("trades", fields) == read("trades", TRADE)


def test_a_time_that_only_repeats_the_receipt_is_told_as_untimed():
    assert read("ticker", TICKER).untimed is False
    assert read("ticker", TICKER | {"receipt_timestamp": TICKER["timestamp"]}).untimed is True


def test_without_any_time_a_message_is_stamped_on_receipt():
    without = read("trades", TRADE | {"timestamp": None, "receipt_timestamp": None})
    publisher = read("trades", TRADE | {"timestamp": None})
    assert (without.body.ts, without.untimed) == (T0, True)
    assert (publisher.body.ts, publisher.untimed) == (1_700_000_000_200_000_000, True)


def test_a_side_without_anybody_is_absent():
    assert read("ticker", TICKER | {"bid": 0}).body.bid is None
    assert read("ticker", TICKER | {"bid": None}).body.bid is None


def test_an_id_may_be_absent_or_a_number():
    assert read("trades", TRADE | {"id": None}).body.trade_id is None
    assert read("trades", TRADE | {"id": 17}).body.trade_id == "17"


@pytest.mark.parametrize(("closed", "expected"), [(True, True), (False, False), (None, False)])
def test_a_candle_is_closed_only_if_the_exchange_says_so(closed, expected):
    bar = read("BINANCE-candles-BTC-USDT", CANDLE | {"closed": closed}).body
    assert bar == Bar("BTC-USDT", "1m", T0, 61000.0, 61020.0, 60990.0, 61010.5, 12.5, expected)


@pytest.mark.parametrize("channel", ["book", "l2_book", "funding", "open_interest", "liquidations"])
def test_a_channel_that_is_known_and_not_used_is_unsupported(channel):
    found = refused(f"COINBASE-{channel}-BTC-USD {{}}".encode())
    assert found.reason == "unsupported"
    assert "trades, ticker, candles" in found.detail


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([b"COINBASE-trades-BTC-USD", b"{}"], "frames"),
        ([b"COINBASE-trades-BTC-USD"], "topic"),
        ([b"COINBASE-shouts-BTC-USD {}"], "topic"),
        ([b""], "topic"),
        ([b"\xff\xfe-\xff- {}"], "topic"),
        ([b"trades {}"], "field"),
        ([b"trades {"], "malformed"),
        ([b"trades []"], "field"),
        ([b"trades " + b"[" * 100_000], "field"),
        ([b'trades {"a":' + b"[" * 100_000], "malformed"),
        ([b"trades " + b" " * (1 << 20)], "too_large"),
        ([b"trades " + json.dumps(TRADE | {"price": 0}).encode()], "not_positive"),
        ([b"trades " + json.dumps(TRADE | {"amount": -1}).encode()], "not_positive"),
        ([b"trades " + json.dumps(TRADE | {"price": 1e16}).encode()], "too_large"),
        ([b"trades " + json.dumps(TRADE | {"price": float("nan")}).encode()], "not_finite"),
        ([b"trades " + json.dumps(TRADE | {"price": "nan"}).encode()], "not_finite"),
        ([b"trades " + json.dumps(TRADE | {"price": "inf"}).encode()], "not_finite"),
        ([b"trades " + json.dumps(TRADE | {"timestamp": 5}).encode()], "time"),
        ([b"candles " + json.dumps(CANDLE | {"interval": "7y"}).encode()], "field"),
    ],
)
def test_a_message_is_refused_by_reason(frames, reason):
    found = refused(*frames)
    assert found.reason == reason, found.detail


@needs_shared("wire", "samples")
@pytest.mark.parametrize("exchange", ["BINANCE_FUTURES", "BITFINEX"])
def test_a_recorded_session_has_exactly_the_messages_that_cryptofeed_counts(exchange):
    expected = json.loads((SHARED / "expected" / "cryptofeed_playback_counts.json").read_text())["expected"]
    found = Counter()
    for frames in recorded(f"cryptofeed_playback_{exchange}.jsonl"):
        (reading,) = decode(frames, T0)
        assert reading.venue == exchange
        found["trades" if reading.body.last is not None else "ticker"] += 1
    assert dict(found) == expected[exchange]


@needs_shared("wire", "samples")
def test_what_its_backend_wrote_of_known_objects_is_read_back():
    readings = [reading for frames in recorded("cryptofeed_direct.jsonl") for reading in decode(frames, T0)]
    assert readings == [
        Reading(Tick("BTC-USD", 1_700_000_000_123_456_000, 61234.5, 0.015, trade_id="1"), "COINBASE"),
        Reading(Tick("ETH-USD", 1_700_000_002_750_000_000, bid=2010.1, ask=2010.3), "KRAKEN", untimed=True),
        Reading(Bar("BTC-USDT", "1m", T0, 61000.0, 61020.0, 60990.0, 61010.5, 12.5, True), "BINANCE"),
        Reading(Tick("BTC-USD", 1_700_000_001_500_000_000, 61234.25, 0.5, trade_id="2"), "COINBASE"),
    ]
