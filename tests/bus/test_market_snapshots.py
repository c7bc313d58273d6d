"""A market that dies and is made anew from its last mark and its tape is as if it had lived."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus import topics
from bus.candles import SymbolCandles
from bus.captured import MarketState
from bus.market import HISTORY, FeedClock, Market
from bus.messages import TICK_LATE, Bar, Candle, Candles, Tick, Ticks
from bus.sessions import WeeklySegment, always, at, weekly
from bus.timeframes import MINUTE, SECOND, parse

T0 = 1_704_103_200 * SECOND  # 2024-01-01 10:00:00 UTC, a Monday
LUNCH = weekly(
    "L", "UTC", [WeeklySegment(0, at(a), at(b)) for a, b in (("10:00", "10:05"), ("10:08", "11:10"))]
)
SYMBOLS = ["A", "B", "C"]


class Feed:
    """A source of ticks without a socket."""

    def __init__(self, name="main", calendar=None, **options):
        self.name = name
        self.clock = FeedClock()
        self.calendar = calendar or always()
        self.options = options

    def candles(self, symbol, timeframes, sample):
        made = SymbolCandles(symbol, timeframes, self.calendar, **self.options)
        if self.options.get("price", "last") == "last":
            made.start(T0 - MINUTE)
        return made


class Shelf:
    """An archive of which only what was flushed outlives the engine."""

    def __init__(self, kept=None):
        self.kept = dict(kept or {})
        self.waiting = {}

    def add(self, candles):
        self.waiting |= {(c.symbol, c.timeframe, c.open_time): c for c in candles}

    def flush(self):
        self.kept |= self.waiting
        self.waiting = {}

    def last(self, symbol, timeframe, count):
        found = [c for key, c in self.kept.items() if key[:2] == (symbol, timeframe)]
        return sorted(found, key=lambda c: c.open_time)[-count:]


class Engine:
    """A market on a tape, driven as the engine's loop drives it."""

    def __init__(self, feed, shelf=None, monotonic=0):
        self.feed = feed
        self.shelf = shelf or Shelf()
        self.tape = []
        self.told = []
        self.monotonic = monotonic
        self.market = Market(1, self.send, record=self.tape.append, archive=self.shelf)
        self.mark = (MarketState(), 0)

    def send(self, frame):
        self.tape.append(frame)
        self.told.append(frame)

    def take_mark(self):
        data = msgspec.msgpack.encode(self.market.capture())
        self.mark = (msgspec.msgpack.decode(data, type=MarketState), len(self.tape))

    def again(self, feed, upto=None):
        """Die, and be made anew from what is on the tape."""
        after = Engine(feed, Shelf(self.shelf.kept), self.monotonic)
        state, since = self.mark
        after.market.restore(state, self.tape[since:upto])
        after.market.revive(feed, lambda _: feed.clock, after.told.append)
        after.market.flush()
        for stream in after.market.streams.values():
            stream.wanted = self.market.streams[stream.symbol].wanted
        return after

    # ---- what happens ----
    def stream(self, symbol, sample):
        stream = self.market.stream(symbol)
        if stream.source is None:
            stream.adopt(self.feed, sample)
        return stream

    def tick(self, tick):
        self.market.take(self.stream(tick.symbol, tick), tick)
        self.feed.clock.advance(tick.ts, self.monotonic)

    def bar(self, bar):
        self.market.take_bar(self.stream(bar.symbol, bar), bar)
        self.feed.clock.advance(bar.open_time, self.monotonic)

    def turn(self, seconds):
        self.market.flush()
        self.monotonic += seconds
        self.market.close_by(self.feed.clock, self.monotonic)

    def beat(self, ts):
        self.feed.clock.advance(ts, self.monotonic)

    def gap(self, symbol, since, until):
        if symbol in self.market.streams:
            stream = self.market.streams[symbol]
            stream.mark_unhealthy(since)
            if self.feed.clock.healthy:
                stream.mark_healthy(until)

    def health(self, healthy):
        clock = self.feed.clock
        if healthy != clock.healthy:
            clock.healthy = healthy
            for stream in self.market.streams.values():
                if stream.source is not None:
                    (stream.mark_healthy if healthy else stream.mark_unhealthy)(clock.watermark)

    def want(self, symbol, timeframes):
        self.market.want(symbol, [parse(name) for name in timeframes.split()])

    def unwant(self, symbol):
        stream = self.market.streams.get(symbol)
        # One that no feed has brought is forgotten then, and what comes before the next reader goes untold.
        if stream is not None and stream.wanted and not stream.is_blank:
            self.market.unwant(symbol)

    def do(self, events):
        for name, arguments in events:
            getattr(self, name)(*arguments)


