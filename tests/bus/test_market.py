"""What is published, in which order, under which sequence."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from bus import topics
from bus.agenda import NEVER
from bus.candles import SymbolCandles
from bus.market import LEAP, RECORDED, FeedClock, Market, Stream
from bus.messages import TICK_LATE, TICK_OUT_OF_SESSION, Bar, Candles, Tick, Ticks
from bus.sessions import SessionCalendar, WeeklySegment, always, at, weekly
from bus.sockets import split
from bus.timeframes import Timeframe, parse

S = 1_000_000_000
T0 = 1_700_000_000 * S  # 22:13:20 UTC, a Tuesday


DAYTIME = weekly(
    "day", "America/New_York", [WeeklySegment(day, at("09:30"), at("16:00")) for day in range(5)]
)


class Feed:
    """A source of ticks without a socket."""

    def __init__(self, calendar: SessionCalendar | None = None) -> None:
        self.clock = FeedClock()
        self.calendar = calendar or always()

    def candles(self, symbol: str, timeframes: Sequence[Timeframe], sample: Tick | Bar) -> SymbolCandles:
        return SymbolCandles(symbol, timeframes, self.calendar)


class Bench:
    """A market with one symbol, what it sent kept decoded."""

    def __init__(self, *timeframes: str, calendar: SessionCalendar | None = None) -> None:
        self.sent: list[Ticks | Candles] = []
        self.market = Market(7, self._keep)
        self.feed = Feed(calendar)
        self.market.want("X", [parse(t) for t in timeframes])
        self.stream: Stream = self.market.stream("X")
        self.stream.adopt(self.feed, Tick("X", T0, 100.0))

    def _keep(self, frame: bytes) -> None:
        topic, payload = split(frame)
        kind: type[Ticks | Candles] = Ticks if topic == topics.tick("X") else Candles
        self.sent.append(msgspec.msgpack.decode(payload, type=kind))

    def tick(self, seconds: float, price: float = 100.0) -> None:
        self.market.take(self.stream, Tick("X", T0 + int(seconds * S), price, 1.0))

    def start(self) -> None:
        """Say that nothing was missed, so that the first candle is whole."""
        assert self.stream.book is not None
        self.stream.book.start(T0)

    def turn(self) -> list[Ticks | Candles]:
        self.market.flush()
        sent, self.sent = self.sent, []
        return sent


def test_the_ticks_of_one_turn_are_one_message_numbered_from_one() -> None:
    bench = Bench("1s")
    turns = []
    for ticks in ([0.1], [0.2, 0.3], [0.4]):
        for seconds in ticks:
            bench.tick(seconds)
        turns.append([(m.epoch, m.seq, len(m.ticks)) for m in bench.turn() if isinstance(m, Ticks)])
    assert [[(7, 1, 1)], [(7, 2, 2)], [(7, 4, 1)]] == turns


def test_a_candle_is_published_before_the_tick_that_closes_it() -> None:
    bench = Bench("1s")
    bench.start()
    for seconds in (0.1, 0.9, 1.0, 1.5):
        bench.tick(seconds, price=100 + seconds)
    sent = bench.turn()
    assert [Ticks, Ticks, Candles, Ticks] == [type(m) for m in sent]
    (candle,) = sent[2].candles  # type: ignore[union-attr]
    assert (T0, T0 + S, 100.1, 100.9) == (candle.open_time, candle.close_time, candle.open, candle.close)
    assert [T0 + S, T0 + int(1.5 * S)] == [t.ts for t in sent[3].ticks]  # type: ignore[union-attr]


def test_all_timeframes_of_one_instant_come_in_one_message_ascending() -> None:
    bench = Bench("5s", "1s", "10s")
    bench.start()
    for second in range(11):
        bench.tick(second + 0.5)
    boundaries = [m for m in bench.turn() if isinstance(m, Candles)]
    assert ["1s", "5s", "10s"] == [c.timeframe for c in boundaries[9].candles]
    assert [T0 + (n + 1) * S for n in range(10)] == [m.as_of for m in boundaries]


def test_a_timeframe_asked_for_later_leaves_the_open_candle_alone() -> None:
    bench = Bench("5s")
    bench.start()
    bench.tick(0.1, 90.0)
    bench.market.want("X", [parse("1s"), parse("5s")])
    bench.tick(4.5, 110.0)
    bench.tick(5.0)
    five = [c for m in bench.turn() if isinstance(m, Candles) for c in m.candles if c.timeframe == "5s"]
    assert [(90.0, 110.0, False)] == [(c.open, c.close, c.partial) for c in five]


def test_a_higher_timeframe_asked_for_later_is_whole_by_what_is_known() -> None:
    bench = Bench("1s")
    bench.start()
    for second in range(7):
        bench.tick(second + 0.5, 100 + second)
    bench.turn()
    bench.feed.clock.advance(T0 + int(6.5 * S), monotonic=1)
    bench.market.want("X", [parse("10s")])
    for second in range(7, 11):
        bench.tick(second + 0.5, 100 + second)
    ten = [c for m in bench.turn() if isinstance(m, Candles) for c in m.candles if c.timeframe == "10s"]
    assert [(100.0, 109.0, 10, False)] == [(c.open, c.close, c.trades, c.partial) for c in ten]


def test_a_tick_of_a_closed_candle_is_flagged_before_it_is_published() -> None:
    bench = Bench("1s")
    bench.tick(0.5)
    bench.tick(1.5)
    bench.tick(0.7)
    ticks = [t for m in bench.turn() if isinstance(m, Ticks) for t in m.ticks]
    assert [0, 0, TICK_LATE] == [t.flags for t in ticks]


def test_a_tick_outside_the_session_is_published_and_flagged() -> None:
    # 22:13 UTC on a Tuesday in November is 17:13 in New York: a session 09:30-16:00 is over.
    bench = Bench("1m", calendar=DAYTIME)
    bench.tick(0)
    assert [TICK_OUT_OF_SESSION] == [t.flags for m in bench.turn() for t in m.ticks]  # type: ignore[union-attr]


def test_nothing_is_encoded_for_a_symbol_that_nobody_reads() -> None:
    bench = Bench("1s")
    bench.market.unwant("X")
    bench.tick(0.5)
    bench.tick(1.5)
    assert [] == bench.turn()
    assert 2 == bench.stream.tick_seq


def test_a_candle_closes_by_the_timer_when_no_tick_comes() -> None:
    bench = Bench("1s")
    bench.start()
    bench.tick(0.5)
    bench.turn()
    bench.feed.clock.advance(T0 + S // 2, monotonic=1_000)
    bench.market.close_due([bench.stream], monotonic=1_000 + int(0.74 * S))
    assert [] == bench.turn()
    bench.market.close_due([bench.stream], monotonic=1_000 + int(0.76 * S))
    assert [T0 + S] == [m.as_of for m in bench.turn()]  # type: ignore[union-attr]


def test_a_symbol_is_closed_by_its_clock_when_it_is_due_and_not_before() -> None:
    bench = Bench("1s")
    bench.start()
    bench.tick(0.5)
    bench.turn()
    clock = bench.feed.clock
    clock.advance(T0 + S // 2, monotonic=1_000)
    closed = [
        [c.close_time for c in bench.market.close_by(clock, 1_000 + int(seconds * S))]
        for seconds in (0.74, 0.76, 0.77, 1.76)
    ]
    assert [[], [T0 + S], [], [T0 + 2 * S]] == closed
    assert T0 + 3 * S == clock.agenda.next_close


def test_a_feed_that_recovers_lets_the_timer_close_again() -> None:
    bench = Bench("1s")
    bench.start()
    bench.tick(0.5)
    clock, book = bench.feed.clock, bench.stream.book
    assert book is not None
    clock.advance(T0 + S // 2, monotonic=0)
    for healthy in (False, True):
        clock.healthy = healthy
        (book.mark_healthy if healthy else book.mark_unhealthy)(clock.watermark)
        clock.agenda.note(bench.stream)
        bench.market.close_by(clock, S)
        assert healthy == bool(bench.stream.history["1s"])


def test_a_step_over_years_is_a_hole_and_not_millions_of_flat_candles() -> None:
    bench = Bench("1s", "1m")
    bench.start()
    bench.tick(0.5)
    bench.tick(5 * 365 * 86_400)
    bench.tick(5 * 365 * 86_400 + 1)
    closed = [c for m in bench.turn() if isinstance(m, Candles) for c in m.candles]
    years = T0 + 5 * 365 * 86_400 * S
    # What was whole before the hole and after it; not the minutes, into which it reaches.
    assert [T0 + S, years + S] == [c.close_time for c in closed]


def test_a_step_that_is_short_enough_is_a_quiet_market() -> None:
    bench = Bench("1s")
    bench.start()
    bench.tick(0.5)
    bench.tick(LEAP - 1)
    closed = [c for m in bench.turn() if isinstance(m, Candles) for c in m.candles]
    assert [False] + [True] * (LEAP - 2) == [c.synthetic for c in closed]


def test_a_weekend_is_no_hole() -> None:
    bench = Bench("1m", calendar=DAYTIME)
    friday = 1_700_254_740  # 2023-11-17 20:59 UTC, 15:59 in New York
    monday = friday + 60 + 65 * 3600 + 1800
    at = (friday, friday + 30, monday, monday + 60)
    for seconds in at:
        bench.tick(seconds - T0 // S)
    closed = [c for m in bench.turn() if isinstance(m, Candles) for c in m.candles]
    assert [(friday * S, "ok"), (monday * S, "ok")] == [
        (c.open_time, c.quality) for c in closed if not c.synthetic
    ]


def test_a_bar_of_the_feed_is_published_when_it_comes_and_not_with_the_next_one() -> None:
    bench, minute = Bench("1m", "2m"), 60 * S
    opens = T0 // (2 * minute) * 2 * minute
    published = []
    for number in range(4):
        bar = Bar("X", "1m", opens + number * minute, 1.0, 2.0, 0.5, 1.5, 5.0, closed=True)
        bench.market.take_bar(bench.stream, bar)
        bench.feed.clock.advance(bar.open_time, monotonic=0)
        published.append([c.timeframe for m in bench.turn() if isinstance(m, Candles) for c in m.candles])
    assert [["1m"], ["1m", "2m"]] * 2 == published


def test_warmup_is_ordered_by_close_time_then_timeframe_and_position_says_where_live_begins() -> None:
    bench = Bench("1s", "2s")
    bench.start()
    for second in range(5):
        bench.tick(second + 0.5)
    bench.turn()
    found = [(c.close_time - T0, c.timeframe) for c in bench.market.warmup(["X"], ["1s", "2s"], 3)]
    assert [(2 * S, "1s"), (2 * S, "2s"), (3 * S, "1s"), (4 * S, "1s"), (4 * S, "2s")] == found
    assert {"tick|X|": 5, "candle|X|": 4} == bench.market.position(["X"])


def test_warmup_for_one_that_was_away_has_as_many_candles_from_before_as_for_one_that_was_not() -> None:
    bench = Bench("1s", "2s")
    bench.start()
    for second in range(3):
        bench.tick(second + 0.5)
    bench.turn()
    then, position = bench.market.warmup(["X"], ["1s", "2s"], 2), bench.market.position(["X"])
    for second in range(3, 9):
        bench.tick(second + 0.5)
    bench.turn()
    later = bench.market.warmup(["X"], ["1s", "2s"], 2, since=position)
    assert then == [candle for candle in later if candle.close_time <= T0 + 2 * S]
    assert bench.market.warmup(["X"], ["1s"], 2)[-1] == later[-2]


def test_a_symbol_never_heard_has_a_position_but_no_candles() -> None:
    market = Market(1, lambda _frame: None)
    market.want("Y", [parse("1m")])
    assert {"tick|Y|": 0, "candle|Y|": 0} == market.position(["Y"])
    assert [] == market.warmup(["Y"], ["1m"], 10)
    assert NEVER == market.streams["Y"].next_wall()


@pytest.mark.parametrize("age", [0, 5 * S])
def test_a_signal_on_live_data_is_judged_by_the_wall_clock(age: int) -> None:
    clock = FeedClock()
    clock.advance(T0, monotonic=50)
    assert T0 + age == clock.judged_at(T0, monotonic=999, wall=T0 + age)


def test_a_signal_on_a_recording_is_as_old_as_the_publication_of_its_data() -> None:
    clock, wall = FeedClock(), T0 + 3 * RECORDED
    for step in range(100):  # a recording at 3,600 times its speed: a minute of it in 17 ms
        clock.advance(T0 + step * 60 * S, monotonic=step * 17_000_000)
    now = 99 * 17_000_000
    assert T0 + 98 * 60 * S + 17_000_000 == clock.judged_at(T0 + 98 * 60 * S, now, wall)
    assert T0 + now == clock.judged_at(T0, now, wall)
    assert T0 + 99 * 60 * S == clock.judged_at(T0 + 99 * 60 * S, now, wall)


def test_a_symbol_that_no_feed_has_is_forgotten_with_its_last_reader() -> None:
    """Else whoever starts and removes deployments fills the engine with names."""
    market = Market(1, lambda _: None, record=lambda _: None)
    for number in range(10):
        name = f"MADE{number}"
        market.want(name, [parse("1m")])
        market.want(name, [parse("5m")])
        market.unwant(name)
        assert [name] == [*market.streams]
        market.unwant(name)
        market.flush()  # what was to be told of it is not
    assert {} == market.streams
    assert market.capture().streams == ()


def test_a_symbol_that_a_feed_has_brought_is_kept_without_a_reader() -> None:
    bench = Bench("1s")
    bench.tick(0.5)
    bench.turn()
    bench.market.unwant("X")
    assert ["X"] == [*bench.market.streams]
