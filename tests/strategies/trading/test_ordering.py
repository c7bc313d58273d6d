"""What the order of a signal is, what guards its position, and what an adjust asks for."""

import msgspec
import pytest

from bus.messages import Level
from strategies.trading import protection
from strategies.trading.caps import MAX_OPEN_ORDERS
from strategies.trading.desk import SECOND, Standing
from strategies.trading.instruments import Instrument
from strategies.trading.levels import Protection
from strategies.trading.limits import Limits
from strategies.trading.view import Party, Session, Verdict
from tests.strategies.trading.gate_world import (
    ENTRY,
    EXIT,
    GUARD,
    LONG,
    NOW,
    TICKS,
    judged,
    latched,
    limited,
)

# ---- what the order is to be ----------------------------------------------------------------------
CLOSES = Session(closes_at=NOW + 3600 * SECOND)


def test_the_verdict_says_what_the_order_is_to_be():
    verdict = judged(
        view={"session": CLOSES}, order_type="stop_limit", limit_price=102.0, stop_price=101.0, oco_group="g"
    )
    assert verdict == Verdict(
        "accepted",
        quantity=1.0,
        kind="stop_limit",
        limit_price=102.0,
        stop_price=101.0,
        time_in_force="day",
        expires_at=CLOSES.closes_at,
        oco_group="g",
    )


def test_an_order_that_is_good_till_a_time_ends_then_and_not_before_now():
    gtd = {"order_type": "limit", "limit_price": 99.0, "time_in_force": "gtd"}
    assert judged(good_till=NOW + 1, **gtd).expires_at == NOW + 1
    assert judged(good_till=NOW, **gtd).rule == "good_till_invalid"


def test_a_market_entry_keeps_its_bound_on_slippage_and_an_exit_does_not():
    assert judged(max_slippage_bps=5.0).max_slippage_bps == 5.0
    assert judged(EXIT, LONG, max_slippage_bps=5.0) == Verdict(
        "modified",
        "slippage_unbounded",
        "max_slippage_bps was dropped: an exit takes the price that there is",
        -10.0,
        reduce_only=True,
        time_in_force="day",
        changes={"max_slippage_bps": ""},
    )


def test_an_odd_quantity_is_rounded_down_to_lots_and_said_to_be():
    verdict = judged(view={"instrument": TICKS}, quantity=3.7)
    assert verdict == Verdict(
        "modified",
        "lot_rounded",
        "cut down to 3 units, which are whole lots",
        3.0,
        time_in_force="day",
        changes={"quantity": 3.0},
    )


def test_a_limit_is_judged_by_the_quantity_that_is_left():
    view = {"instrument": TICKS, "limits": Limits(max_position_size=3.0)}
    assert judged(view=view, quantity=3.7).decision == "modified"
    assert judged(view=view, quantity=4.0).rule == "max_position_size"


@pytest.mark.parametrize(
    ("fields", "quantity"),
    [
        ({"notional": 1000.0}, 2.5),  # 1,000 of the account's at 100 * 5 * 0.8
        ({"notional": 1000.0, "order_type": "limit", "limit_price": 80.0}, 3.125),
        ({"notional": 1000.0, "order_type": "stop", "stop_price": 125.0}, 2.0),
        ({"risk_pct": 1.0, "stop_loss": Level("price", 95.0)}, 5.0),  # 100 lost in 5 points of 4 each
        ({"risk_pct": 1.0, "stop_loss": Level("pct", 10.0)}, 2.5),
        (
            {
                "risk_pct": 1.0, "stop_loss": Level("price", 70.0), "order_type": "limit",
                "limit_price": 80.0,
            }, 2.5,
        ),
        ({"intent": "enter_short", "risk_pct": 1.0, "stop_loss": Level("price", 105.0)}, -5.0),
        ({"intent": "enter_short", "risk_pct": 1.0, "stop_loss": Level("pct", 10.0)}, -2.5),
        ({"intent": "target", "target_weight": 0.5}, 12.5),  # 5,000 at 400 a unit
        ({"intent": "target", "target_weight": -0.5}, -12.5),
    ],
)  # fmt: skip
def test_sizes_in_money_are_of_the_account_and_of_the_price_of_the_order(fields, quantity):
    view = {
        "instrument": Instrument(symbol="X", multiplier=5.0), "rate": 0.8,
        "account": Party(equity=10_000.0),
    }  # fmt: skip
    verdict = judged(view=view, quantity=None, **fields)
    assert (verdict.decision, verdict.quantity) == ("accepted", quantity)


def test_the_worth_of_a_position_is_in_the_accounts_currency():
    view = {"instrument": Instrument(symbol="X", multiplier=5.0), "rate": 0.8}
    assert judged(view=view | {"limits": Limits(max_notional=400.0)}).decision == "accepted"
    assert judged(view=view | {"limits": Limits(max_notional=399.0)}).rule == "max_notional"


