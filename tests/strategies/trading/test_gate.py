"""The order of the steps, what is unknown, bounds to the last digit, hours, modes and latches."""

import math

import msgspec
import pytest

from bus.messages import Reason, Trail
from strategies.trading.caps import MAX_OPEN_ORDERS
from strategies.trading.desk import SECOND, Standing
from strategies.trading.gate import MAX_EVIDENCE, live
from strategies.trading.limits import Limits
from strategies.trading.rules import RULES
from strategies.trading.ttl import CLOCK_SKEW, ttl
from strategies.trading.view import LiveGrant, Party, Session, Verdict
from tests.strategies.trading.gate_world import (
    ENTRY,
    EXIT,
    LATCH,
    LIVE,
    LONG,
    NOW,
    judged,
    latched,
)


def test_an_entry_in_order_is_accepted_with_its_signed_quantity():
    assert judged() == Verdict("accepted", quantity=1.0, time_in_force="day")
    assert judged(intent="enter_short") == Verdict("accepted", quantity=-1.0, time_in_force="day")


def test_an_exit_of_more_than_is_held_is_cut_down_and_said_to_be():
    assert judged(EXIT, LONG, quantity=11.0) == Verdict(
        "modified",
        "clipped_to_position",
        "cut down to the 10 units that are held",
        -10.0,
        reduce_only=True,
        time_in_force="day",
        changes={"quantity": -10.0},
    )


def test_an_exit_sees_the_entry_that_still_waits_for_its_tick():
    waiting = {"buying": 10.0, "due": 10.0, "waiting": 1}
    assert judged(EXIT, waiting).quantity == -10.0


def test_an_exit_does_not_count_on_orders_that_may_never_trade():
    """A stop of the strategy's own that rests would leave nothing to exit."""
    resting = LONG | {"selling": -10.0, "waiting": 1}
    assert judged(EXIT, resting).quantity == -10.0


def test_a_cancel_is_accepted_while_something_waits_and_orders_nothing():
    assert judged(intent="cancel", quantity=None, view={"waiting": 1}) == Verdict("accepted")


def test_each_step_answers_before_the_next():
    """One signal with a fault in every step, mended from the front."""
    view = {
        "current": False, "warm": False, "duplicate": True, "symbols": frozenset({"Y"}), "tokens": 0.0,
        "limits": Limits(max_position_size=0.5),
    }  # fmt: skip
    fields = {"tags": {str(n): "x" * 256 for n in range(16)}, "data_as_of": 1, "limit_price": 9.0}
    mends = [
        ("too_large", {"tags": {}}, {}),
        ("stale_generation", {}, {"current": True}),
        ("warming", {}, {"warm": True}),
        ("duplicate", {}, {"duplicate": False}),
        ("ttl", {"data_as_of": NOW}, {}),
        ("symbol_not_granted", {}, {"symbols": frozenset({"X"})}),
        ("order_price_unexpected", {"limit_price": None}, {}),
        ("rate", {}, {"tokens": 1.0}),
        ("max_position_size", {}, {"limits": Limits()}),
    ]
    steps = [RULES[rule].step for rule, _, _ in mends]
    assert steps == list(range(1, 10))
    for rule, mended_fields, mended_view in mends:
        assert judged(ENTRY, view, **fields).rule == rule
        fields, view = fields | mended_fields, view | mended_view
    assert judged(ENTRY, view, **fields).decision == "accepted"


def test_a_rate_answers_before_a_question_of_position():
    assert judged(EXIT, {"tokens": 0.0}).rule == "rate"


