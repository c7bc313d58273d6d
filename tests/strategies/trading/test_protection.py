import math

import msgspec
import pytest
from msgspec.structs import replace

from bus.messages import Level, Trail
from strategies.trading.protection import (
    Guard,
    Protection,
    adjust,
    after_fill,
    bare,
    begin_trail,
    build,
    followed,
    moved,
    worth_keeping,
)
from tests.strategies.trading.protection_world import SECOND, T0, Holding, fill, guard, position

PCT = {"stop_loss": Level("pct", 5.0), "take_profit": Level("pct", 10.0)}


# ---- beginning ------------------------------------------------------------------------------------
def test_the_fill_that_opens_a_position_begins_its_guard():
    protect = Protection(**PCT, trailing_stop=Trail("pct", 2.0), time_stop_s=60.0, square_off_at=T0 + 9)
    opened = fill(3.0, 100.0, leg="a")
    made = after_fill(None, opened, position(3.0), protect, seq=11, after=42)
    assert made == Guard(
        deployment_id="d",
        account_id="acct",
        symbol="X",
        seq=11,
        after=42,
        side=1,
        entry=100.0,
        opened_at=T0,
        protect=protect,
        stop=95.0,
        target=110.0,
        peak=100.0,
        armed=True,
        trail_stop=98.0,
        expires_at=T0 + 60 * SECOND,
        square_off_at=T0 + 9,
        signal_id="s",
        leg="a",
        since=T0,
    )


def test_a_short_is_guarded_the_other_way_round():
    made = guard(-1, **PCT, trailing_stop=Trail("pct", 2.0, 1.0))
    assert (made.side, made.stop, made.target) == (-1, 105.0, 90.0)
    assert (made.peak, made.armed, made.trail_stop) == (100.0, False, None)


@pytest.mark.parametrize("protect", [None, Protection(), Protection(atr=1.0, tick_size=0.5)])
def test_a_position_for_which_nothing_is_asked_has_no_guard(protect):
    assert after_fill(None, fill(1.0), position(1.0), protect, seq=1, after=1) is None


@pytest.mark.parametrize(
    "asked",
    [
        {"stop_loss": Level("pct", 1.0)},
        {"take_profit": Level("pct", 1.0)},
        {"trailing_stop": Trail("pct", 1.0, 1.0)},
        {"time_stop_s": 1.0},
        {"square_off_at": T0},
        {"widest_stop": 1.0},
    ],
)
def test_each_kind_of_exit_makes_a_guard_by_itself(asked):
    assert not guard(**asked).empty


def test_a_stop_that_no_price_reaches_makes_no_guard():
    protect = Protection(stop_loss=Level("pct", 100.0))
    assert build(fill(1.0), position(1.0), protect, seq=1, after=1) is None