@pytest.mark.parametrize(
    ("intent", "limit_price", "worth"), [("enter_short", 110.0, 110.0), ("enter_long", 90.0, 100.0)]
)
def test_the_worth_of_an_order_is_at_the_worse_of_its_price_and_the_markets(intent, limit_price, worth):
    order = {"intent": intent, "order_type": "limit", "limit_price": limit_price}
    assert judged(view={"limits": Limits(max_notional=worth)}, **order).decision == "accepted"
    assert judged(view={"limits": Limits(max_notional=worth - 0.01)}, **order).rule == "max_notional"


def test_a_stop_in_ticks_of_the_symbol_sizes_too():
    view = {"instrument": TICKS, "account": Party(equity=1000.0)}
    verdict = judged(view=view, quantity=None, risk_pct=1.0, stop_loss=Level("ticks", 4.0))
    assert verdict.quantity == 5.0  # 10 lost in 4 ticks of 0.5


def test_a_stop_too_near_to_size_by_is_refused():
    view = {"account": Party(equity=1000.0)}
    assert judged(view=view, quantity=None, risk_pct=1.0, stop_loss=Level("price", 100.0)).rule == "stop_side"


def test_all_of_an_odd_holding_is_exited():
    assert judged(EXIT, {"held": 10.5, "instrument": TICKS}).quantity == -10.5


def test_what_cannot_be_sized_is_told_before_what_is_too_fast():
    assert judged(view={"tokens": 0.0}, quantity=None).rule == "sizing_missing"
    assert judged(view={"tokens": 0.0, "instrument": TICKS}, quantity=0.5).rule == "below_lot"


@pytest.mark.parametrize(
    ("waiting", "rule"), [(2 * MAX_OPEN_ORDERS - 1, "no_position"), (2 * MAX_OPEN_ORDERS, "open_orders")]
)
def test_an_exit_of_nothing_has_the_room_of_exits(waiting, rule):
    assert judged(EXIT, {"waiting": waiting}).rule == rule


def test_orders_can_be_cancelled_when_entries_have_used_up_their_room():
    waiting = {"waiting": 2 * MAX_OPEN_ORDERS - 1}
    assert judged(view=waiting, intent="cancel", quantity=None).decision == "accepted"


def test_a_size_that_comes_to_nothing_is_no_order():
    tiny = {"quantity": None, "notional": 5e-324, "reference_price": 1e15}
    verdict = judged(view={"price": 1e15}, **tiny)
    assert (verdict.rule, verdict.detail) == ("quantity_out_of_range", "the order comes to 0 units")


# ---- what guards the position ---------------------------------------------------------------------
def test_the_order_brings_what_guards_its_position():
    verdict = judged(
        view={"instrument": TICKS, "limits": Limits.of({"stop_loss_percentage": 2, "time_stop": 60})},
        quantity=2.0,
        stop_loss=Level("ticks", 10.0),
    )
    assert verdict.protect == Protection(
        stop_loss=Level("ticks", 10.0), time_stop_s=60.0, widest_stop=2.0, tick_size=0.5
    )


def test_the_account_guards_what_the_deployment_does_not():
    view = {
        "limits": Limits.of({"stop_loss_percentage": 3}),
        "account": Party(limits=Limits.of({"stop_loss_percentage": 2, "take_profit_percentage": 4})),
        "session": Session(square_off_at=NOW + 1),
    }
    assert judged(view=view).protect == Protection(
        widest_stop=2.0, take_profit=Level("pct", 4.0), square_off_at=NOW + 1
    )


def test_without_anything_asked_or_configured_nothing_guards():
    assert judged().protect is None


def test_an_exit_brings_nothing_that_guards():
    view = LONG | {"limits": Limits.of({"stop_loss_percentage": 3})}
    assert judged(EXIT, view, stop_loss=Level("price", 101.0)).protect is None


@pytest.mark.parametrize(
    ("fields", "stop", "rule"),
    [
        ({}, 99.5, ""),
        ({}, 100.5, "stop_side"),  # beyond what the strategy saw
        ({"order_type": "limit", "limit_price": 98.0}, 97.0, ""),
        ({"order_type": "limit", "limit_price": 98.0}, 99.0, "stop_side"),
        ({"order_type": "stop", "stop_price": 103.0}, 102.0, ""),
    ],
)
def test_a_stop_is_on_the_losing_side_of_the_price_at_which_the_order_is_to_trade(fields, stop, rule):
    assert judged(stop_loss=Level("price", stop), **fields).rule == rule


