"""What is captured of open candles and taken up again is as if nothing had come between."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.candles import SymbolCandles
from bus.captured import SPANS, BookState
from bus.messages import TICK_VOLUME_UNKNOWN, Bar, Tick
from bus.sessions import WeeklySegment, always, at, weekly
from bus.timeframes import MINUTE, SECOND, parse
from tests.bus.replaying import T0, UTC, builder, delivered, replay, tick

LUNCH = weekly(
    "L", "UTC", [WeeklySegment(0, at(a), at(b)) for a, b in (("10:00", "10:25"), ("10:40", "11:10"))]
)
JOINED = msgspec.structs.replace(LUNCH, join_breaks=True)
SPREAD = 70 * MINUTE

calendars = st.sampled_from([UTC, always("Asia/Kolkata"), LUNCH, JOINED])
frames = st.sampled_from(["10s", "30s", "1m", "90s", "3m", "5m", "7m", "15m", "45m", "1h", "1d"])
ladders = st.sets(frames, min_size=1, max_size=5).map(" ".join)


@st.composite
def lives(draw):
    """What may happen to the candles of a symbol, mostly in order of time, and where it is cut.

    Drawn from a seed: hypothesis by itself makes few events, far apart.
    """
    rng = random.Random(draw(st.integers(0, 2**32)))
    now, pace = T0, rng.choice([SECOND, 10 * SECOND, MINUTE])
    events = []
    for seq in range(rng.randint(0, 150)):
        now += rng.choice([0, rng.randint(0, pace), rng.randint(0, pace), MINUTE - now % MINUTE])
        moment = now - rng.choice([0, 0, 0, rng.randint(0, 3 * pace)])
        kind = rng.choices(list(KINDS), weights=[weight for weight, _ in KINDS.values()])[0]
        events.append((kind, KINDS[kind][1](rng, moment, seq)))
    return events, draw(st.integers(0, len(events)))


def _some_tick(rng, ts, seq):
    price = rng.choice([None, *[rng.uniform(0.1, 1e6)] * 5])
    quote = rng.choice([None, *[rng.uniform(0.1, 1e6)] * 3])
    size = rng.choice([None, 0.1, 0.2, 1e-9, 1e15, 1e16, *[rng.uniform(0, 1e9)] * 20])
    flags = rng.choice([TICK_VOLUME_UNKNOWN, *[0] * 20])
    return Tick("X", ts, price, size, quote, quote, seq=rng.choice([None, seq, seq]), flags=flags)


def _some_bar(rng, ts, _):
    timeframe = rng.choice(["10s", "1m", "5m"])
    opens, _ = UTC.bounds(parse(timeframe), ts)
    price = rng.uniform(1, 1e6)
    return Bar("X", timeframe, opens, price, price * 2, price / 2, price, rng.uniform(0, 9), closed=True)


KINDS = {
    "tick": (20, _some_tick),
    "bar": (1, _some_bar),
    "close": (
        4,
        lambda rng, ts, _: (ts, ts + rng.randint(-MINUTE, MINUTE), rng.random() < 0.8),
    ),
    "mark": (1, lambda rng, ts, _: (rng.random() < 0.5, ts)),
    "extend": (0.3, lambda rng, ts, _: (rng.choice(["1m", "3m", "5m", "7m", "1h"]), ts)),
    "flush": (0.1, lambda rng, ts, _: ts),
}


def live(candles, events):
    """Do what happens, and return all that can be seen of it."""
    seen = []
    for kind, what in events:
        match kind:
            case "tick":
                if what.ts >= candles.next_close:
                    seen.append(candles.close_due(what.ts, what.ts))
                seen.append(candles.add(what))
            case "bar":
                seen.append(candles.add_bar(what))
            case "close":
                seen.append(candles.close_due(*what))
            case "mark":
                (candles.mark_healthy if what[0] else candles.mark_unhealthy)(what[1])
            case "extend":
                candles.extend([parse(what[0])], [], what[1])
            case "flush":
                seen.append(candles.flush(what))
        seen += candles.next_close, candles.next_wall, candles.closed_to, sorted(candles.counts.items())
    return seen


def over(candles, again):
    """Carry the state of ``candles`` over to ``again``, through bytes."""
    data = msgspec.msgpack.encode(candles.capture())
    again.restore(msgspec.msgpack.decode(data, type=BookState))
    return again


@settings(deadline=None, max_examples=400)
@given(
    lives(),
    ladders,
    calendars,
    st.fixed_dictionaries(
        {
            "synthetic": st.sampled_from(["deliver", "history_only", "off"]),
            "price": st.sampled_from(["last", "mid"]),
            "volume_kind": st.sampled_from(["trade", "tick"]),
            "lateness_ns": st.sampled_from([0, 0, 20 * SECOND, 90 * SECOND]),
        }
    ),
    st.sampled_from([None, 0, T0 + MINUTE]),
)
def test_a_cut_anywhere_changes_nothing(life, ladder, calendar, options, since):
    events, cut = life
    whole = builder(ladder, calendar, since=since, **options)
    expected = live(whole, events[:cut])
    rest = live(whole, events[cut:])

    first = builder(ladder, calendar, since=since, **options)
    assert live(first, events[:cut]) == expected
    second = over(first, builder(ladder, calendar, since=None, **options))
    assert second.capture() == first.capture()
    assert msgspec.msgpack.encode(live(second, events[cut:])) == msgspec.msgpack.encode(rest)
    assert second.capture() == whole.capture()
    for timeframe in ladder.split():
        now = T0 + SPREAD
        assert second.forming(parse(timeframe), now) == whole.forming(parse(timeframe), now)


@given(st.lists(st.floats(0, 1e15), max_size=2000), st.integers(0, 2000))
@settings(deadline=None, max_examples=50)
def test_sums_stay_exact_over_a_cut(volumes, cut):
    def stream():
        return [Tick("X", T0 + number, 3.7, size, seq=number) for number, size in enumerate(volumes, 1)]

    whole = builder("1m 5m")
    expected = replay(whole, stream(), T0 + 10 * MINUTE)
    first = builder("1m 5m")
    replay(first, stream()[:cut])
    assert replay(over(first, builder("1m 5m")), stream()[cut:], T0 + 10 * MINUTE) == expected


def test_history_that_was_joined_stays_joined():
    past = replay(builder("1m"), [tick(s, 100 + s) for s in range(0, 300, 7)], T0 + 5 * MINUTE)
    whole, first = builder("1m 15m"), builder("1m 15m")
    for candles in (whole, first):
        candles.seed(delivered(past, "1m"))
    later = [tick(s, 50 + s) for s in range(280, 1000, 7)]
    assert replay(over(first, builder("1m 15m")), later, T0 + 20 * MINUTE) == replay(
        whole, later, T0 + 20 * MINUTE
    )


def test_a_feeds_own_bar_is_still_compared_with_the_last_candle():
    first = builder("1m")
    replay(first, [tick(1, 100), tick(61, 101)])
    second = over(first, builder("1m"))
    second.add_bar(Bar("X", "1m", T0, 100, 100, 100, 100, 1.0, closed=True))
    second.add_bar(Bar("X", "1m", T0, 100, 100, 100, 100, 2.0, closed=True))
    assert (second.counts["bar_agrees"], second.counts["bar_differs"]) == (1, 1)


def test_what_lacks_data_is_asked_for_and_delivered_once_over_a_cut():
    first = builder("1m", synthetic="off")
    replay(first, [tick(1, 100)])
    first.mark_unhealthy(T0 + 10 * SECOND)
    first.close_due(T0 + 2 * MINUTE, T0, healthy=False)
    second = over(first, builder("1m", synthetic="off"))
    assert second.backfill.requests() == first.backfill.requests() != []
    official = delivered(replay(builder("1m"), [tick(1, 100), tick(70, 1)], T0 + MINUTE), "1m")
    assert [c.backfilled for c in second.backfill.deliver(official)] == [True]
    assert second.backfill.deliver(official) == []


def test_an_open_candle_takes_little_room():
    candles = builder("1m 5m 1h 1d", symbol="BTC-USDT-PERP")
    stream = [Tick("BTC-USDT-PERP", T0 + s * SECOND // 7, 100 + s / 7, s / 3, seq=s) for s in range(5000)]
    replay(candles, stream)
    assert len(msgspec.msgpack.encode(candles.capture())) < 4 * 300


def test_a_feed_that_loses_all_the_time_takes_no_more_room_than_is_kept():
    candles = builder("1s", synthetic="off")
    for second in range(3 * SPANS):
        candles.mark_unhealthy(T0 + second * SECOND)
        replay(candles, [tick(second + 0.5, 100)])
    state = candles.capture()
    assert [len(spans) for spans in state.line.missing.values()] == [SPANS]
    assert len(state.line.asked) == SPANS


def test_another_price_or_volume_is_refused_and_changes_nothing():
    state = _some_state(builder("1m"))
    for options in ({"price": "mid"}, {"volume_kind": "tick"}):
        other = builder("1m", **options)
        before = other.capture()
        with pytest.raises(ValueError, match=r"^candles of last and trade do not go on with"):
            other.restore(state)
        assert other.capture() == before


def test_another_calendar_is_refused_and_changes_nothing():
    state = _some_state(builder("1m 1d"))
    other = builder("1m 1d", always("Asia/Kolkata"))
    before = other.capture()
    with pytest.raises(ValueError, match=r"^a candle of 1d over .* is none of 24x7@Asia/Kolkata$"):
        other.restore(state)
    assert other.capture() == before


def test_a_calendar_that_has_grown_since_goes_on():
    days = tuple(UTC.day(T0 + n * 1440 * MINUTE) for n in range(3))
    short = msgspec.structs.replace(UTC, name="t", week=(), days=days[:1])
    longer = msgspec.structs.replace(short, days=days)
    first = builder("1h", short)
    replay(first, [tick(1, 100)], days[0].close)
    second = over(first, builder("1h", longer))
    again = [tick(1, 7, base=days[1].open)]
    assert [c.close for c in delivered(replay(second, again, days[1].open + 60 * MINUTE), "1h")] == [7]


def _some_state(candles: SymbolCandles) -> BookState:
    replay(candles, [tick(s, 100 + s) for s in range(100)])
    return candles.capture()
