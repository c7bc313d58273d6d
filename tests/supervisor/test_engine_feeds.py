"""What a feed's health does to the candles of its symbols (candles.md 6)."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bus.market import Market
from bus.messages import Candles, FeedStatus, encode
from bus.sessions import always
from bus.sockets import Hub, Publisher
from bus.timeframes import parse
from supervisor.control import Configure, EngineEvent, EngineStats, FeedSpec
from supervisor.engine.feeds import FeedPort
from tests.supervisor.engine_harness import send_tick
from tests.waiting import wait_until

S = 1_000_000_000
T0 = 1_700_000_000 * S
pytestmark = pytest.mark.system


class Bench:
    """A feed and a market without the engine around them; a message is a turn, ``now`` event time."""

    def __init__(self, folder, *symbols, **settings):
        self.hub, self.told = Hub(), []
        self.now = itertools.count(T0 + 3600 * S)
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
                self.feed.bring(stream, item)
            if stream.clock is not self.feed.clock:
                self.feed.advance_past(stream, item, 0)
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
    bench.beat(0.1)
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


# ---- publishers that come and go --------------------------------------------------------------------
def send(publisher, seconds, seq):
    send_tick(publisher, "X", T0 + round(seconds * 1000) * (S // 1000), 100.0, seq=seq)


def drain(bench):
    """Take what is waiting, as the engine does."""
    for frames in bench.feed.socket.drain():
        bench.take(frames, next(bench.now))
    bench.feed.desert(next(bench.now), bench.told.append)


def follow(bench):
    bench.feed.follow(next(bench.now), bench.told.append)
    return [state for state, symbols in bench.states() if not symbols]


def wait_peers(bench, *events):
    """Wait until the monitor has these to tell, and tell them."""
    seen = []
    wait_until(lambda: seen.extend(bench.feed.socket.monitor.events()) or seen == [*events], what=str(events))
    bench.feed.socket.monitor.events = lambda: iter(seen)


def test_a_publisher_that_goes_is_believed_gone_only_when_all_it_sent_was_taken(bench, tmp_path):
    publisher = Publisher(f"ipc://{tmp_path}/feed")
    assert publisher.wait_for_subscriber(10)
    for number in range(1000):
        send(publisher, number, number + 1)
    publisher.close()
    wait_peers(bench, "joined", "left")
    assert follow(bench) == []
    drain(bench)
    assert bench.states() == [("healthy", [])]
    drain(bench)
    assert bench.states() == [("disconnected", [])]
    assert not bench.feed.clock.healthy
    assert bench.qualities("X") == [(number, "ok") for number in range(999)]


def test_a_publisher_back_before_its_past_was_read_is_not_lost_with_it(bench, tmp_path):
    with Publisher(f"ipc://{tmp_path}/feed") as publisher:
        assert publisher.wait_for_subscriber(10)
        send(publisher, 0.5, 1)
    with Publisher(f"ipc://{tmp_path}/feed") as publisher:
        # A SUB sends its subscriptions again only when its own thread looks at it.
        wait_until(lambda: not bench.feed.socket.idle and publisher.wait_for_subscriber(0.01), what="SUB")
        wait_peers(bench, "joined", "left", "joined")
        assert follow(bench) == ["disconnected"]
        send(publisher, 1.5, 2)
        wait_until(lambda: drain(bench) or bench.feed.intake.ticks == 2, what="both ticks")
    assert bench.states()[-1] == ("healthy", [])


# ---- the same in a real engine ----------------------------------------------------------------------
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


ENDLESS = """
import itertools, sys, time
import msgpack, zmq
socket = zmq.Context().socket(zmq.PUB)
socket.bind(sys.argv[1])
print(socket.LAST_ENDPOINT.decode(), flush=True)
for seq in itertools.count(1):
    time.sleep(0.01)
    tick = ["X", time.time_ns(), 100.0, 1.0, None, None, None, None, seq]
    socket.send_multipart([b"tick.X", msgpack.packb(tick)])