# ---- unknown blocks entries and lets exits through ------------------------------------------------
@pytest.mark.parametrize(
    ("fields", "view"),
    [
        ({"data_as_of": 0}, {}),
        ({"data_as_of": NOW + 60 * SECOND}, {}),
        ({"reference_price": None}, {}),
        ({"reference_price": 1000.0}, {}),
        ({"reason": ""}, {}),
        ({"trailing_stop": Trail("ticks", 1.0)}, {}),
        ({}, {"price": None}),
        ({}, {"price": math.nan}),
        ({}, {"limits": Limits(invalid=("max_notional is nan",))}),
        ({}, {"limits": Limits(unheld=("max_moon_phase",))}),
        ({}, {"instrument": None}),
        ({}, {"rate": None, "limits": Limits(max_notional=1e9)}),
        ({}, {"rate": math.nan, "limits": Limits(max_notional=1e9)}),
        ({}, {"session": Session(open=False)}),
        ({}, {"session": Session(open=None)}),
        ({}, {"mode": "live"}),
        ({}, {"limits": Limits(max_position_size=0.0, max_notional=0.0)}),
        ({}, {"standing": Standing.EXIT_ONLY}),
        ({}, {"standing": Standing.DRAINING}),
        ({}, {"waiting": MAX_OPEN_ORDERS}),
        ({"data_as_of": NOW - 60 * SECOND}, {}),
    ],
)
def test_what_bars_an_entry_lets_an_exit_through(fields, view):
    assert judged(ENTRY, view, **fields).decision in {"rejected", "expired"}
    verdict = judged(EXIT, LONG | view, **fields)
    assert verdict == Verdict("accepted", quantity=-10.0, reduce_only=True, time_in_force="day")


def test_a_symbol_taken_from_the_deployment_can_still_be_exited():
    view = LONG | {"symbols": frozenset({"Y"})}
    assert judged(EXIT, view).decision == "accepted"
    assert judged(EXIT, {"symbols": frozenset({"Y"})}).rule == "symbol_not_granted"


@pytest.mark.parametrize(
    ("fields", "view", "detail"),
    [
        ({}, {"standing": Standing.GONE}, "no instance of this deployment is known to run"),
        ({}, {"current": False}, "a newer instance of this deployment runs"),
        ({}, {"warm": False}, "the instance is not warm yet"),
        ({}, {"duplicate": True}, "the same symbol, data, intent and leg was accepted before"),
        ({"data_as_of": 0}, {}, "data_as_of is missing, so the age is unknown"),
        ({}, {"standing": Standing.PAUSED}, "the deployment is paused"),
        ({}, {"mode": "real"}, "trading mode real: there are paper, live and backtest"),
    ],
)
def test_a_refusal_without_figures_is_a_sentence(fields, view, detail):
    assert judged(view=view, **fields).detail == detail


def test_a_backtest_needs_nobodys_leave():
    assert judged(view={"mode": "backtest"}).decision == "accepted"


def test_a_weight_that_leads_towards_zero_is_an_exit():
    view = LONG | {"standing": Standing.EXIT_ONLY, "account": Party(equity=1000.0)}
    weight = {"intent": "target", "quantity": None}
    assert judged(view=view, target_weight=0.5, **weight).quantity == -5.0
    assert judged(view=view, target_weight=1.5, **weight).rule == "exit_only"


def test_a_weight_without_a_rate_says_that_it_is_the_rate():
    view = {"rate": None, "account": Party(equity=1000.0)}
    verdict = judged(view=view, intent="target", quantity=None, target_weight=0.5)
    assert (verdict.rule, verdict.detail) == (
        "equity_unknown",
        "target_weight needs what a unit is worth, which is unknown",
    )


def test_an_entry_without_a_reason_is_told_to_give_one():
    assert judged(reason="").detail == 'an entry says why: reason="..."'


def test_a_structured_reason_needs_a_code_or_a_text():
    assert judged(reason=Reason("")).rule == "reason_missing"
    assert judged(reason=Reason("cross")).decision == "accepted"
    assert judged(reason=Reason("", "crossed")).decision == "accepted"


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"limit_price": 1.0}, "limit_price is given, and a market order takes none"),
        ({"stop_price": 1.0}, "stop_price is given, and a market order takes none"),
        ({"data_as_of": NOW - 16 * SECOND}, "its data is 16.000 s old, at most 15 s"),
        ({"data_as_of": NOW + 6 * SECOND}, "its data is 6.000 s ahead of the clock, at most 5 s"),
        ({"symbol": "Z"}, "Z is not one of X, Y"),
        ({"reference_price": 120.0}, "the strategy saw 120, the last price is 100: more than 5% apart"),
    ],
)
def test_a_refusal_names_the_thing_the_value_and_what_is_allowed(fields, detail):
    assert judged(**fields).detail == detail