def state(engine):
    """How every symbol stands, after a mark: what was withheld since the last one is not compared."""
    engine.market.capture()
    return engine.market.capture().streams


def histories(engine):
    """What a warm-up can give, of every series."""
    return {
        (symbol, timeframe): list(stream.closed(timeframe))
        for symbol, stream in engine.market.streams.items()
        for timeframe in stream.history
    }


def life(seed, *, bars=True):
    """Turns of a market's life from a seed, each a list of what happens in it."""
    rng = random.Random(seed)
    now, seq, pace = T0, 0, rng.choice([SECOND, 5 * SECOND, 40 * SECOND])
    barred = rng.sample(SYMBOLS, 1) if bars and rng.random() < 0.3 else []
    turns = [[("want", (symbol, rng.choice(["1m", "10s 1m", "1m 5m 1h"]))) for symbol in SYMBOLS]]
    turns[0].append(("turn", (0,)))
    for _ in range(rng.randint(1, 40)):
        happening = []
        for _ in range(rng.randint(0, 5)):
            seq += 1
            now += rng.randint(0, pace)
            ts = now - rng.choice([0, 0, 0, 0, rng.randint(0, 2 * pace)])
            symbol = rng.choice(SYMBOLS)
            if symbol in barred:
                opens = ts - ts % (10 * SECOND)
                happening.append(
                    ("bar", (Bar(symbol, "10s", opens, 5.0, 9.0, 1.0, 4.0, rng.random(), closed=True),))
                )
                continue
            price, size = rng.choice([None, *[rng.uniform(1, 9)] * 9]), rng.choice([None, 0.1, 0.2, 0.3])
            happening.append(("tick", (Tick(symbol, ts, price, size, 1.5, 2.5, seq=seq),)))
        odd = rng.random()
        symbol = rng.choice(SYMBOLS)
        if odd < 0.05:
            happening.append(("gap", (symbol, now - rng.randint(0, pace), now)))
        elif odd < 0.12:
            happening.append(("health", (rng.random() < 0.6,)))
        elif odd < 0.16:
            happening.append(("want", (symbol, rng.choice(["10s", "3m", "5m", "7m", "1h"]))))
        elif odd < 0.18:
            happening.append(("unwant", (symbol,)))
        elif odd < 0.3:
            now += rng.randint(0, 2 * pace)
            happening.append(("beat", (now,)))
        elif odd < 0.305:
            now += 30 * 1440 * MINUTE  # as a recording with days missing
        happening.append(("turn", (rng.choice([0, 0, rng.randint(0, 2 * pace)]),)))
        turns.append(happening)
    return turns


feeds = st.fixed_dictionaries(
    {
        "calendar": st.sampled_from([None, None, LUNCH]),
        "synthetic": st.sampled_from(["deliver", "deliver", "history_only", "off"]),
        "lateness_ns": st.sampled_from([0, 0, 5 * SECOND]),
        "price": st.sampled_from(["last", "last", "mid"]),
    }
)


