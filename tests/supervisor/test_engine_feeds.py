"""What a feed's health does to the candles of its symbols (candles.md 6)."""

from __future__ import annotations

import pytest

from bus.market import Market
from bus.messages import Candles, FeedStatus, encode
from bus.sessions import always
from bus.sockets import Hub
from bus.timeframes import parse
from supervisor.control import EngineEvent, FeedSpec
from supervisor.engine.feeds import FeedPort
from tests.supervisor.engine_harness import EngineProcess, send_tick
from tests.waiting import wait_until

S = 1_000_000_000
T0 = 1_700_000_000 * S
pytestmark = pytest.mark.system


class Bench:
    """A feed and a market without the engine around them; a message is a turn, ``now`` event time."""

    def __init__(self, folder, *symbols, **settings):
        self.hub, self.told = Hub(), []
        spec = FeedSpec(name="main", endpoint=f"ipc://{folder}/feed", **settings)
        self.feed = FeedPort(self.hub, spec, always(), "deliver")
        self.market = Market(1, lambda _frame: None)
        for symbol in symbols:
            self.market.want(symbol, [parse("1s")])

    def take(self, frames, now):
        items = self.feed.intake.accept(frames, now)
        self.feed.check(now, self.told.append)
        for item in items:
            stream = self.market.stream(item.symbol)
            if stream.source is None:
                stream.adopt(self.feed)
                self.feed.streams[item.symbol] = stream
            self.market.take(stream, item)
        self.feed.clock.advance(self.feed.intake.watermark, 0)
        self.market.flush()
        self.market.close_due(self.feed.streams.values(), 0)

    def tick(self, symbol, seconds, seq=None):
        ts = T0 + round(seconds * 1000) * (S // 1000)
        payload = [symbol, ts, 100.0, 1.0, None, None, None, None, seq]
        self.take([f"tick.{symbol}".encode(), encode(payload)], ts)

    def beat(self, seconds, **last_seq):
        ts = T0 + round(seconds * 1000) * (S // 1000)
        self.take([b"hb", encode([ts, last_seq])], ts)

    def qualities(self, symbol):
        """Second of its open and quality of every candle closed, the partial first one left out."""
        candles = self.market.streams[symbol].history["1s"]
        return [((c.open_time - T0) // S, c.quality) for c in candles if not c.partial]

    def states(self):
        told, self.told = self.told, []
        return [(status.state, status.symbols) for status in told]

    def close(self):
        self.feed.close()
        self.hub.close()


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path, "X", "Y")
    yield made
    made.close()


def test_a_gap_spoils_the_candles_it_reaches_into_and_of_its_symbol_only(bench):
    for seconds, seq in [(0.5, 1), (1.5, 2), (2.5, 3), (3.5, 5), (4.5, 6), (5.5, 7)]:
        bench.tick("X", seconds, seq)
        bench.tick("Y", seconds + 0.1, None)
    assert bench.qualities("X") == [(1, "ok"), (2, "incomplete"), (3, "incomplete"), (4, "ok")]
    assert bench.qualities("Y") == [(1, "ok"), (2, "ok"), (3, "ok"), (4, "ok")]
    assert bench.feed.clock.healthy
    assert bench.states() == [("healthy", []), ("gap", ["X"]), ("healthy", ["X"])]


def test_a_gap_that_a_heartbeat_reveals_spoils_the_candle_that_is_open(bench):
    bench.beat(0.1)
    for seconds, seq in [(0.5, 1), (1.2, 2)]:
        bench.tick("X", seconds, seq)
    bench.beat(1.8, X=4)
    for seconds, seq in [(2.5, 5), (3.5, 6)]:
        bench.tick("X", seconds, seq)
    assert bench.qualities("X") == [(1, "incomplete"), (2, "ok")]


def test_a_gap_on_a_feed_that_is_not_healthy_leaves_its_outage_going_on(bench):
    for seconds, seq in [(0.5, 1), (1.5, 2)]:
        bench.tick("X", seconds, seq)
    bench.feed.intake.disconnected("gone", T0 + 60 * S)
    bench.tick("X", 2.5, 4)
    bench.tick("X", 3.5, 5)
    assert not bench.feed.clock.healthy
    assert bench.qualities("X") == [(1, "incomplete"), (2, "incomplete")]


def test_a_silence_spoils_what_it_reaches_into_though_its_end_comes_before_any_other_look(bench):
    for seconds, seq in [(0.5, 1), (1.5, 2)]:
        bench.beat(seconds - 0.1)
        bench.tick("X", seconds, seq)
    bench.feed.check(T0 + 6 * S, bench.told.append)
    assert not bench.feed.clock.healthy
    for seconds, seq in [(6.5, 3), (7.5, 4), (8.5, 5)]:
        bench.tick("X", seconds, seq)
    assert bench.qualities("X") == [(1, "incomplete"), (6, "incomplete"), (7, "ok")]
    assert bench.states() == [("healthy", []), ("stale", []), ("healthy", [])]


def test_a_gap_of_a_symbol_that_nobody_reads_is_told_and_nothing_else(bench):
    bench.take([b"tick.Z", encode(["Z", T0, 1.0, 1.0, None, None, None, None, 1])], T0)
    bench.feed.streams.clear()
    bench.take([b"hb", encode([T0 + S, {"Z": 9}])], T0 + S)
    assert bench.states()[-1] == ("gap", ["Z"])


def test_a_status_of_symbols_does_not_govern_the_clock_of_the_feed(bench):
    bench.tick("X", 0.5, 1)
    bench.feed.intake.health = lambda _now: [FeedStatus("main", "stale", T0, "", ["X"])]
    bench.feed.check(T0, bench.told.append)
    assert bench.feed.clock.healthy


# ---- the same in a real engine ----------------------------------------------------------------------
@pytest.fixture
def engine(tmp_path):
    made = EngineProcess(tmp_path)
    yield made
    assert made.stop() == 0, made.stderr
    assert made.stderr == ""


def closed(cell, symbol="X"):
    """The seconds at which the delivered candles of a symbol open, from ``T0``."""
    candles = [c for message in cell.listen() if isinstance(message, Candles) for c in message.candles]
    return [(c.open_time - T0) // S for c in candles if c.symbol == symbol]


def test_candles_with_a_gap_are_withheld_however_fast_their_ticks_come(engine):
    publisher, cell = engine.feed(), engine.attach(symbols=["X", "Y"])
    cell.run()
    for seq, seconds in enumerate((0.1, 1.1, 1.9, 2.5, 3.5, 4.5, 5.5), 1):
        ts = T0 + int(seconds * S)
        send_tick(publisher, "X", ts, 100.0, seq=seq if seq < 4 else seq + 1)
        send_tick(publisher, "Y", ts, 100.0, seq=seq)
    wait_until(lambda: closed(cell, "Y")[:4] == [1, 2, 3, 4], what="the candles of Y")
    wait_until(lambda: closed(cell)[:2] == [3, 4], what="the candles of X after its gap")
    assert "X: 1 missing" in engine.wait_news(EngineEvent, lambda e: e.kind == "feed_gap").detail
    publisher.close()
    cell.close()


def test_a_recording_sent_at_once_loses_no_candle_though_its_feed_was_not_healthy_before(engine):
    publisher, cell = engine.feed(), engine.attach()
    cell.run()
    engine.wait_news(EngineEvent, lambda e: e.kind == "feed_disconnected")
    for number in range(1000):
        send_tick(publisher, "X", T0 + number * S, 100.0, seq=number + 1)
    wait_until(lambda: 998 in closed(cell), what="the last candle")
    assert closed(cell)[:999] == list(range(999))
    publisher.close()
    cell.close()