def test_a_long_list_of_what_is_allowed_is_cut():
    five, six = frozenset("ABCDE"), frozenset("ABCDEF")
    assert judged(symbol="Z", view={"symbols": five}).detail == "Z is not one of A, B, C, D, E"
    assert judged(symbol="Z", view={"symbols": six}).detail == "Z is not one of A, B, C, D, E and 1 more"
    assert judged(symbol="Z", view={"symbols": frozenset()}).detail == "Z is not one of (none)"


# ---- bounds, exactly ------------------------------------------------------------------------------
def test_evidence_may_be_as_long_as_allowed_and_no_longer():
    # 8 tags of one byte of name and 256 of text, 4,096 - 2,056 bytes left for indicators of 8 + 1.
    tags = {str(n): "x" * 256 for n in range(8)}
    full = tags | {"y" * 64: "x" * 256, "z" * 64: "x" * 256, "w" * 64: "x" * 256, "v" * 64: "x" * 256}
    used = sum(len(k) + len(v) for k, v in full.items())
    full["u" * 4] = "x" * (MAX_EVIDENCE - used - 4)
    assert judged(tags=full).decision == "accepted"
    assert judged(tags=full | {"uu": ""}).rule == "too_large"


def test_indicators_alone_count_as_evidence_with_eight_bytes_a_number():
    indicators = {"a" * 56 + f"{n:02}": 1.0 for n in range(62)}  # 62 * (58 + 8) = 4,092
    assert judged(indicators=indicators).decision == "accepted"
    assert judged(indicators=indicators, tags={"abcd": ""}).decision == "accepted"
    assert judged(indicators=indicators, tags={"abcde": ""}).rule == "too_large"
    assert judged(indicators=indicators | {"b": 1.0}).rule == "too_large"


def test_the_largest_number_that_decodes_is_still_in_range():
    assert judged(quantity=1e15).decision == "accepted"
    for target in (1e15, -1e15):
        assert judged(intent="target", quantity=None, target_quantity=target).decision == "accepted"
    assert judged(view={"price": 1e15}, reference_price=1e15).decision == "accepted"


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf, 1.1e15])
def test_a_last_price_that_is_none_counts_as_unknown(price):
    assert judged(view={"price": price}).rule == "price_unknown"


@pytest.mark.parametrize(
    ("timeframe", "ttl_ms", "exits", "seconds"),
    [
        ("1s", None, False, 1),
        ("5s", None, False, 1.25),
        ("1m", None, False, 15),
        ("2m", None, False, 30),
        ("1d", None, False, 30),
        ("1M", None, False, 30),
        ("tick", None, False, 30),
        ("stop", None, False, 30),
        ("1m", None, True, 300),
        ("1m", 5_000, False, 5),
        ("1m", 5_000, True, 5),
        ("1m", 86_400_000, False, 86_400),
    ],
)
def test_a_signal_lives_a_quarter_of_its_timeframe_within_bounds(timeframe, ttl_ms, exits, seconds):
    signal = msgspec.structs.replace(ENTRY, timeframe=timeframe, ttl_ms=ttl_ms)
    assert ttl(signal, exits) == seconds * SECOND


def test_the_last_nanosecond_of_its_life_counts():
    assert judged(data_as_of=NOW - 15 * SECOND).decision == "accepted"
    assert judged(data_as_of=NOW - 15 * SECOND - 1).decision == "expired"


def test_data_may_be_ahead_of_the_clock_by_the_skew_and_no_more():
    assert judged(data_as_of=NOW + CLOCK_SKEW).decision == "accepted"
    assert judged(data_as_of=NOW + CLOCK_SKEW + 1).rule == "clock_skew"


def test_the_collar_holds_on_both_sides():
    assert [judged(reference_price=p).rule for p in (94.99, 95.0, 105.0, 105.01)] == [
        "price_collar", "", "", "price_collar",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["quantity", "notional", "reference_price"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, 0.0, 1.1e15])
def test_a_number_out_of_range_is_named(name, value):
    verdict = judged(**{name: value})
    assert verdict.rule == "number_invalid"
    assert verdict.detail.startswith(f"{name} is ")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_target_that_is_not_finite_is_named(value):
    assert judged(intent="target", quantity=None, target_quantity=value).rule == "number_invalid"