def reborn(feed, options):
    again = Feed(**options)
    again.clock.healthy = feed.clock.healthy
    again.clock.advance(feed.clock.watermark, 0)
    again.clock._advanced_at = feed.clock._advanced_at  # time went on as it did
    return again


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), feeds, st.data())
def test_a_death_between_two_turns_changes_nothing(seed, options, data):
    turns = life(seed)
    marks = data.draw(st.sets(st.integers(0, len(turns)), max_size=3), label="marks")
    death = data.draw(st.integers(0, len(turns)), label="death")
    whole = Engine(Feed(**options))
    for number, turn in enumerate(turns[:death]):
        whole.do(turn)
        if number in marks:
            whole.take_mark()
    feed = reborn(whole.feed, options)
    again = whole.again(feed)
    assert again.told == []
    assert state(again) == state(whole)
    assert histories(again) == histories(whole)

    told = len(whole.told)
    for turn in turns[death:]:
        whole.do(turn)
        again.do(turn)
    assert again.told == whole.told[told:]
    assert state(again) == state(whole)
    assert histories(again) == histories(whole)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), feeds, st.data())
def test_a_death_at_any_frame_numbers_on_and_closes_nothing_twice(seed, options, data):
    """Whatever was still on its way is not there; what is on the tape counts, and once."""
    turns = life(seed)
    whole = Engine(Feed(**options))
    death = data.draw(st.integers(1, len(turns)), label="death")
    for number, turn in enumerate(turns[:death]):
        whole.do(turn)
        if number == death // 2:
            whole.take_mark()
    upto = data.draw(st.integers(whole.mark[1], len(whole.tape)), label="frame")
    again = whole.again(reborn(whole.feed, options), upto)
    assert again.told == []
    assert published(again.tape) == {}
    last = published(whole.tape[:upto])
    for symbol, stream in again.market.streams.items():
        seqs = last.get((b"tick", symbol), (0, 0))[1], last.get((b"candle", symbol), (0, 0))[1]
        assert (stream.tick_seq, stream.candle_seq) == seqs
    for turn in turns[death:]:
        again.do(turn)
    for topic, (first, _) in published(again.tape).items():
        assert first == last.get(topic, (0, 0))[1] + 1
    ids = [
        (c.symbol, c.timeframe, c.open_time)
        for frame in [*whole.tape[:upto], *again.tape]
        for c in candles_of(frame)
    ]
    assert len(set(ids)) == len(ids)


def test_a_feeds_first_bar_closes_once_though_the_engine_dies_behind_its_candle():
    whole = Engine(Feed())
    whole.do([("want", ("A", "10s 1m")), ("turn", (0,))])
    whole.take_mark()
    bar = Bar("A", "10s", T0, 5.0, 9.0, 1.0, 4.0, 1.0, True)
    whole.do([("bar", (bar,)), ("turn", (SECOND,))])
    [at] = [number for number, frame in enumerate(whole.tape) if candles_of(frame)]
    again = whole.again(reborn(whole.feed, {}), at + 1)
    again.do([("bar", (bar,)), ("turn", (SECOND,))])
    assert [] == [candle for frame in again.tape for candle in candles_of(frame)]


def test_what_the_clock_closed_of_a_feed_of_bars_is_not_taken_for_its_bars():
    whole = Engine(Feed())
    bar = Bar("A", "10s", T0, 5.0, 9.0, 1.0, 4.0, 1.0, True)
    whole.do([("want", ("A", "10s 1m")), ("turn", (0,)), ("bar", (bar,)), ("turn", (0,))])
    whole.do([("turn", (70 * SECOND,))])
    assert any(candle.synthetic for frame in whole.tape for candle in candles_of(frame))
    assert state(whole.again(reborn(whole.feed, {}))) == state(whole)


def test_a_hole_begins_where_it_began_for_the_engine_that_met_it():
    whole = running(5, 65, timeframes="1m")
    whole.turn(130 * SECOND)  # the clock closes one, and the tick after the hole the next
    whole.tick(trade(30 * 86_400))
    whole.turn(0)
    assert len(closes(whole)) > 1
    assert state(whole.again(reborn(whole.feed, {}))) == state(whole)


