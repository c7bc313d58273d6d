from msgspec.structs import replace

from bus.messages import Level, Trail
from strategies.trading.guards import Guards
from tests.strategies.trading.protection_world import SECOND, T0, guard, tick

STOP = {"stop_loss": Level("price", 95.0)}
TRAIL = {"trailing_stop": Trail("price", 2.0)}


def holding(*kept):
    guards = Guards()
    for each in kept:
        guards.put(each)
    return guards


def named(name, seq=3, symbol="X", **asked):
    return replace(guard(**asked), deployment_id=name, symbol=symbol, seq=seq)


def test_a_symbol_is_watched_while_a_position_in_it_is_guarded():
    guards = holding(named("a", **STOP), named("b", **STOP))
    assert guards.watches("X")
    assert not guards.watches("Y")
    guards.drop("a", "X")
    assert guards.watches("X")
    guards.drop("b", "X")
    assert not guards.watches("X")
    assert guards.everything() == []


def test_dropping_what_is_not_guarded_changes_nothing():
    guards = holding(named("a", **STOP))
    guards.drop("b", "X")
    guards.drop("a", "Y")
    assert guards.of("a", "X") == named("a", **STOP)
    assert guards.of("b", "X") is None
    assert guards.of("a", "Y") is None


def test_a_tick_names_the_guards_that_act_oldest_first():
    one, two, three = named("b", 1, **STOP), named("a", 2, **STOP), named("c", 3, time_stop_s=1.0)
    guards = holding(one, two, three)
    assert guards.look(tick(bid=95.0), T0) == [(one, "stop_loss"), (two, "stop_loss")]
    assert guards.look(tick(bid=96.0, symbol="Y"), T0) == []
    assert guards.look(tick(bid=96.0), T0 + SECOND) == [(three, "time_stop")]


def test_an_exit_that_was_ordered_is_not_ordered_again():
    guards = holding(named("a", **STOP))
    [(fired, _)] = guards.look(tick(bid=90.0), T0)
    guards.drop(fired.deployment_id, fired.symbol)
    assert guards.look(tick(bid=90.0), T0) == []


def test_what_a_price_changed_is_kept_in_memory_and_journalled_when_asked():
    made = named("a", **TRAIL)
    guards = holding(made)
    assert guards.moved(lambda _: 9) == []
    guards.look(tick(bid=107.0), T0)
    assert guards.of("a", "X").trail_stop == 105.0
    assert guards.everything() == [made], "the snapshot is what the journal has"
    [written] = guards.moved(lambda symbol: {"X": 9}[symbol])
    assert (written.after, written.trail_stop) == (9, 105.0)
    guards.put(written)
    assert guards.everything() == [written]
    assert guards.moved(lambda _: 10) == []


def test_a_tick_seen_again_counts_only_behind_what_the_guard_has_seen():
    guards = holding(replace(named("a", **STOP), after=7))
    assert guards.look(tick(bid=90.0), T0, 7) == []
    assert [role for _, role in guards.look(tick(bid=90.0), T0, 8)] == ["stop_loss"]


def test_one_guard_that_has_seen_a_tick_does_not_hide_it_from_the_next():
    seen, new = replace(named("a", 1, **STOP), after=7), replace(named("b", 2, **STOP), after=6)
    assert holding(seen, new).look(tick(bid=90.0), T0, 7) == [(new, "stop_loss")]


def test_the_price_of_a_tick_of_before_the_position_reaches_nothing():
    assert holding(named("a", **STOP)).look(tick(bid=90.0, ts=T0 - 1), T0) == []


def test_a_tick_seen_again_that_does_not_count_lets_no_time_pass():
    guards = holding(replace(named("a", time_stop_s=1.0), after=7))
    assert guards.look(tick(bid=100.0), T0 + SECOND, 7) == []


def test_a_tick_without_a_price_lets_time_pass():
    guards = holding(named("a", time_stop_s=1.0))
    assert [role for _, role in guards.look(tick(ask=100.0, ts=T0 - 1), T0 + SECOND)] == ["time_stop"]


def test_times_act_on_symbols_that_are_quiet_each_by_its_own_clock():
    one, two = named("a", time_stop_s=5.0), named("a", symbol="Y", square_off_at=T0 + 5 * SECOND)
    guards = holding(one, two, named("b", symbol="Z", **STOP))
    clock = {"X": T0 + 5 * SECOND, "Y": T0}
    assert guards.due(lambda symbol: clock[symbol]) == [(one, "time_stop")]
    clock = {"X": T0, "Y": T0 + 5 * SECOND}
    assert guards.due(lambda symbol: clock[symbol]) == [(two, "square_off")]


def test_guards_put_back_from_a_snapshot_are_looked_at_in_the_same_order():
    guards = holding(named("b", 1, **STOP), named("a", 2, **STOP), named("a", 3, symbol="Y", **STOP))
    again = holding(*guards.everything())
    assert guards.look(tick(bid=90.0), T0) == again.look(tick(bid=90.0), T0)
    assert guards.everything() == again.everything()


def test_the_guards_of_a_symbol_are_told_oldest_first_as_prices_left_them():
    one, two = named("b", 2, **TRAIL), named("a", 5, **STOP)
    guards = holding(two, one, named("c", 1, symbol="Y", **STOP))
    guards.look(tick(bid=107.0), T0)
    assert [each.seq for each in guards.on("X")] == [2, 5]
    assert guards.on("X")[0].trail_stop == 105.0
    assert guards.on("Z") == []


def test_a_guard_that_a_bar_moved_is_journalled_when_asked():
    made = named("a", **TRAIL)
    guards = holding(made)
    guards.move(replace(made, peak=109.0, trail_stop=107.0))
    assert guards.of("a", "X").trail_stop == 107.0
    assert [each.trail_stop for each in guards.moved(lambda _: 9)] == [107.0]
    assert guards.everything() == [made]
