"""The way of live data, from a publisher's frames to published candles, against what a vendor made of it."""

from __future__ import annotations

import time

import msgspec
import pytest

from bus import topics
from bus.candles import SymbolCandles
from bus.intake import Intake
from bus.market import FeedClock, Market
from bus.messages import Candles, Heartbeat, Tick, Ticks, encode
from bus.pacing import MAX_SPEED, publish
from bus.recordings import open_recordings
from bus.sockets import split
from bus.timeframes import DAY, parse
from tests.bus.replaying import builder, replay
from tests.bus.vendors import FXCM, FXCM_ZONE, LEAN, fx_bars, midnight, stamped
from tests.shared import needs_shared

pytestmark = [needs_shared("data"), pytest.mark.shared]

TICKS = LEAN / "Data__forex__fxcm__tick__eurusd__20140505_quote.zip"
OPENS = midnight("20140505", FXCM_ZONE)
TIMEFRAMES = ("1s", "1m")


class Wire:
    """What a replay publishes, kept: the native feed's frames."""

    def __init__(self):
        self.messages = []

    def send(self, topic, payload):
        self.messages.append([topic, payload])

    def send_frames(self, frames):
        self.messages.append(frames)


class Feed:
    """A source that was connected since midnight, without a socket."""

    calendar = FXCM

    def __init__(self, price):
        self.clock = FeedClock()
        self.price = price

    def candles(self, symbol, timeframes, sample):
        made = SymbolCandles(symbol, timeframes, FXCM, price=self.price, synthetic="off")
        made.start(OPENS)
        return made


@pytest.fixture(scope="module")
def frames():
    """A day of ticks as `stratd feed replay` publishes it, and a heartbeat at its end."""
    wire = Wire()
    with open_recordings([TICKS]) as recording:
        assert publish(recording, wire, speed=MAX_SPEED).ticks == 58_143
    wire.send(b"hb", encode(Heartbeat(OPENS + DAY, {})))
    return wire.messages


def run(frames, price, messages_a_turn):
    """Do as the engine does, turn by turn; give the intake and everything published, decoded."""
    sent = []
    market, intake, feed = Market(1, sent.append), Intake("fx", "native"), Feed(price)
    market.want("EURUSD", [parse(name) for name in TIMEFRAMES])
    stream = market.stream("EURUSD")
    stream.adopt(feed, Tick("EURUSD", OPENS, bid=1.0, ask=1.0))
    now = time.time_ns()
    for begin in range(0, len(frames), messages_a_turn):
        for message in frames[begin : begin + messages_a_turn]:
            for tick in intake.accept(message, now):
                market.take(stream, tick)
        feed.clock.advance(intake.watermark, 0)
        market.flush()
        market.close_due([stream], 0)
    kinds = {topics.tick("EURUSD"): Ticks, topics.candle("EURUSD"): Candles}
    pairs = [split(frame) for frame in sent]
    return intake, [msgspec.msgpack.decode(payload, type=kinds[topic]) for topic, payload in pairs]


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_fxcm_ticks_through_the_live_path_give_the_vendors_17495_second_and_1410_minute_bars(frames, side):
    intake, published = run(frames, side, 512)
    candles = [c for message in published if isinstance(message, Candles) for c in message.candles]
    seconds, minutes = ([c for c in candles if c.timeframe == name] for name in TIMEFRAMES)
    assert (len(seconds), len(minutes)) == (17_495, 1_410)
    assert stamped(seconds) == fx_bars("20140505", "second", side)
    assert stamped(minutes) == fx_bars("20140505", "minute", side)
    assert (intake.ticks, intake.crossed, intake.gaps, intake.rejected) == (58_143, 4_987, 0, {})


def test_every_tick_is_published_once_in_order_and_after_the_candles_before_it(frames):
    _, published = run(frames, "bid", 512)
    numbers, closed_to = [], 0
    for message in published:
        if isinstance(message, Candles):
            assert message.as_of > closed_to
            closed_to = message.as_of
            continue
        assert message.seq == len(numbers) + 1
        assert all(tick.ts >= closed_to and not tick.flags for tick in message.ticks)
        numbers += [tick.seq for tick in message.ticks]
    assert numbers == list(range(1, 58_144))


def test_how_many_messages_come_in_one_turn_changes_no_candle_and_neither_does_a_replay(frames):
    def candles(messages_a_turn):
        _, published = run(frames, "bid", messages_a_turn)
        return [message.candles for message in published if isinstance(message, Candles)]

    one_by_one = candles(1)
    assert one_by_one == candles(4096)
    with open_recordings([TICKS]) as recording:
        ticks = [tick for _, tick in recording]
    made = builder(" ".join(TIMEFRAMES), FXCM, price="bid", synthetic="off", symbol="EURUSD")
    groups = replay(made, ticks, OPENS + DAY)
    assert [group.candles for group in groups] == one_by_one