@pytest.mark.parametrize("marked", [True, False])
def test_a_bar_that_was_in_before_its_candle_closed_is_not_counted_again(marked):
    options = {"lateness_ns": 5 * SECOND}
    whole = Engine(Feed(**options))
    bar = Bar("A", "10s", T0, 5.0, 9.0, 1.0, 4.0, 1.0, True)
    whole.do([("want", ("A", "10s 1m")), ("turn", (0,)), ("bar", (bar,)), ("turn", (0,))])
    assert closes(whole) == []
    if marked:
        whole.take_mark()
    whole.do([("beat", (T0 + 40 * SECOND,)), ("turn", (0,))])
    assert closes(whole)[0] == ("10s", 4.0)
    assert state(whole.again(reborn(whole.feed, options))) == state(whole)


def test_what_the_first_ticks_of_a_feed_close_closes_once_though_the_engine_dies_behind_it():
    whole = Engine(Feed())
    whole.do([("want", ("A", "1m")), ("turn", (0,))])
    whole.take_mark()
    first, closing = (Tick("A", T0 + at * SECOND, 5.0, 1.0, 4.0, 6.0, seq=at) for at in (10, 62))
    whole.do([("tick", (first,)), ("tick", (closing,)), ("turn", (SECOND,))])
    [at] = [number for number, frame in enumerate(whole.tape) if candles_of(frame)]
    again = whole.again(reborn(whole.feed, {}), at + 1)
    late = Tick("A", T0 + 42 * SECOND, 7.0, 1.0, 4.0, 6.0, seq=63)
    again.do([("tick", (late,)), ("turn", (0,)), ("beat", (T0 + 200 * SECOND,)), ("turn", (0,))])
    opens = [c.open_time for frame in again.tape for c in candles_of(frame)]
    assert T0 + 60 * SECOND in opens
    assert T0 not in opens


def candles_of(frame):
    kind, _, payload = frame.split(b"|", 2)
    return msgspec.msgpack.decode(payload, type=Candles).candles if kind == b"candle" else []


def published(frames):
    """The first and the last number of each topic."""
    found = {}
    for frame in frames:
        kind, name, payload = frame.split(b"|", 2)
        if kind == b"tick":
            message = msgspec.msgpack.decode(payload, type=Ticks)
            first, last = message.seq, message.seq + len(message.ticks) - 1
        elif kind == b"candle":
            first = last = msgspec.msgpack.decode(payload, type=Candles).seq
        else:
            continue
        topic = kind, name.decode()
        found[topic] = found.get(topic, (first, 0))[0], last
    return found


# ---- one thing at a time --------------------------------------------------------------------------
def trade(seconds, price=100.0, symbol="A"):
    return Tick(symbol, T0 + round(seconds * SECOND), price, 1.0)


def running(*seconds, feed=None, timeframes="10s 1m"):
    engine = Engine(feed or Feed())
    engine.want("A", timeframes)
    for second in seconds:
        engine.tick(trade(second, 100 + second))
        engine.turn(0)
    return engine


def closes(engine):
    """Every candle that was published: its timeframe, close and quality."""
    found = [candle for frame in engine.told for candle in candles_of(frame)]
    return [(c.timeframe, c.close) for c in found]


def test_an_open_candle_goes_on_without_a_mark():
    again = running(1, 15).again(Feed())
    again.tick(trade(21, 7.0))
    again.turn(0)
    assert closes(again) == [("10s", 115.0)]


def test_several_deaths_in_a_row_lose_nothing():
    engine = running(1, 5)
    for second in (12, 17, 23, 61):
        engine.take_mark()
        after = engine.again(Feed())
        after.take_mark()
        engine = after.again(Feed())
        engine.tick(trade(second, 100 + second))
        engine.turn(0)
    assert closes(engine)[-1] == ("1m", 123.0)


