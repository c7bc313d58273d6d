"""What holds for every stream of ticks (candles.md rules 3, 4 and 9), looked for by hypothesis."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.folding import fold
from bus.messages import Candle, Tick
from bus.sessions import WeeklySegment, always, at, weekly
from bus.timeframes import DAY, MINUTE, SECOND, nests, parse
from tests.bus.replaying import T0, UTC, builder, delivered, replay, withheld

LUNCH = weekly(
    "L", "UTC", [WeeklySegment(0, at(a), at(b)) for a, b in (("10:00", "10:25"), ("10:40", "11:10"))]
)
JOINED = msgspec.structs.replace(LUNCH, join_breaks=True)
END = T0 + 80 * MINUTE

calendars = st.sampled_from([UTC, always("Asia/Kolkata"), LUNCH, JOINED])
ladders = st.sets(
    st.sampled_from(["10s", "30s", "1m", "90s", "3m", "5m", "7m", "15m", "45m", "1h", "1d"]),
    min_size=1,
    max_size=5,
).map(" ".join)
# One deadline a call would measure the machine, not the code (pytest-timeout bounds the whole).
unhurried = settings(deadline=None)
prices = st.floats(0.0001, 1e6)
sizes = st.one_of(st.floats(0, 1e9), st.sampled_from([0.1, 0.2, 0.3, 1e-9, 1e15]))
synthetic = st.sampled_from(["deliver", "history_only", "off"])


@st.composite
def streams(draw, *, spread=70 * MINUTE, most=60):
    """Ticks in order of (t, seq), from ``T0`` on, some at the same instant, many on boundaries."""
    offsets = st.one_of(st.integers(0, spread), st.integers(0, spread // MINUTE).map(lambda i: i * MINUTE))
    times = sorted(draw(st.lists(offsets, min_size=1, max_size=most)))
    return [Tick("X", T0 + offset, draw(prices), draw(sizes), seq=seq) for seq, offset in enumerate(times, 1)]


def everything(groups):
    """All candles in the order in which they came out."""
    return [candle for group in groups for candle in (*group.candles, *group.withheld)]


def packed(groups):
    return msgspec.msgpack.encode(groups)


@unhurried
@given(streams(spread=MINUTE - 1, most=12), st.randoms(use_true_random=False))
def test_any_permutation_of_the_ticks_inside_a_candle_gives_the_same_candle(ticks, rng):
    shuffled = ticks.copy()
    rng.shuffle(shuffled)
    assert packed(replay(builder("1m"), shuffled, T0 + MINUTE)) == packed(
        replay(builder("1m"), ticks, T0 + MINUTE)
    )


@unhurried
@given(streams(spread=MINUTE - 1, most=12), st.randoms(use_true_random=False))
def test_lateness_extends_that_to_every_candle_it_keeps_open(ticks, rng):
    shuffled = ticks.copy()
    rng.shuffle(shuffled)
    # The first tick places the line: what precedes its smallest candle is late, so it stays first.
    shuffled.remove(ticks[0])
    shuffled.insert(0, ticks[0])
    ours = replay(builder("10s 30s 1m", lateness_ns=MINUTE), shuffled, T0 + 3 * MINUTE)
    assert packed(ours) == packed(replay(builder("10s 30s 1m", lateness_ns=MINUTE), ticks, T0 + 3 * MINUTE))


@unhurried
@given(streams(), ladders, calendars, synthetic)
def test_every_higher_candle_is_the_fold_of_its_lower_ones(ticks, ladder, calendar, made_up):
    groups = replay(builder(ladder, calendar, synthetic=made_up), ticks, END)
    candles = everything(groups)
    frames = sorted(parse(name) for name in ladder.split())
    for higher in (c for c in candles if not c.synthetic):
        frame = parse(higher.timeframe)
        lower = [f for f in frames if f < frame and nests(f, frame)]
        if lower:
            below = [
                c for c in candles
                if c.timeframe == lower[-1].id
                and higher.open_time <= c.open_time and c.close_time <= higher.close_time
            ]  # fmt: skip
            assert fold(below, higher.timeframe, higher.open_time, higher.close_time) == higher


@unhurried
@given(streams(), ladders, calendars)
def test_every_candle_is_what_its_ticks_say(ticks, ladder, calendar):
    """An oracle that shares no code with the builder but the bounds: sort, filter, min and max."""
    groups = replay(builder(ladder, calendar, synthetic="off"), ticks, END)
    found = {(c.timeframe, c.open_time): c for c in everything(groups)}
    expected = set()
    for name in ladder.split():
        frame = parse(name)
        inside = [(calendar.bounds(frame, t.ts), t) for t in ticks]
        for bounds in {b for b, _ in inside if b is not None and b[1] <= END}:
            mine = [t for b, t in inside if b == bounds]
            candle = found[frame.id, bounds[0]]
            expected.add((frame.id, bounds[0]))
            assert (candle.open, candle.close) == (mine[0].last, mine[-1].last)
            assert (candle.high, candle.low) == (max(t.last for t in mine), min(t.last for t in mine))
            assert (candle.trades, candle.close_time) == (len(mine), bounds[1])
    assert set(found) == expected


@unhurried
@given(
    streams(),
    ladders,
    st.tuples(calendars, synthetic),
    st.lists(st.integers(0, 80 * 60), max_size=30),
    st.randoms(use_true_random=False),
)
def test_the_live_path_is_the_replay_path_byte_for_byte(ticks, ladder, market, polls, rng):
    """Live: a wall clock that runs behind event time, timers, heartbeats, and polls in between."""
    calendar, made_up = market
    live = builder(ladder, calendar, synthetic=made_up)
    events = [(t.ts, 1, t) for t in ticks] + [(T0 + s * SECOND, 0, None) for s in polls]
    groups, watermark = [], 0
    for when, _, one in sorted(events, key=lambda e: e[:2]):
        due = live.next_wall
        if due is not None and due <= when:
            groups += live.close_due(watermark, rng.randint(due, when))  # the timer was first
        if one is None:
            watermark = max(watermark, when if rng.random() < 0.5 else watermark)  # a heartbeat, or not
            groups += live.close_due(watermark, when - rng.randint(0, SECOND))
        else:
            watermark = max(watermark, when)
            if when >= live.next_close:
                groups += live.close_due(when, when)
            live.add(one)
    groups += live.close_due(END, END)
    assert packed(groups) == packed(replay(builder(ladder, calendar, synthetic=made_up), ticks, END))


@st.composite
def disorder(draw):
    """Ticks out of order, outages, stray closes: whatever a feed may do."""
    ticks = draw(streams())
    rng = random.Random(draw(st.integers(0, 2**32)))
    order = sorted(ticks, key=lambda t: t.ts + rng.randint(0, draw(st.integers(0, 3 * MINUTE))))
    outages = draw(st.lists(st.tuples(st.integers(0, len(order)), st.integers(0, len(order))), max_size=3))
    return order, outages


@unhurried
@given(disorder(), ladders, calendars, synthetic, st.integers(0, 90).map(lambda s: s * SECOND))
def test_one_close_an_id_never_back_in_time_ascending_and_in_session(
    case, ladder, calendar, made_up, lateness
):
    order, outages = case
    candles = builder(ladder, calendar, synthetic=made_up, lateness_ns=lateness, since=None)
    starts, ends = Counter(a for a, _ in outages), Counter(b for _, b in outages)
    groups, watermark = [], 0
    for i, one in enumerate(order):
        if starts[i]:
            candles.mark_unhealthy(watermark)
        if ends[i]:
            candles.mark_healthy(watermark)
        watermark = max(watermark, one.ts)
        groups += candles.close_due(watermark, watermark, healthy=not candles._timeline.outage.going_on)
        candles.add(one)
    groups += candles.flush(END)
    emitted = everything(groups)
    ids = Counter((c.timeframe, c.open_time) for c in emitted)
    assert set(ids.values()) <= {1}
    assert all(a.as_of < b.as_of for a, b in pairwise(groups))
    for group in groups:
        for some in (group.candles, group.withheld):
            frames = [parse(c.timeframe) for c in some]
            assert frames == sorted(frames)
            assert {c.close_time for c in some} <= {group.as_of}
    for candle in emitted:
        assert calendar.bounds(parse(candle.timeframe), candle.open_time) == (
            candle.open_time,
            candle.close_time,
        )
        assert candle.low <= min(candle.open, candle.close) <= max(candle.open, candle.close) <= candle.high
    in_session = sum(calendar.segment(t.ts) is not None for t in order)
    assert candles.counts["out_of_session"] == len(order) - in_session
    smallest = min(parse(name) for name in ladder.split()).id
    folded = sum(c.trades for c in emitted if c.timeframe == smallest)
    assert folded + candles.counts["late"] == in_session
    assert len(candles.corrections()) == candles.counts["late"]


@unhurried
@given(streams(), ladders, calendars, st.integers(0, 60))
def test_history_and_stream_give_what_the_whole_stream_gives(ticks, ladder, calendar, cut):
    """Closed ten-second candles up to some instant, then ticks: the same candles as from ticks alone."""
    joined = calendar.next_open(T0 + cut * MINUTE)
    if joined is None or joined >= END:
        return
    first = ticks[0].ts
    whole = builder(ladder, calendar, synthetic="off")
    whole.start(0)
    expected = [
        c for c in everything(replay(whole, ticks, END)) if c.close_time > joined and c.open_time >= 0
    ]
    history = delivered(
        replay(builder("10s", calendar, synthetic="off"), [t for t in ticks if t.ts < joined], END), "1s"
    )
    if not history:
        return
    later = builder(ladder, calendar, synthetic="off", since=joined)
    later.seed(history, covers=(min(first, T0) - DAY, joined))
    found = everything(replay(later, [t for t in ticks if t.ts >= joined], END))
    assert [_close_enough(c) for c in found] == [_close_enough(c) for c in expected]


def _close_enough(candle: Candle):
    """All but the last bits of the sums: one fold over rounded candles, the other over ticks."""
    return msgspec.structs.replace(
        candle, volume=float(f"{candle.volume:.9e}"), turnover=float(f"{candle.turnover or 0:.9e}")
    )


@unhurried
@given(streams(), ladders, calendars)
def test_a_first_candle_is_withheld_and_every_later_one_delivered(ticks, ladder, calendar):
    groups = replay(builder(ladder, calendar, synthetic="off", since=None), ticks, END)
    inside = [t.ts for t in ticks if calendar.segment(t.ts) is not None]
    for name in ladder.split():
        frame = parse(name)
        for candle in withheld(groups, frame.id):
            assert candle.partial
            assert candle.open_time < inside[0] < candle.close_time
        for candle in delivered(groups, frame.id):
            assert candle.open_time >= inside[0]