# ---- hours, modes, latches ------------------------------------------------------------------------
def test_a_square_off_that_is_to_come_lets_entries_through():
    assert judged(view={"session": Session(square_off_at=NOW + 1)}).decision == "accepted"
    verdict = judged(view={"session": Session(square_off_at=NOW - 90 * SECOND)})
    assert verdict.detail == "positions of this trading day were squared off 90 s ago"


@pytest.mark.parametrize(
    ("minute", "rule"), [(599, "session_not_allowed"), (600, ""), (660, "session_not_allowed")]
)
def test_entries_are_let_through_in_allowed_sessions(minute, rule):
    view = {"session": Session(minute=minute), "limits": Limits(allowed_sessions=((600, 660),))}
    assert judged(view=view).rule == rule


@pytest.mark.parametrize(
    ("is_open", "detail"),
    [(None, "the calendar of the symbol does not reach this far"), (False, "the symbol is out of session")],
)
def test_a_market_that_is_closed_is_told_from_one_that_is_not_known(is_open, detail):
    assert judged(view={"session": Session(open=is_open)}).detail == detail


def test_a_refused_session_is_told_with_the_local_time():
    limits = Limits(allowed_sessions=((600, 660),))
    verdict = judged(view={"session": Session(minute=545), "limits": limits})
    assert verdict.detail == "09:05 is in no allowed session of the deployment"
    unknown = judged(view={"session": Session(minute=None), "limits": limits})
    assert unknown.detail == "an unknown time is in no allowed session of the deployment"


@pytest.mark.parametrize("missing", ["config", "account", "deployment"])
def test_live_trading_needs_all_three_to_allow_it(missing):
    assert judged(view=LIVE).decision == "accepted"
    grant = msgspec.structs.replace(LIVE["live"], **{missing: False})
    verdict = judged(view=LIVE | {"live": grant})
    assert verdict.detail == f"live trading is not allowed by: {missing}"


def test_all_that_does_not_allow_it_is_named():
    assert live(LiveGrant(account=True)).detail == "live trading is not allowed by: config, deployment"


def test_what_is_held_live_can_be_exited_whatever_allows_it():
    assert judged(EXIT, LONG | {"mode": "live"}).decision == "accepted"
    assert judged(EXIT, {"mode": "live"}).rule == "no_position"


@pytest.mark.parametrize(
    ("clearance", "rule"),
    [("none", ""), ("clear", ""), ("denied", "remote_denied"), ("unreachable", "remote_unreachable")],
)
def test_live_entries_fail_closed_without_the_remote_risk_service(clearance, rule):
    assert judged(view=LIVE | {"clearance": clearance}).rule == rule
    assert judged(view={"clearance": clearance}).decision == "accepted"  # paper asks nobody
    assert judged(EXIT, LONG | LIVE | {"clearance": clearance}).decision == "accepted"


@pytest.mark.parametrize(
    ("clearance", "detail"),
    [
        ("denied", "the remote risk service lets no entry of the account through"),
        ("unreachable", "the remote risk service has not answered in time"),
    ],
)
def test_what_the_remote_risk_service_says_is_told(clearance, detail):
    assert judged(view=LIVE | {"clearance": clearance}).detail == detail


def test_an_opt_in_that_is_no_boolean_is_none():
    assert live(LiveGrant(config=1, account=True, deployment=True)).rule == "live_not_granted"


def test_a_latch_is_told_with_its_reason_and_whose_it_is():
    verdict = judged(view=latched("lock"))
    assert verdict.detail == (
        "the deployment is latched (lock) by max_drawdown: why; an operator takes it back"
    )
    nameless = {"latch": msgspec.structs.replace(LATCH, reason="")}
    assert judged(view={"account": Party(**nameless)}).detail == (
        "the account is latched (lock) by max_drawdown; an operator takes it back"
    )


def test_a_cancel_passes_under_a_latch_that_lets_exits_through():
    cancel = {"intent": "cancel", "quantity": None}
    assert judged(view=latched("flatten") | {"waiting": 1}, **cancel).decision == "accepted"
    assert judged(view=latched("pause") | {"waiting": 1}, **cancel).rule == "latch_pause"