def test_a_death_before_the_feed_is_there_again_loses_nothing():
    first = running(1, 12)
    first.take_mark()
    first.tick(trade(15, 3.0))
    first.turn(0)
    second = Engine(Feed(), first.shelf)
    second.market.restore(first.mark[0], first.tape[first.mark[1] :])
    second.take_mark()  # no feed is configured yet
    third = second.again(Feed())
    third.market.streams["A"].wanted = 1
    third.tick(trade(21, 9.0))
    third.turn(0)
    assert closes(third) == [("10s", 3.0)]
    assert third.market.position(["A"]) == {"tick|A|": 4, "candle|A|": 2}


def test_what_closed_before_two_deaths_is_in_the_archive_though_no_mark_follows_the_feed():
    first = running(1, 12)
    first.take_mark()
    for second in (15, 21, 33, 45):
        first.tick(trade(second, 100.0 + second))
        first.turn(0)
    second = Engine(Feed(), Shelf(first.shelf.kept))
    expected = first.market.warmup(["A"], ["10s"], 100)
    second.market.restore(first.mark[0], first.tape[first.mark[1] :])
    second.take_mark()  # no feed is configured yet
    second.market.revive(second.feed, lambda _: second.feed.clock, second.told.append)
    second.market.streams["A"].wanted = 1
    second.tick(trade(46))
    second.turn(0)
    third = second.again(Feed())
    assert third.market.warmup(["A"], ["10s"], 100) == expected


def test_numbers_go_on_where_the_feed_is_gone_and_another_brings_the_symbol():
    first = running(1, 12)
    again = Engine(Feed("other"), first.shelf)
    again.market.restore(MarketState(), first.tape)
    assert again.market.revive(again.feed, lambda _: again.feed.clock, again.told.append) == []
    again.want("A", "10s")
    again.tick(trade(31))
    again.turn(0)
    assert again.market.position(["A"])["tick|A|"] == 3
    assert again.market.streams["A"].left is None