def test_where_the_strategy_saw_another_price_its_own_counts_for_its_stop():
    assert judged(reference_price=98.0, stop_loss=Level("price", 97.0)).decision == "accepted"
    assert judged(reference_price=98.0, stop_loss=Level("price", 99.0)).rule == "stop_side"


@pytest.mark.parametrize(
    ("intent", "price", "rule"),
    [
        ("enter_long", 105.0, ""),
        ("enter_long", 105.5, "price_collar"),
        ("enter_short", 95.0, ""),
        ("enter_short", 94.5, "price_collar"),
    ],
)
def test_a_limit_is_held_to_the_last_price_on_its_own_side(intent, price, rule):
    assert judged(intent=intent, order_type="limit", limit_price=price).rule == rule


def test_a_short_position_is_guarded_above():
    assert judged(intent="enter_short", stop_loss=Level("price", 101.0)).decision == "accepted"
    assert judged(intent="enter_short", stop_loss=Level("price", 99.0)).rule == "stop_side"


# ---- adjusts --------------------------------------------------------------------------------------
ADJUST = msgspec.structs.replace(ENTRY, intent="adjust", quantity=None, reason="")


def test_an_adjust_says_what_the_guard_is_to_have():
    verdict = judged(ADJUST, LONG | {"guard": GUARD}, stop_loss=Level("price", 95.0))
    assert verdict == Verdict("accepted", adjust=Protection(stop_loss=Level("price", 95.0)))


def test_a_position_that_nothing_guards_can_be_guarded_later():
    bare = msgspec.structs.replace(GUARD, protect=Protection(), stop=None)
    verdict = judged(ADJUST, LONG | {"guard": bare}, stop_loss=Level("pct", 5.0))
    assert verdict == Verdict("accepted", adjust=Protection(stop_loss=Level("pct", 5.0)))


def test_an_adjusted_target_is_held_to_the_configured_one():
    view = LONG | {"guard": GUARD, "limits": Limits.of({"take_profit_percentage": 4})}
    verdict = judged(ADJUST, view, take_profit=Level("pct", 9.0))
    assert verdict.adjust == Protection(take_profit=Level("pct", 4.0))


def test_an_adjust_is_refused_in_the_words_of_the_guard():
    verdict = judged(ADJUST, LONG | {"guard": GUARD}, stop_loss=Level("price", 91.0))
    assert verdict.detail == protection.adjust(
        GUARD, Protection(stop_loss=Level("price", 91.0)), 100.0, after=7
    )


def test_an_adjust_is_judged_at_the_present_price_and_in_the_units_of_the_symbol():
    above = judged(ADJUST, LONG | {"guard": GUARD}, stop_loss=Level("price", 100.5))
    assert (above.rule, above.detail) == (
        "adjust_refused",
        protection.adjust(GUARD, Protection(stop_loss=Level("price", 100.5)), 100.0, after=7),
    )
    verdict = judged(ADJUST, LONG | {"guard": GUARD, "instrument": TICKS}, stop_loss=Level("ticks", 4.0))
    assert verdict.adjust == Protection(stop_loss=Level("ticks", 4.0), tick_size=0.5)


def test_an_adjust_of_nothing_says_what_there_is_to_adjust():
    assert judged(ADJUST, LONG | {"guard": GUARD}).detail == (
        "none of stop_loss, take_profit, trailing_stop, time_stop_s is given"
    )


def test_without_a_position_there_is_nothing_to_adjust():
    verdict = judged(ADJUST, stop_loss=Level("price", 95.0))
    assert (verdict.rule, verdict.detail) == ("no_position", "no position in X to guard otherwise")


@pytest.mark.parametrize(
    "view",
    [
        {"standing": Standing.EXIT_ONLY}, {"price": None}, {"instrument": None}, {"rate": None},
        latched("exit_only"), {"session": Session(open=False)}, {"waiting": 2 * MAX_OPEN_ORDERS - 1},
        {"limits": Limits(invalid=("x",))}, limited(equity=0.0, max_daily_loss=1.0),
    ],
)  # fmt: skip
def test_a_tighter_stop_is_let_through_like_an_exit(view):
    assert judged(ADJUST, LONG | {"guard": GUARD} | view, stop_loss=Level("price", 95.0)).passed


def test_adjusts_and_cancels_are_held_to_the_rate():
    for signal in (ADJUST, msgspec.structs.replace(ADJUST, intent="cancel")):
        assert judged(signal, LONG | {"guard": GUARD, "waiting": 1, "tokens": 0.0}).rule == "rate"


@pytest.mark.parametrize(
    ("decision", "passed"),
    [("accepted", True), ("modified", True), ("rejected", False), ("duplicate", False), ("expired", False)],
)
def test_what_is_modified_takes_effect_like_what_is_accepted(decision, passed):
    assert Verdict(decision).passed is passed
