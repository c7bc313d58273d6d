"""Protective exits over random lives of a position: fills, adjustments, ticks with and without prices.

The oracle walks the same life with lists: every stop that ever held, each with the price that it held at.
"""

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bus.messages import TICK_OUT_OF_SESSION, Level, Trail
from strategies.trading.guards import Guards
from strategies.trading.levels import Protection, better, exact
from strategies.trading.protection import Guard, adjust
from strategies.trading.watch import exit_price, watch, watch_bar
from tests.strategies.trading.protection_world import SECOND, T0, Holding, candle, guard, tick

CENTS = st.integers(8_000, 12_000).map(lambda cents: cents / 100)
NO_PRICE = st.sampled_from([None, math.nan, math.inf, -1.0, 0.0])
LEVEL = st.one_of(
    st.builds(Level, st.just("pct"), st.sampled_from([0.5, 1.0, 5.0, 30.0])),
    st.builds(Level, st.just("price"), CENTS),
    st.builds(Level, st.just("ticks"), st.sampled_from([1.0, 10.0, 300.0])),
    st.builds(Level, st.just("atr"), st.sampled_from([0.5, 2.0])),
)
TRAIL = st.builds(
    Trail,
    st.sampled_from(["pct", "price", "ticks", "atr"]),
    st.sampled_from([0.5, 1.0, 4.0]),
    st.none() | st.sampled_from([0.5, 2.0, 6.0]),
)
ASKED = st.builds(
    Protection,
    stop_loss=st.none() | LEVEL,
    take_profit=st.none() | LEVEL,
    trailing_stop=st.none() | TRAIL,
    time_stop_s=st.none() | st.sampled_from([5.0, 60.0]),
    square_off_at=st.sampled_from([0, T0 + 40 * SECOND]),
    atr=st.none() | st.sampled_from([0.75, 1.5]),
    tick_size=st.sampled_from([None, 0.01]),
    widest_stop=st.none() | st.sampled_from([2.0, 10.0]),
    widest_trail=st.none() | st.sampled_from([1.0, 3.0]),
)
STEP = st.one_of(
    st.tuples(st.just("price"), CENTS | NO_PRICE),
    st.tuples(st.just("add"), st.sampled_from([0.5, 1.0, 3.0]), CENTS, st.none() | ASKED),
    st.tuples(st.just("reduce"), CENTS, st.none() | ASKED),
    st.tuples(st.just("adjust"), CENTS | NO_PRICE, ASKED),
)


def walk(side, asked, steps):
    """Yield the guard before and after each step, with the role that the step brought about."""
    holding = Holding()
    holding.fill(2.0 * side, 100.0, asked)
    for number, step in enumerate(steps, 1):
        before, role = holding.guard, None
        now = T0 + number * SECOND
        match step:
            case ("price", price) if before:
                holding.guard, role = watch(before, price, now)
            case ("add", quantity, price, protect):
                holding.fill(quantity * side, price, protect, at=now, after=number)
            case ("reduce", price, protect):
                holding.fill(-holding.position.quantity / 2, price, protect, at=now, after=number)
            case ("adjust", price, protect) if before:
                changed = adjust(before, protect, price, after=number)
                holding.guard = changed if isinstance(changed, Guard) else before
        if before:
            yield before, holding.guard, role
        if role:
            return


@given(st.sampled_from([1, -1]), ASKED, st.lists(STEP, max_size=30))
def test_no_stop_and_no_time_ever_loosens(side, asked, steps):
    for before, after, _ in walk(side, asked, steps):
        assert after is not None, "nothing that a position lives through takes its guard away"
        for name in ("stop", "trail_stop"):
            old, new = getattr(before, name), getattr(after, name)
            assert old is None or (new is not None and not better(side, old, new)), name
        for name in ("expires_at", "square_off_at"):
            old, new = getattr(before, name), getattr(after, name)
            assert old == 0 or 0 < new <= old, name
        assert after.after >= before.after
        assert after.since >= before.since


@given(st.sampled_from([1, -1]), ASKED, st.lists(STEP, max_size=30))
def test_no_stop_is_ever_further_away_than_configured(side, asked, steps):
    """Whatever is bought at whatever price, and asked for in whatever kind."""
    for _, after, _ in walk(side, asked, steps):
        protect = after.protect
        if protect.widest_stop is not None:
            assert not better(side, exact(after.entry * (1 - side * protect.widest_stop / 100)), after.stop)
        if protect.widest_trail is not None and after.armed:
            widest = exact(after.peak * (1 - side * protect.widest_trail / 100))
            assert not better(side, widest, after.trail_stop)


@given(st.sampled_from([1, -1]), ASKED, st.lists(STEP, max_size=30))
def test_a_price_acts_exactly_when_it_is_at_or_beyond_a_level(side, asked, steps):
    for (before, after, role), step in zip(walk(side, asked, steps), steps, strict=False):
        if step[0] != "price":
            continue
        price = step[1]
        real = price is not None and 0 < price < math.inf
        beyond = real and any(
            stop is not None and (price <= stop if side > 0 else price >= stop)
            for stop in (after.stop, after.trail_stop)  # a trail of no known width acts at its own peak
        )
        assert beyond == (role in {"stop_loss", "trailing_stop"})
        if not real:
            assert replace(after) == before
        if role == "take_profit":
            assert price >= before.target if side > 0 else price <= before.target