def test_what_closed_behind_the_mark_is_warm_up_though_another_feed_brings_the_symbol_first():
    """The feed that brought it is still to be opened: its port is taken."""
    first = running(1, 12)
    first.take_mark()
    for second in (25, 31):
        first.tick(trade(second))
        first.turn(0)
    again = Engine(Feed("other"), Shelf(first.shelf.kept))
    expected = first.market.warmup(["A"], ["10s"], 9)
    again.market.restore(first.mark[0], first.tape[first.mark[1] :])
    again.want("A", "10s")
    again.tick(trade(45))
    again.turn(0)
    assert again.market.warmup(["A"], ["10s"], 9)[:3] == expected
    assert [(c.open_time - T0) // SECOND for c in expected] == [0, 10, 20]


def test_what_a_feed_left_that_is_no_more_is_carried_on_by_nobody():
    engine = running(1, 12, 25)
    engine.take_mark()
    engine.tick(trade(31))
    engine.turn(0)
    engine = Engine.again(engine, Feed("other"))
    before = engine.market.capture().streams[0]
    assert before.behind
    engine.market.abandon({"main", "other"})
    assert engine.market.capture().streams[0] == before
    engine.market.abandon({"other"})
    [after] = engine.market.capture().streams
    assert (after.tick_seq, after.feed, after.book, after.behind) == (before.tick_seq + 1, "", None, ())
    # Another feed may bring the symbol: its warm-up has what had closed.
    engine.tick(trade(45))
    engine.turn(0)
    kept = [(c.open_time - T0) // SECOND for c in engine.market.warmup(["A"], ["10s"], 9)]
    assert [0, 10, 20] == kept


def test_other_prices_begin_anew_and_that_is_said():
    first = running(1, 12)
    again = Engine(Feed(price="mid"), first.shelf)
    again.market.restore(MarketState(), first.tape)
    told = []
    revived = again.market.revive(again.feed, lambda _: again.feed.clock, told.append)
    assert [stream.symbol for stream in revived] == ["A"]
    assert told == ["A: candles of last and trade do not go on with mid and trade"]
    assert again.market.warmup(["A"], ["10s", "1m"], 10) == []
    assert again.market.position(["A"]) == {"tick|A|": 2, "candle|A|": 1}


def test_warm_up_has_what_closed_before_the_death():
    first = running(*range(1, 100, 3))
    first.take_mark()
    first.tick(trade(105, 5.0))
    first.tick(trade(111, 6.0))
    first.turn(0)
    again = first.again(Feed())
    expected = first.market.warmup(["A"], ["10s", "1m"], 100)
    assert len(expected) == 12
    assert again.market.warmup(["A"], ["10s", "1m"], 100) == expected


def test_an_archive_alone_gives_a_warm_up_up_to_the_first_tick():
    first = running(*range(1, 100, 3))
    first.market.capture()
    again = Engine(Feed(), first.shelf)
    again.want("A", "10s")
    again.tick(trade(52))
    kept = again.market.warmup(["A"], ["10s"], 100)
    assert [c.close_time for c in kept] == [T0 + n * 10 * SECOND for n in range(1, 6)]
    assert kept == first.market.warmup(["A"], ["10s"], 100)[:5]


def test_an_archive_of_another_calendar_or_price_is_not_mixed_in():
    first = running(*range(1, 100, 3), timeframes="1h")
    odd = Candle("A", "1h", T0 - 1, T0 + 3600 * SECOND - 1, 1.0, 1.0, 1.0, 1.0, 1.0)
    bid = msgspec.structs.replace(odd, open_time=T0, close_time=T0 + 3600 * SECOND, price_kind="bid")
    for strange in (odd, bid):
        shelf = Shelf()
        shelf.add([strange])
        shelf.flush()
        again = Engine(Feed(), shelf)
        again.want("A", "1h")
        again.tick(trade(3700))
        assert again.market.warmup(["A"], ["1h"], 10) == []
    assert first.market.warmup(["A"], ["1h"], 10) == []


def test_of_an_archive_nothing_is_taken_from_before_the_feed_was_set_otherwise():
    """There and back again: what lies before is of the same price, with a hole in it."""

    def made(number, **otherwise):
        begin = T0 + number * 10 * SECOND
        candle = Candle("A", "10s", begin, begin + 10 * SECOND, 1.0, 1.0, 1.0, 1.0, 1.0)
        return msgspec.structs.replace(candle, **otherwise)

    for strange in (
        made(1, price_kind="bid"),
        made(1, open_time=T0 + 11 * SECOND),  # as a calendar has it whose sessions begin at another second
    ):
        shelf = Shelf()
        shelf.add([made(0), strange, made(2), made(3)])
        shelf.flush()
        again = Engine(Feed(), shelf)
        again.want("A", "10s")
        again.tick(trade(45))
        kept = [(c.open_time - T0) // SECOND for c in again.market.warmup(["A"], ["10s"], 9)]
        assert kept == [20, 30]


def test_no_more_is_kept_than_history_holds():
    shelf = Shelf()
    span = 10 * SECOND
    shelf.add(
        Candle("A", "10s", T0 + n * span, T0 + (n + 1) * span, 1.0, 1.0, 1.0, 1.0, 1.0)
        for n in range(HISTORY)
    )
    shelf.flush()
    engine = Engine(Feed(), shelf)
    engine.want("A", "10s")
    for n in range(3):
        engine.tick(trade((HISTORY + n) * 10 + 1))
        engine.turn(0)
    kept = engine.market.warmup(["A"], ["10s"], 2 * HISTORY)
    assert (len(kept), kept[0].open_time) == (HISTORY, T0 + 2 * span)


def test_an_outage_outlives_the_engine():
    first = running(1, 12)
    first.take_mark()
    first.gap("A", T0 + 12 * SECOND, T0 + 14 * SECOND)
    first.turn(0)
    again = first.again(Feed())
    again.tick(trade(21))
    again.turn(0)
    assert closes(again) == []
    (kept,) = again.market.streams["A"].history["10s"]
    assert kept.quality == "incomplete"


def test_a_symbol_that_nobody_reads_any_more_is_recorded_and_not_published():
    engine = running(1)
    engine.unwant("A")
    engine.told.clear()
    engine.tick(trade(12))
    engine.turn(0)
    assert engine.told == []
    assert [frame[:7] for frame in engine.tape if frame not in engine.told][-2:] == [b"candle|", b"tick|A|"]
    again = engine.again(Feed())
    assert state(again) == state(engine)


def test_a_symbol_that_was_never_read_leaves_nothing_but_its_name():
    engine = Engine(Feed())
    engine.tick(trade(1, symbol="B"))
    engine.turn(0)
    engine.tape.clear()
    engine.tick(trade(2, symbol="B"))
    engine.turn(0)
    assert engine.tape == []


def test_frames_of_others_are_no_concern_of_the_market():
    market = Market(1, lambda _: None)
    market.restore(MarketState(), [b"pulse||\x90", b"to|d|\x90", b"feed|main|\x90", b"mark||\x90"])
    assert market.streams == {}


def test_a_mark_is_small():
    engine = running(*[n / 7 for n in range(1, 2000)], timeframes="10s 1m 1h")
    assert len(msgspec.msgpack.encode(engine.market.capture())) < 3 * 300 + 200


# ---- the clock ------------------------------------------------------------------------------------
def test_while_a_clock_is_held_no_timer_closes_a_candle():
    engine = running(1, 8)
    clock = engine.feed.clock
    clock.held = True
    engine.turn(1000 * SECOND)
    assert (clock.now(engine.monotonic), closes(engine)) == (T0 + 8 * SECOND, [])
    clock.release(engine.monotonic)
    assert clock.now(engine.monotonic) == T0 + 8 * SECOND
    engine.turn(2 * SECOND)
    assert closes(engine) == []
    engine.turn(SECOND)
    assert closes(engine) == [("10s", 108.0)]


def test_a_held_clock_still_follows_what_comes():
    clock = FeedClock()
    clock.held = True
    assert clock.now(5) == 0
    clock.advance(T0, 10)
    clock.advance(T0 + 7, 20)
    assert clock.now(10**12) == T0 + 7


@pytest.mark.parametrize("held", [False, True])
def test_releasing_a_clock_that_is_not_held_changes_nothing(held):
    clock = FeedClock()
    clock.advance(T0, 10)
    clock.held = held
    clock.release(15)
    assert clock.now(20) == T0 + (5 if held else 10)


def test_state_is_no_prefix_of_another_topic():
    assert topics.state("A") == b"state|A|"


def test_a_tick_before_the_first_candle_is_flagged_as_after_a_restart():
    engine = running(15)
    after = engine.again(Feed())
    for one in (engine, after):
        one.told.clear()
        one.tick(trade(9))
        one.turn(0)
        (frame,) = one.told
        assert [t.flags for t in msgspec.msgpack.decode(frame[7:], type=Ticks).ticks] == [TICK_LATE]


def test_a_candle_that_was_not_published_is_incomplete_when_it_is_made_again():
    """It closed and its state was not recorded any more: nobody knows why strategies were not told."""
    engine = running(1, 12)
    engine.take_mark()
    frames = running(1, 12, 21).tape
    engine.tape += [frame for frame in frames if frame.startswith(b"tick|")][-1:]
    (kept,) = engine.again(Feed()).market.streams["A"].history["10s"]
    assert (kept.close, kept.quality) == (112.0, "incomplete")