"""


def states(engine):
    """The states of the feed as they were told, gaps and their ends left out."""
    told = [e for e in engine.listen() if isinstance(e, EngineEvent) and e.kind.startswith("feed_")]
    names = [e.kind.removeprefix("feed_") for e in told if "sequence" not in e.detail]
    return [name for n, name in enumerate(names) if name != "gap" and names[n - 1 : n] != [name]]


def test_a_publisher_that_is_killed_is_noticed_long_before_its_silence_and_so_is_its_return(engine):
    def start(endpoint):
        command = [sys.executable, "-c", ENDLESS, endpoint]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        return process, process.stdout.readline().strip()

    def end(process):
        process.kill()
        process.communicate()

    first, endpoint = start("tcp://127.0.0.1:*")
    # Sends no heartbeats: silence alone would be noticed after a minute.
    engine.tell(Configure([FeedSpec(name="main", endpoint=endpoint)]))
    wait_until(lambda: states(engine)[-1:] == ["healthy"], what="a healthy feed")
    end(first)
    wait_until(lambda: states(engine)[-2:] == ["healthy", "disconnected"], what="the loss")
    assert f"the publisher at {endpoint} has gone" in engine.events("feed_disconnected")[-1].detail
    second, _ = start(endpoint)
    wait_until(lambda: states(engine)[-2:] == ["disconnected", "healthy"], what="the return")
    end(second)


def test_a_bound_feed_is_disconnected_when_its_last_publisher_has_gone(engine):
    endpoint = f"ipc://{engine.folder}/feed"
    engine.tell(Configure([FeedSpec(name="main", endpoint=endpoint, mode="bind")]))
    publishers = [Publisher(endpoint, "connect") for _ in range(2)]
    for number, publisher in enumerate(publishers):
        assert publisher.wait_for_subscriber(10)
        send_tick(publisher, f"X{number}", time.time_ns(), 100.0)
    engine.wait_news(EngineStats, lambda s: s.feeds and s.feeds[0].ticks == 2)
    publishers[0].close()
    send_tick(publishers[1], "X1", time.time_ns(), 100.0)
    stats = engine.wait_news(EngineStats, lambda s: s.feeds and s.feeds[0].ticks == 3)
    assert stats.feeds[0].state == "healthy"
    publishers[1].close()
    detail = engine.wait_news(
        EngineEvent, lambda e: e.kind == "feed_disconnected" and "gone" in e.detail
    ).detail
    assert detail == f"feed main: the last publisher to {endpoint} has gone"


def test_a_symbol_is_taken_from_another_feed_once_the_first_is_closed(engine):
    cell = engine.attach()
    cell.run()
    specs = [FeedSpec(name=name, endpoint=f"ipc://{engine.folder}/feed-{name}") for name in ("a", "b")]
    publishers = [Publisher(spec.endpoint) for spec in specs]
    engine.tell(Configure(specs))
    assert all(publisher.wait_for_subscriber(10) for publisher in publishers)
    for number, publisher in enumerate(publishers, 1):
        send_tick(publisher, "X", T0 + number, 100.0 * number, seq=1)
        wait_until(cell.ticks, what="the tick of the first feed")
    engine.wait_news(EngineStats, lambda s: s.feeds and s.feeds[1].rejected == {"feed_conflict": 1})
    engine.tell(Configure(specs[1:]))
    wait_until(lambda: engine.wait_news(EngineStats, lambda s: len(s.feeds) == 1), what="one feed")
    send_tick(publishers[1], "X", T0 + 3, 300.0, seq=2)
    wait_until(lambda: [tick.last for tick in cell.ticks()] == [100.0, 300.0], what="a tick of the second")
    for each in (*publishers, cell):
        each.close()


def test_the_candle_in_which_a_feed_was_closed_and_opened_again_is_withheld(engine):
    publisher, cell = engine.feed(), engine.attach(timeframes=["1m"])
    cell.run()
    minute = T0 + 40 * S  # T0 is 22:13:20
    for number, seconds in enumerate((0, 60, 80), 1):
        send_tick(publisher, "X", minute + seconds * S, 100.0, seq=number)
    wait_until(lambda: closed(cell) == [40], what="the first candle")
    engine.tell(Configure([]))
    engine.tell(Configure([FeedSpec(name="main", endpoint=f"ipc://{engine.folder}/feed-main")]))
    # The first word is of the subscription that ended.
    wait_until(lambda: publisher.wait_for_subscriber(0.01), what="the subscription that followed")
    for number, seconds in enumerate((90, 121, 181), 4):
        send_tick(publisher, "X", minute + seconds * S, 100.0, seq=number)
    wait_until(lambda: len(closed(cell)) == 2, what="the candle after that")
    assert closed(cell) == [40, 160]
    publisher.close()
    cell.close()


def test_a_recording_from_years_ago_after_live_data_gets_its_candles(engine):
    """By the clock of the feed they would all be over before they began."""
    publisher = engine.feed()
    live, past = engine.attach("live"), engine.attach("past", symbols=["OLD"])
    for cell in (live, past):
        cell.run()
    now, years_ago = time.time_ns(), T0 // S * S
    for number in range(3):
        send_tick(publisher, "X", now + number, 100.0)
    wait_until(lambda: len(live.ticks()) == 3, what="the live ticks")
    for number in range(41):
        send_tick(publisher, "OLD", years_ago + number * S // 10, 100.0)
    wait_until(lambda: len(closed(past, "OLD")) >= 3, what="the candles of the recording")
    assert closed(past, "OLD")[:3] == [0, 1, 2]
    assert {tick.flags for tick in past.ticks()} == {0}
    assert past.ask(symbol="OLD", data_as_of=years_ago + 4 * S, data_key=1).decision == "accepted"
    publisher.close()
    for cell in (live, past):
        cell.close()


def test_a_symbol_that_catches_up_goes_by_the_clock_of_its_feed(bench):
    bench.tick("X", 7200)
    bench.tick("Y", 0)
    assert len(bench.feed.clocks) == 2
    stream = bench.market.streams["Y"]
    assert stream.clock is bench.feed.clocks[1]
    bench.tick("Y", 7200)
    assert stream.clock is bench.feed.clock


def test_a_feed_is_opened_and_closed_again_and_again_without_a_trace(engine):
    publisher = engine.feed()
    before = descriptors(engine)
    for _ in range(5):
        engine.tell(Configure([]))
        engine.tell(Configure([FeedSpec(name="main", endpoint=f"ipc://{engine.folder}/feed-main")]))
    wait_until(lambda: descriptors(engine) == before, what="the descriptors it had before")
    publisher.close()


def descriptors(engine):
    return len(list(Path(f"/proc/{engine.process.pid}/fd").iterdir()))


# ---- feeds that are set otherwise, or cannot be opened yet -------------------------------------------
def test_a_feed_that_cannot_be_bound_is_told_once_and_opened_when_it_can(engine):
    endpoint = f"ipc://{engine.folder}/later/feed"
    engine.tell(Configure([FeedSpec(name="main", endpoint=endpoint, mode="bind")]))
    engine.wait_news(EngineEvent, lambda e: e.kind == "feed_failed" and "tried every second" in e.detail)
    count = len(engine.listen())
    wait_until(
        lambda: sum(isinstance(n, EngineStats) for n in engine.listen()[count:]) >= 2, what="two tries"
    )
    (engine.folder / "later").mkdir()
    engine.wait_news(EngineEvent, lambda e: e.kind == "feed_opened")
    assert len(engine.events("feed_failed")) == 1
    publisher = Publisher(endpoint, "connect")
    assert publisher.wait_for_subscriber(10)
    publisher.close()


def test_a_feed_that_could_not_be_opened_and_is_not_wanted_any_more_is_not_tried(engine):
    endpoint = f"ipc://{engine.folder}/never/feed"
    engine.tell(Configure([FeedSpec(name="main", endpoint=endpoint, mode="bind")]))
    engine.wait_news(EngineEvent, lambda e: e.kind == "feed_failed")
    engine.tell(Configure([]))
    (engine.folder / "never").mkdir()
    count = len(engine.listen())
    wait_until(
        lambda: sum(isinstance(n, EngineStats) for n in engine.listen()[count:]) >= 3, what="time for it"
    )
    assert engine.events("feed_opened") == []


def test_with_another_price_the_candles_begin_anew_and_that_is_told(engine):
    publisher, cell = engine.feed(price="last"), engine.attach()
    cell.run()
    for seq in range(1, 5):
        send_tick(publisher, "X", T0 + seq * S, 100.0, seq=seq)
    wait_until(lambda: closed(cell) == [1, 2, 3][:2] or 2 in closed(cell), what="candles of trades")
    spec = FeedSpec(name="main", endpoint=f"ipc://{engine.folder}/feed-main", price="bid")
    engine.tell(Configure([spec]))
    told = engine.wait_news(EngineEvent, lambda e: e.kind == "feed_candles_anew")
    assert told.detail == (
        "feed main: price last, calendar 24x7 became bid, 24x7: candles of 1 symbols begin anew"
    )
    wait_until(lambda: publisher.wait_for_subscriber(0.01), what="the subscription that followed")
    for seq in range(5, 10):
        send_tick(publisher, "X", T0 + seq * S, 100.0, seq=seq)
    heard = wait_until(
        lambda: [
            c
            for message in cell.listen()
            if isinstance(message, Candles)
            for c in message.candles
            if c.price_kind == "bid"
        ],
        what="candles of bids",
    )
    assert heard[0].close == 99.99
    publisher.close()
    cell.close()