@given(st.sampled_from([1, -1]), ASKED, st.lists(CENTS, max_size=20))
def test_prices_seen_again_change_nothing(side, asked, prices):
    holding = Holding()
    made = holding.fill(side, 100.0, asked)
    if made is None:
        return
    for price in prices:
        made, role = watch(made, price, 0)
        assert watch(made, price, 0) == (made, role)
        if role:
            return
    for price in prices:
        assert watch(made, price, 0)[0].peak == made.peak, "none of them is better than the best"


@given(
    st.sampled_from([1, -1]),
    st.lists(CENTS, max_size=20),
    st.lists(CENTS, max_size=20),
    TRAIL.filter(lambda trail: trail.kind in {"pct", "price"}),
)
def test_the_trailing_stop_stands_where_the_best_price_puts_it(side, prices, more, trail):
    """Recomputed from all prices at once: armed by the best of them, at its distance from the best."""
    made = guard(side, trailing_stop=trail)
    for price in [*prices, *more]:
        made, role = watch(made, price, 0)
        if role:
            break
    else:
        seen = [100.0, *prices, *more]
        best = max(seen) if side > 0 else min(seen)
        wait = 0.0 if trail.activation is None else trail.activation  # the entry is 100: per cent is price
        if side * (best - 100.0) < wait - 1e-9:
            assert made.trail_stop is None
        else:
            away = best * trail.value / 100 if trail.kind == "pct" else trail.value
            assert made.trail_stop == exact(best - side * away)


TICK = st.builds(
    lambda bid, spread, last, flags: (bid, bid and bid + spread, last, flags),
    st.none() | CENTS,
    st.sampled_from([0.0, 0.01, -0.05]),
    st.none() | CENTS,
    st.sampled_from([0, 0, 0, TICK_OUT_OF_SESSION]),
)


def life(guards, ticks, first=1):
    """Return what acted, by the number of the tick; whoever acts is dropped, as the core does."""
    acted = {}
    for number, seen in enumerate(ticks, first):
        for fired, role in guards.look(seen, seen.ts, number):
            guards.drop(fired.deployment_id, fired.symbol)
            assert fired.deployment_id not in acted, "fires once"
            acted[fired.deployment_id] = (number, role)
    return acted


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.sampled_from([1, -1]), ASKED), min_size=1, max_size=3),
    st.lists(TICK, max_size=25),
    st.data(),
)
def test_a_crash_at_any_tick_gives_the_same_exits(asked, quotes, data):
    """Marks write peaks down now and then; after a crash all ticks since the last mark are seen again."""
    ticks = [
        tick(bid, ask, last, T0 + number * SECOND, flags=flags)
        for number, (bid, ask, last, flags) in enumerate(quotes, 1)
    ]
    made = []
    for index, (side, protect) in enumerate(asked):
        holding = Holding()
        if (each := holding.fill(side, 100.0, protect)) is not None:
            made.append(replace(each, deployment_id=f"d{index}", seq=index))
    quiet, crashed = Guards(), Guards()
    for each in made:
        quiet.put(each)
        crashed.put(each)
    expected = life(quiet, ticks)

    acted, marks = {}, [0, *sorted(data.draw(st.sets(st.integers(0, len(ticks)), max_size=4)))]
    for start, mark in zip(marks, [*marks[1:], len(ticks)], strict=True):
        for written in crashed.moved(lambda _, start=start: start):
            crashed.put(written)
        # It dies somewhere behind the mark: what it acted on is in the journal, its memory is not.
        dies = data.draw(st.integers(start, mark))
        acted |= life(crashed, ticks[start:dies], start + 1)
        again = Guards()
        for each in crashed.everything():
            again.put(each)
        # All ticks since an older mark come again; `after` leaves out those that a guard has seen.
        since = data.draw(st.sampled_from([m for m in marks if m <= start]))
        acted |= life(again, ticks[since:mark], since + 1)
        crashed = again
    assert acted == expected


@given(
    st.sampled_from([1, -1]),
    ASKED,
    st.lists(st.tuples(CENTS, CENTS, CENTS, CENTS), min_size=1, max_size=8),
    st.data(),
)
def test_a_bar_is_never_kinder_than_the_worst_path_through_its_ticks_by_a_stop(side, asked, bars, data):
    """A stop that stood when a bar opened and that any path must touch closes the position with that bar."""
    made = Holding().fill(side, 100.0, asked)
    for index, prices in enumerate(bars):
        if made is None:
            return
        open_, close = prices[:2]
        bar = candle(open_, max(prices), min(prices), close, T0 + index * 60 * SECOND)
        worst = bar.low if side > 0 else bar.high
        stops = [s for s in (made.stop, made.trail_stop) if s is not None and not better(side, worst, s)]
        seen, role, price = watch_bar(made, bar)
        if stops:
            assert role is not None
        if role is None:
            made = seen
            assert price is None
            continue
        assert bar.low <= price <= bar.high, "nothing trades outside its bar"
        if stops and role in {"stop_loss", "trailing_stop"}:
            closest = max(stops) if side > 0 else min(stops)
            standing = [closest, open_]
            standing += [seen.trail_stop] if seen.trail_stop is not None else []
            assert price in standing
            if better(side, closest, open_) or closest == open_:
                assert price == open_, "a gap is filled at the open"
        return


@given(st.sampled_from([1, -1]), TICK)
def test_the_price_to_close_at_is_the_worst_that_the_tick_tells_of_its_side(side, quote):
    bid, ask, last, flags = quote
    price = exit_price(side, tick(bid, ask, last, flags=flags))
    if bid is not None:
        assert price == (min(bid, ask) if side > 0 else max(bid, ask))
    else:
        assert price == last