@pytest.mark.parametrize(("seconds", "expires"), [(math.nan, T0), (1e15, 2**63 - 1), (0.5, T0 + SECOND // 2)])
def test_a_time_stop_is_always_a_time_that_the_journal_can_hold(seconds, expires):
    made = guard(time_stop_s=seconds)
    assert made.expires_at == expires
    msgspec.msgpack.encode(made.expires_at)


# ---- changing by fills ----------------------------------------------------------------------------
def test_a_position_that_is_gone_has_no_guard():
    holding = Holding()
    holding.fill(2.0, 100.0, Protection(**PCT))
    assert holding.fill(-2.0, 101.0) is None


def test_an_order_that_asks_for_a_stop_and_closes_the_position_guards_nothing():
    holding = Holding()
    holding.fill(2.0, 100.0)
    assert holding.fill(-2.0, 101.0, Protection(**PCT, time_stop_s=60.0)) is None


def test_a_fraction_of_a_unit_is_a_position_too():
    holding = Holding()
    assert holding.fill(0.25, 100.0, Protection(**PCT)).side == 1
    assert holding.fill(0.25, 102.0).entry == 101.0
    assert holding.fill(-0.75, 100.0, Protection(**PCT)).side == -1


def test_a_stop_in_percent_that_a_later_order_leaves_out_goes_on_with_the_average():
    holding = Holding()
    holding.fill(1.0, 100.0, Protection(**PCT))
    holding.fill(1.0, 100.0, Protection(time_stop_s=60.0))
    assert holding.guard.protect.stop_loss == PCT["stop_loss"]
    assert holding.fill(2.0, 110.0).stop == 99.75


def test_closing_a_part_changes_nothing():
    holding = Holding()
    before = holding.fill(2.0, 100.0, Protection(**PCT))
    assert holding.fill(-1.0, 101.0) is before


def test_a_flip_begins_a_new_guard_with_what_its_own_order_asks():
    holding = Holding()
    holding.fill(2.0, 100.0, Protection(**PCT))
    flipped = holding.fill(-5.0, 101.0, Protection(stop_loss=Level("pct", 1.0)), at=T0 + 5, after=9)
    assert (flipped.side, flipped.entry, flipped.stop, flipped.target) == (-1, 101.0, 102.01, None)
    assert (flipped.opened_at, flipped.since, flipped.after) == (T0 + 5, T0 + 5, 9)


def test_a_flip_that_asks_for_nothing_is_not_guarded_by_what_was():
    holding = Holding()
    holding.fill(2.0, 100.0, Protection(**PCT))
    assert holding.fill(-5.0, 101.0) is None


def test_adding_moves_levels_in_percent_with_the_average_entry():
    holding = Holding()
    first = holding.fill(1.0, 100.0, Protection(**PCT))
    added = holding.fill(1.0, 110.0, at=T0 + SECOND, after=12)
    assert (added.entry, added.stop, added.target) == (105.0, 99.75, 115.5)
    assert (added.after, added.since) == (12, T0 + SECOND)
    assert (added.seq, added.opened_at) == (first.seq, first.opened_at)


@pytest.mark.parametrize(("side", "price", "stop"), [(1, 97.0, 95.0), (-1, 103.0, 105.0)])
def test_adding_below_the_average_leaves_the_stop_where_it_is(side, price, stop):
    holding = Holding()
    holding.fill(side, 100.0, Protection(**PCT))
    assert holding.fill(side, price).stop == stop


def test_absolute_levels_stay_when_a_position_is_added_to():
    holding = Holding()
    protect = Protection(stop_loss=Level("price", 93.0), take_profit=Level("price", 120.0))
    holding.fill(1.0, 100.0, protect)
    added = holding.fill(1.0, 110.0)
    assert (added.stop, added.target) == (93.0, 120.0)


def test_adding_with_a_protection_of_its_own_takes_the_tighter_stop_and_the_new_target():
    holding = Holding()
    holding.fill(1.0, 100.0, Protection(**PCT))
    protect = Protection(stop_loss=Level("price", 90.0), take_profit=Level("price", 108.0))
    added = holding.fill(1.0, 102.0, protect)
    assert (added.stop, added.target) == (95.0, 108.0)
    tighter = holding.fill(1.0, 102.0, Protection(stop_loss=Level("price", 97.0)))
    assert (tighter.stop, tighter.target) == (97.0, 108.0)


def test_a_position_that_was_not_guarded_is_once_it_is_added_to_with_a_stop():
    holding = Holding()
    holding.fill(1.0, 100.0)
    added = holding.fill(1.0, 110.0, Protection(stop_loss=Level("pct", 10.0)), at=T0 + 3)
    assert (added.entry, added.stop, added.opened_at) == (105.0, 94.5, T0 + 3)


def test_the_widest_stop_binds_whatever_the_average_comes_to():
    holding = Holding()
    holding.fill(1.0, 100.0, Protection(stop_loss=Level("price", 95.0), widest_stop=6.0))
    assert holding.fill(1.0, 110.0).stop == 98.7
    holding.fill(1.0, 110.0, Protection(widest_stop=3.0))
    assert holding.guard.protect.widest_stop == 3.0
    holding.fill(1.0, 110.0, Protection(widest_stop=5.0, widest_trail=2.0))
    assert (holding.guard.protect.widest_stop, holding.guard.protect.widest_trail) == (3.0, 2.0)
    holding.fill(1.0, 110.0, Protection(widest_trail=1.0))
    assert (holding.guard.protect.widest_stop, holding.guard.protect.widest_trail) == (3.0, 1.0)


def test_the_widest_trail_stays_whatever_is_asked_for_later():
    holding = Holding()
    holding.fill(1.0, 100.0, Protection(trailing_stop=Trail("pct", 2.0), widest_trail=2.0))
    added = holding.fill(1.0, 100.0, Protection(trailing_stop=Trail("price", 50.0), widest_trail=9.0))
    assert (added.protect.widest_trail, followed(added, 200.0).trail_stop) == (2.0, 196.0)


def test_a_width_that_is_configured_later_holds_from_the_fill_that_brings_it():
    holding = Holding()
    holding.fill(1.0, 100.0, Protection(trailing_stop=Trail("pct", 10.0)))
    holding.guard = followed(holding.guard, 120.0)
    added = holding.fill(1.0, 119.0, Protection(widest_trail=2.0))
    assert (added.peak, added.armed, added.trail_stop) == (119.0, True, 116.62)


def test_each_part_of_one_fill_leads_to_the_same_guard_as_the_whole():
    protect = Protection(
        stop_loss=Level("atr", 2.0), take_profit=Level("ticks", 40.0), trailing_stop=Trail("atr", 1.0),
        time_stop_s=60.0, atr=1.5, tick_size=0.25,
    )  # fmt: skip
    whole, parts = Holding(), Holding()
    whole.fill(3.0, 100.0, protect)
    for _ in range(3):
        parts.fill(1.0, 100.0, protect)
    assert whole.guard == parts.guard


def test_a_time_stop_counts_from_the_fill_that_asks_for_it_and_never_moves_back():
    holding = Holding()
    holding.fill(1.0, 100.0, Protection(stop_loss=Level("pct", 5.0)))
    asked = Protection(time_stop_s=60.0, square_off_at=T0 + 500 * SECOND)
    first = holding.fill(1.0, 100.0, asked, at=T0 + 30 * SECOND)
    assert (first.expires_at, first.square_off_at) == (T0 + 90 * SECOND, T0 + 500 * SECOND)
    later = Protection(time_stop_s=60.0, square_off_at=T0 + 900 * SECOND)
    again = holding.fill(1.0, 100.0, later, at=T0 + 50 * SECOND)
    assert (again.expires_at, again.square_off_at) == (T0 + 90 * SECOND, T0 + 500 * SECOND)
    sooner = Protection(time_stop_s=5.0, square_off_at=T0 + 100 * SECOND)
    last = holding.fill(1.0, 100.0, sooner, at=T0 + 50 * SECOND)
    assert (last.expires_at, last.square_off_at) == (T0 + 55 * SECOND, T0 + 100 * SECOND)


def test_a_fill_that_is_older_than_the_last_does_not_open_the_past():
    holding = Holding()
    holding.fill(1.0, 100.0, Protection(**PCT), at=T0 + 9)
    assert holding.fill(1.0, 100.0, at=T0).since == T0 + 9


def test_reducing_with_a_stop_guards_the_rest_by_it():
    holding = Holding()
    holding.fill(4.0, 100.0, Protection(**PCT))
    rest = holding.fill(-2.0, 104.0, Protection(stop_loss=Level("price", 102.0)))
    assert (rest.entry, rest.stop, rest.target) == (100.0, 102.0, 110.0)


# ---- trailing -------------------------------------------------------------------------------------
def test_an_armed_trail_goes_on_when_a_position_is_added_to():
    holding = Holding()
    holding.fill(1.0, 100.0, Protection(trailing_stop=Trail("pct", 10.0)))
    holding.guard = followed(holding.guard, 120.0)
    added = holding.fill(1.0, 110.0)
    assert (added.peak, added.armed, added.trail_stop) == (120.0, True, 108.0)


def test_a_trail_that_waits_begins_again_when_a_position_is_added_to():
    # At 104 the first unit was 4 % up; with the second the average is 98, and nothing ever was at 102.9.
    holding = Holding()
    holding.fill(1.0, 100.0, Protection(trailing_stop=Trail("pct", 2.0, 5.0)))
    holding.guard = followed(holding.guard, 104.0)
    added = holding.fill(1.0, 96.0)
    assert (added.entry, added.peak, added.armed, added.trail_stop) == (98.0, 96.0, False, None)
    assert followed(added, 102.9).armed


def test_a_new_trail_begins_at_its_fill_and_keeps_the_stop_of_the_old():
    holding = Holding()
    holding.fill(1.0, 100.0, Protection(trailing_stop=Trail("pct", 10.0)))
    holding.guard = followed(holding.guard, 120.0)
    added = holding.fill(1.0, 110.0, Protection(trailing_stop=Trail("pct", 5.0)))
    assert (added.peak, added.armed, added.trail_stop) == (110.0, True, 108.0)
    assert followed(added, 116.0).trail_stop == 110.2


def test_the_same_trail_asked_for_again_goes_on():
    holding = Holding()
    protect = Protection(trailing_stop=Trail("ticks", 8.0), tick_size=0.25)
    holding.fill(1.0, 100.0, protect)
    holding.guard = followed(holding.guard, 120.0)
    assert holding.fill(1.0, 119.0, protect).peak == 120.0
    # The same number of ticks of another size is another distance.
    assert holding.fill(1.0, 119.0, replace(protect, tick_size=0.5)).peak == 119.0


def test_what_was_a_multiple_of_an_older_atr_stays_as_far_away():
    holding = Holding()
    protect = Protection(
        stop_loss=Level("atr", 2.0),
        take_profit=Level("atr", 4.0),
        trailing_stop=Trail("atr", 1.0, 3.0),
        atr=2.0,
    )
    first = holding.fill(1.0, 100.0, protect)
    assert (first.stop, first.target) == (96.0, 108.0)
    added = holding.fill(1.0, 100.0, Protection(time_stop_s=60.0, atr=50.0))
    assert (added.stop, added.target) == (96.0, 108.0)
    assert added.protect.stop_loss == Level("price", 96.0)
    assert added.protect.trailing_stop == Trail("price", 2.0, 6.0)
    assert followed(added, 106.0).trail_stop == 104.0
    msgspec.msgpack.decode(msgspec.msgpack.encode(added), type=Guard)


def test_what_no_price_reaches_and_what_arms_at_once_stay_so_in_another_unit():
    holding = Holding()
    far = Protection(
        stop_loss=Level("ticks", 500.0), trailing_stop=Trail("ticks", 8.0), time_stop_s=60.0, tick_size=0.25
    )
    assert holding.fill(1.0, 100.0, far).stop is None
    added = holding.fill(1.0, 100.0, Protection(take_profit=Level("price", 120.0)))
    assert (added.protect.stop_loss, added.protect.trailing_stop) == (None, Trail("price", 2.0))
    assert added == msgspec.msgpack.decode(msgspec.msgpack.encode(added), type=Guard)


def test_a_trail_that_waits_for_less_than_a_unit_of_price_still_waits_in_another_unit():
    holding = Holding()
    holding.fill(1.0, 100.0, Protection(trailing_stop=Trail("ticks", 8.0, 2.0), tick_size=0.25))
    added = holding.fill(1.0, 100.0, Protection(time_stop_s=60.0))
    assert added.protect.trailing_stop == Trail("price", 2.0, 0.5)


def test_a_trail_without_a_unit_is_written_so_that_the_journal_reads_it():
    holding = Holding()
    holding.fill(1.0, 100.0, Protection(trailing_stop=Trail("atr", 2.0, 1.0)))
    added = holding.fill(1.0, 100.0, Protection(time_stop_s=60.0))
    assert added == msgspec.msgpack.decode(msgspec.msgpack.encode(added), type=Guard)
    assert added.trail_stop == 100.0, "and still closes at once"


@pytest.mark.parametrize("side", [1, -1])
def test_a_trail_follows_the_best_price_and_never_goes_back(side):
    made = guard(side, trailing_stop=Trail("price", 3.0, 4.0))
    stands = []
    for away in (1.0, 3.0, 4.0, 2.0, 6.0, 5.0):
        made = followed(made, 100.0 + side * away)
        stands.append(made.trail_stop)
    assert stands == [None, None, 100.0 + side, 100.0 + side, 100.0 + 3 * side, 100.0 + 3 * side]
    assert made.peak == 100.0 + 6 * side


def test_only_a_stop_that_has_followed_is_worth_a_record():
    waiting = guard(trailing_stop=Trail("pct", 1.0, 5.0))
    assert not worth_keeping(waiting, followed(waiting, 104.0))
    assert worth_keeping(waiting, followed(waiting, 105.0))
    assert not worth_keeping(waiting, waiting)
    assert followed(guard(**PCT), 120.0).peak is None


# ---- changing by the strategy ---------------------------------------------------------------------
def test_adjust_changes_what_it_names_and_nothing_else():
    made = guard(**PCT, time_stop_s=600.0, trailing_stop=Trail("pct", 5.0, 1.0))
    tightened = adjust(made, Protection(stop_loss=Level("price", 99.0)), 103.0, after=20)
    assert tightened == replace(
        made, stop=99.0, after=20, protect=replace(made.protect, stop_loss=Level("price", 99.0))
    )


@pytest.mark.parametrize(
    ("asked", "price", "word"),
    [
        ({}, 103.0, "adjust names nothing to change: give stop_loss,"),
        ({"atr": 1.0}, 103.0, "names nothing"),
        ({"stop_loss": Level("ticks", 4.0)}, 103.0, "tick size"),
        ({"stop_loss": Level("price", 94.0)}, 103.0, "would loosen the stop, which is at 95"),
        ({"stop_loss": Level("price", 103.0)}, 103.0, "stop_loss 103 is not below the price, 103"),
        ({"stop_loss": Level("pct", 100.0)}, 103.0, "no price that there can be"),
        ({"take_profit": Level("price", 102.0)}, 103.0, "take_profit 102 is not above the price, 103"),
        ({"trailing_stop": Trail("price", 5.0)}, 100.0, "follow at 5"),
        ({"trailing_stop": Trail("pct", 4.0, 2.0)}, 100.0, "trailing_stop would arm later"),
        ({"time_stop_s": 601.0}, 103.0, "later than the 600 s"),
    ],
)
def test_adjust_never_loosens_and_says_why_not(asked, price, word):
    made = guard(**PCT, time_stop_s=600.0, trailing_stop=Trail("pct", 4.0, 1.0))
    answer = adjust(made, Protection(**asked), price, after=20)
    assert isinstance(answer, str)
    assert word in answer
    assert answer.split()[0] in {"adjust", "stop_loss", "take_profit", "trailing_stop", "time_stop_s"}


def test_trails_of_two_kinds_are_compared_at_the_present_price():
    made = guard(trailing_stop=Trail("price", 3.0))
    assert adjust(made, Protection(trailing_stop=Trail("pct", 2.0)), 120.0, after=1).trail_stop == 117.6
    assert "follow at 4" in adjust(made, Protection(trailing_stop=Trail("pct", 2.0)), 200.0, after=1)
    assert isinstance(adjust(made, Protection(trailing_stop=Trail("pct", 2.0)), None, after=1), Guard)
    assert "follow at 4" in adjust(made, Protection(trailing_stop=Trail("pct", 4.0)), None, after=1)


def test_trails_in_ticks_and_atr_are_compared_in_price():
    made = guard(trailing_stop=Trail("ticks", 8.0, 12.0), tick_size=0.25)  # 2.0 from 3.0 on
    for value, arms, word in ((1.5, 3.0, "follow at 3"), (1.0, 2.0, "arm later")):
        asked = Protection(trailing_stop=Trail("atr", value, arms), atr=2.0)
        assert word in adjust(made, asked, 100.0, after=1)
    asked = Protection(trailing_stop=Trail("atr", 1.0, 1.5), atr=2.0)
    assert isinstance(adjust(made, asked, 100.0, after=1), Guard)


def test_what_there_is_already_may_be_asked_for_again():
    made = guard(**PCT, trailing_stop=Trail("pct", 2.0, 3.0), time_stop_s=600.0)
    assert adjust(made, made.protect, 100.0, after=made.after) == made


def test_a_wider_configured_stop_does_not_bar_an_adjust():
    asked = Protection(take_profit=Level("price", 130.0), widest_stop=50.0)
    assert adjust(guard(**PCT), asked, 103.0, after=1).stop == 95.0


def test_adjust_of_a_short_looks_the_other_way():
    made = guard(-1, **PCT)
    assert "loosen" in adjust(made, Protection(stop_loss=Level("price", 106.0)), 98.0, after=1)
    assert "not above" in adjust(made, Protection(stop_loss=Level("price", 97.0)), 98.0, after=1)
    assert "not below" in adjust(made, Protection(take_profit=Level("price", 99.0)), 98.0, after=1)
    assert adjust(made, Protection(stop_loss=Level("price", 99.0)), 98.0, after=1).stop == 99.0


def test_a_target_may_be_moved_at_will():
    made = guard(**PCT)
    for target in (130.0, 104.0):
        assert adjust(made, Protection(take_profit=Level("price", target)), 103.0, after=1).target == target


@pytest.mark.parametrize("price", [None, math.nan])
def test_a_price_that_is_unknown_does_not_bar_a_tighter_stop(price):
    made = guard(**PCT)
    assert adjust(made, Protection(stop_loss=Level("price", 99.0)), price, after=1).stop == 99.0
    assert isinstance(adjust(made, Protection(stop_loss=Level("price", 90.0)), price, after=1), str)
    trailing = adjust(made, Protection(trailing_stop=Trail("pct", 1.0)), price, after=1)
    assert (trailing.peak, trailing.armed, trailing.trail_stop) == (None, False, None)
    assert followed(trailing, 97.0).trail_stop == 96.03


def test_a_trail_that_comes_later_begins_at_the_price_of_then():
    made = guard(**PCT)
    trailing = adjust(made, Protection(trailing_stop=Trail("pct", 2.0)), 97.0, after=1)
    assert (trailing.peak, trailing.armed, trailing.trail_stop) == (97.0, True, 95.06)


def test_an_armed_trail_may_be_tightened_whatever_its_new_activation():
    made = followed(guard(trailing_stop=Trail("pct", 4.0, 1.0)), 110.0)
    tighter = adjust(made, Protection(trailing_stop=Trail("pct", 2.0, 20.0)), 108.0, after=1)
    assert (tighter.armed, tighter.trail_stop) == (False, 105.6)
    assert followed(tighter, 120.0).trail_stop == 117.6


def test_a_time_stop_counts_from_the_opening_when_it_is_adjusted():
    made = guard(time_stop_s=600.0)
    assert adjust(made, Protection(time_stop_s=60.0), None, after=1).expires_at == T0 + 60 * SECOND
    assert adjust(guard(**PCT), Protection(time_stop_s=60.0), None, after=1).expires_at == T0 + 60 * SECOND


def test_beginning_a_trail_at_no_price_keeps_the_stop_that_stood():
    made = followed(guard(trailing_stop=Trail("pct", 10.0)), 120.0)
    begun = begin_trail(made, None)
    assert (begun.peak, begun.armed, begun.trail_stop) == (None, False, 108.0)


def test_a_position_without_a_guard_gets_one_by_adjusting_a_bare_one():
    nothing = bare(position(-2.0, 101.0), "acct", at=T0, seq=4, after=9)
    assert nothing.empty
    made = adjust(nothing, Protection(stop_loss=Level("pct", 1.0), time_stop_s=1.0), 100.0, after=9)
    assert (made.side, made.entry, made.stop, made.account_id) == (-1, 101.0, 102.01, "acct")
    assert (made.seq, made.after, made.since, made.expires_at) == (4, 9, T0, T0 + SECOND)


def test_a_guard_reads_back_as_it_was_written():
    made = guard(**PCT, trailing_stop=Trail("pct", 1.0), time_stop_s=5.0)
    assert made == msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=Guard)


def test_a_guard_of_an_older_version_is_read():
    made = guard(**PCT)
    older = msgspec.msgpack.decode(msgspec.msgpack.encode(made))[:9]
    read = msgspec.convert(older, Guard)
    assert (read.protect, read.stop, read.expires_at, read.square_off_at, read.since) == (
        made.protect,
        None,
        0,
        0,
        0,
    )


def test_moved_without_anything_asked_is_what_after_fill_does():
    made = guard(**PCT)
    assert moved(made, fill(1.0, 110.0), position(2.0, 105.0), after=8) == after_fill(
        made, fill(1.0, 110.0), position(2.0, 105.0), None, seq=99, after=8
    )
