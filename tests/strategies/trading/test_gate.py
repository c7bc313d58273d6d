"""Every rule by name, the order of the steps, and what no input may ever bring about."""

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.messages import Level, Reason, Signal, Trail
from strategies.trading import protection
from strategies.trading.caps import MAX_OPEN_ORDERS
from strategies.trading.desk import SECOND, Standing
from strategies.trading.figures import Figures
from strategies.trading.gate import MAX_EVIDENCE, judge, live
from strategies.trading.instruments import Instrument
from strategies.trading.latches import Latch
from strategies.trading.levels import Protection
from strategies.trading.limits import Limits
from strategies.trading.protection import Guard
from strategies.trading.rules import RULES
from strategies.trading.ttl import CLOCK_SKEW, ttl
from strategies.trading.view import LiveGrant, Party, Session, Verdict, View

NOW = 1_700_000_000 * SECOND

ENTRY = Signal(
    symbol="X",
    intent="enter_long",
    quantity=1.0,
    reason="why",
    timeframe="1m",
    data_key=NOW,
    data_as_of=NOW,
    reference_price=100.0,
)
EXIT = msgspec.structs.replace(ENTRY, intent="exit_long", quantity=None)
VIEW = View(
    standing=Standing.OPEN,
    current=True,
    warm=True,
    duplicate=False,
    symbols=frozenset({"X", "Y"}),
    timeframes=frozenset({"1m"}),
    mode="paper",
    own=Party(),
    price=100.0,
)
LONG = {"held": 10.0}
LIVE = {"mode": "live", "live": LiveGrant(config=True, account=True, deployment=True)}
PARTY = set(Party.__struct_fields__)
GUARD = Guard(
    deployment_id="d", account_id="A", symbol="X", seq=1, after=7, side=1, entry=98.0, opened_at=1,
    protect=Protection(stop_loss=Level("price", 92.0)), stop=92.0,
)  # fmt: skip


def judged(signal=ENTRY, view=None, now=NOW, **fields):
    return judge(msgspec.structs.replace(signal, **fields), changed(VIEW, **(view or {})), now)


def changed(view, **fields):
    """Return ``view`` with other fields; those of the deployment itself are named without ``own``."""
    own = {name: fields.pop(name) for name in list(fields) if name in PARTY}
    return msgspec.structs.replace(view, own=msgspec.structs.replace(view.own, **own), **fields)


TODAY = Figures(scope="deployment", name="d", day="d", start_equity=1000.0, peak_equity=1000.0)
LIMIT = {"order_type": "limit", "limit_price": 99.0}
CARRIED = dict.fromkeys(("equity",), 1000.0) | {"figures": TODAY}
TICKS = Instrument(symbol="X", tick_size=0.5, lot_size=1.0, min_quantity=2.0)
LATCH = Latch(scope="deployment", name="d", kind="lock", rule="max_drawdown", reason="why", at=1)


def latched(kind):
    return {"latch": msgspec.structs.replace(LATCH, kind=kind)}


def limited(figures=TODAY, equity=1000.0, **limits):
    return {"limits": Limits(**limits), "figures": figures, "equity": equity}


# rule: (signal, its changed fields, changed view)
REFUSED = {
    "too_large": (EXIT, {"tags": {str(n): "x" * 256 for n in range(16)}}, LONG),
    "not_attached": (EXIT, {}, LONG | {"standing": Standing.GONE}),
    "stale_generation": (EXIT, {}, LONG | {"current": False}),
    "warming": (EXIT, {}, LONG | {"warm": False}),
    "paused": (EXIT, {}, LONG | {"standing": Standing.PAUSED}),
    "exit_only": (ENTRY, {}, {"standing": Standing.EXIT_ONLY}),
    "stopping": (EXIT, {}, LONG | {"standing": Standing.STOPPING}),
    "latch_pause": (EXIT, {}, LONG | latched("pause")),
    "latch_exit_only": (ENTRY, {}, latched("exit_only")),
    "latch_flatten": (ENTRY, {}, latched("flatten")),
    "latch_lock": (EXIT, {}, LONG | latched("lock")),
    "cooldown_after_loss": (
        ENTRY, {}, limited(
            msgspec.structs.replace(TODAY, losses=3, last_loss_at=NOW - SECOND),
            cooldown_after_loss=3, cooldown_after_loss_s=60.0,
        ),
    ),
    "cooling_off_after_stop": (
        ENTRY, {}, limited(
            msgspec.structs.replace(TODAY, last_stop_at=NOW - SECOND), cooling_off_after_stop=60.0
        ),
    ),
    "duplicate": (EXIT, {}, LONG | {"duplicate": True}),
    "unstamped": (ENTRY, {"data_as_of": 0}, {}),
    "clock_skew": (ENTRY, {"data_as_of": NOW + CLOCK_SKEW + 1}, {}),
    "ttl": (ENTRY, {"data_as_of": NOW - 16 * SECOND}, {}),
    "symbol_not_granted": (ENTRY, {"symbol": "Z"}, {}),
    "timeframe_not_granted": (EXIT, {"timeframe": "1h"}, LONG),
    "mode_unsupported": (EXIT, {}, LONG | {"mode": "real"}),
    "live_not_granted": (ENTRY, {}, {"mode": "live"}),
    "session_closed": (ENTRY, {}, {"session": Session(open=False)}),
    "session_unknown": (ENTRY, {}, {"session": Session(open=None)}),
    "session_not_allowed": (
        ENTRY, {}, {"session": Session(minute=570), "limits": Limits(allowed_sessions=((600, 660),))},
    ),
    "squared_off": (ENTRY, {}, {"session": Session(square_off_at=NOW)}),
    "number_invalid": (EXIT, {"quantity": math.nan}, LONG),
    "reason_missing": (ENTRY, {"reason": " "}, {}),
    "instrument_unknown": (ENTRY, {}, {"instrument": None}),
    "order_price_missing": (EXIT, {"order_type": "limit"}, LONG),
    "order_price_unexpected": (EXIT, {"stop_price": 9.0}, LONG),
    "off_tick_grid": (EXIT, LIMIT | {"limit_price": 99.2}, LONG | {"instrument": TICKS}),
    "time_in_force_unsupported": (
        EXIT, {"order_type": "stop", "stop_price": 99.0, "time_in_force": "ioc"}, LONG,
    ),
    "good_till_invalid": (EXIT, LIMIT | {"time_in_force": "gtd"}, LONG),
    "instruction_unsupported": (EXIT, LIMIT | {"max_slippage_bps": 5.0}, LONG),
    "protective_unknown": (ENTRY, {"stop_loss": Level("ticks", 4.0)}, {}),
    "stop_side": (ENTRY, {"stop_loss": Level("price", 101.0)}, {}),
    "target_side": (ENTRY, {"take_profit": Level("price", 99.0)}, {}),
    "limit_unsupported": (ENTRY, {}, {"limits": Limits(unheld=("max_moon_phase",))}),
    "limit_invalid": (ENTRY, {}, {"limits": Limits(invalid=("max_notional is nan",))}),
    "price_unknown": (ENTRY, {}, {"price": None}),
    "reference_unknown": (ENTRY, {"reference_price": None}, {}),
    "price_collar": (ENTRY, {"reference_price": 106.0}, {}),
    "sizing_ambiguous": (ENTRY, {"notional": 5.0}, {}),
    "sizing_missing": (ENTRY, {"quantity": None}, {}),
    "sizing_not_allowed": (EXIT, {"intent": "exit_all", "quantity": 1.0}, LONG),
    "stop_missing": (ENTRY, {"quantity": None, "risk_pct": 1.0}, {}),
    "quantity_out_of_range": (
        ENTRY, {"quantity": None, "notional": 1e15, "reference_price": 1e-9}, {"price": 1e-9},
    ),
    "below_lot": (ENTRY, {"quantity": 0.5}, {"instrument": TICKS}),
    "below_min_quantity": (ENTRY, {"quantity": 1.0}, {"instrument": TICKS}),
    "max_notional": (ENTRY, {}, {"limits": Limits(max_notional=99.0)}),
    "rate": (EXIT, {}, LONG | {"tokens": 0.9}),
    "account_rate": (EXIT, {}, LONG | {"account": Party(tokens=0.9)}),
    "open_orders": (ENTRY, {}, {"waiting": MAX_OPEN_ORDERS}),
    "max_orders_per_min": (ENTRY, {}, limited(max_orders_per_min=3) | {"orders_minute": 3}),
    "max_orders_per_day": (
        ENTRY, {}, limited(msgspec.structs.replace(TODAY, orders=3), max_orders_per_day=3),
    ),
    "max_identical_orders_per_min": (
        ENTRY, {}, limited(max_identical_orders_per_min=2) | {"identical": 2},
    ),
    "no_position": (EXIT, {}, {}),
    "already_at_target": (ENTRY, {"intent": "target", "quantity": None, "target_quantity": 10.0}, LONG),
    "reduce_only": (
        ENTRY, {"intent": "target", "quantity": None, "target_quantity": 11.0, "reduce_only": True}, LONG,
    ),
    "nothing_to_cancel": (ENTRY, {"intent": "cancel", "quantity": None}, {}),
    "nothing_to_adjust": (ENTRY, {"intent": "adjust", "quantity": None}, LONG | {"guard": GUARD}),
    "adjust_refused": (
        ENTRY, {"intent": "adjust", "quantity": None, "stop_loss": Level("price", 91.0)},
        LONG | {"guard": GUARD},
    ),
    "max_position_size": (ENTRY, {}, {"limits": Limits(max_position_size=0.5)}),
    "max_open_positions": (ENTRY, {}, limited(max_open_positions=2) | {"open_elsewhere": 2}),
    "figures_unknown": (ENTRY, {}, limited(None, max_orders_per_day=3)),
    "equity_unknown": (ENTRY, {}, limited(equity=None, max_daily_loss=50.0)),
    "exposure_unknown": (ENTRY, {}, limited(max_exposure=500.0) | {"elsewhere": None}),
    "max_exposure": (ENTRY, {}, limited(max_exposure=500.0) | {"elsewhere": 401.0}),
    "max_daily_loss": (ENTRY, {}, limited(equity=949.0, max_daily_loss=50.0)),
    "max_drawdown": (ENTRY, {}, limited(equity=899.0, max_drawdown=10.0)),
    "daily_profit_lock": (ENTRY, {}, limited(equity=1050.0, daily_profit_lock=50.0)),
    "remote_denied": (ENTRY, {}, LIVE | {"clearance": "denied"}),
    "remote_unreachable": (ENTRY, {}, LIVE | {"clearance": "unreachable"}),
}  # fmt: skip
DECISIONS = {"duplicate": "duplicate", "ttl": "expired"}


@pytest.mark.parametrize("rule", REFUSED)
def test_rule(rule):
    signal, fields, view = REFUSED[rule]
    verdict = judged(signal, view, **fields)
    assert (verdict.decision, verdict.rule) == (DECISIONS.get(rule, "rejected"), rule)
    assert verdict.quantity is None
    assert verdict.detail


def test_every_rule_is_tried_above():
    modified = {rule for rule, each in RULES.items() if each.decision == "modified"}
    assert modified == {"lot_rounded", "slippage_unbounded", "clipped_to_position"}
    assert set(REFUSED) | modified == set(RULES)


BINDS_THE_DEPLOYMENT_ONLY = {"adjust_refused", "nothing_to_adjust"}
OF_A_PARTY = [rule for rule, (_, _, view) in REFUSED.items() if set(view) & PARTY - {"held"}]


@pytest.mark.parametrize("rule", OF_A_PARTY)
def test_what_binds_a_deployment_binds_its_account_too(rule):
    signal, fields, view = REFUSED[rule]
    bound = {name: view[name] for name in view if name in PARTY and name != "held"}
    others = {name: view[name] for name in view if name not in bound}
    account = msgspec.structs.replace(Party(), **bound)
    verdict = judged(signal, others | {"account": account}, **fields)
    assert (verdict.decision, verdict.rule) == ("rejected", {"rate": "account_rate"}.get(rule, rule))
    assert "the account" in verdict.detail


@pytest.mark.parametrize("rule", [rule for rule in OF_A_PARTY if REFUSED[rule][0] is ENTRY])
def test_no_limit_keeps_anybody_in_a_position(rule):
    _, _, view = REFUSED[rule]
    verdict = judged(EXIT, LONG | {name: value for name, value in view.items() if name != "held"})
    assert verdict == Verdict("accepted", quantity=-10.0, reduce_only=True, time_in_force="day")


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


@pytest.mark.parametrize(
    "later", ["duplicate", "ttl", "symbol_not_granted", "reason_missing", "rate", "max_position_size"]
)
@pytest.mark.parametrize("earlier", ["too_large", "not_attached", "stale_generation", "warming", "paused"])
def test_the_earlier_step_answers(earlier, later):
    assert RULES[earlier].step < RULES[later].step
    _, first_fields, first_view = REFUSED[earlier]
    _, then_fields, then_view = REFUSED[later]
    assert judged(ENTRY, then_view | first_view, **then_fields | first_fields).rule == earlier


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


def test_a_position_may_be_as_large_as_allowed_orders_that_wait_included():
    view = {"held": 1.0, "buying": 2.0, "limits": Limits(max_position_size=4.0)}
    assert judged(view=view, quantity=1.0).decision == "accepted"
    assert judged(view=view, quantity=1.001).rule == "max_position_size"


def test_an_exit_that_waits_makes_no_room_since_it_may_be_cancelled():
    view = {"held": 4.0, "selling": -4.0, "waiting": 1, "limits": Limits(max_position_size=4.0)}
    assert judged(view=view).rule == "max_position_size"


def test_a_notional_limit_is_on_the_whole_position_at_the_last_price():
    view = {"held": 1.0, "limits": Limits(max_notional=200.0)}
    assert judged(view=view, quantity=1.0).decision == "accepted"
    assert judged(view=view, quantity=1.01).rule == "max_notional"


def test_exits_have_room_when_entries_have_used_up_theirs():
    assert judged(EXIT, LONG | {"waiting": 2 * MAX_OPEN_ORDERS - 1}).decision == "accepted"
    assert judged(EXIT, LONG | {"waiting": 2 * MAX_OPEN_ORDERS}).rule == "open_orders"


@pytest.mark.parametrize("name", ["quantity", "notional", "reference_price"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, 0.0, 1.1e15])
def test_a_number_out_of_range_is_named(name, value):
    verdict = judged(**{name: value})
    assert verdict.rule == "number_invalid"
    assert verdict.detail.startswith(f"{name} is ")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_target_that_is_not_finite_is_named(value):
    assert judged(intent="target", quantity=None, target_quantity=value).rule == "number_invalid"


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


def test_a_stop_too_near_to_size_by_is_refused():
    view = {"account": Party(equity=1000.0)}
    assert judged(view=view, quantity=None, risk_pct=1.0, stop_loss=Level("price", 100.0)).rule == "stop_side"


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


def test_without_a_position_there_is_nothing_to_adjust():
    assert judged(ADJUST, stop_loss=Level("price", 95.0)).rule == "no_position"


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


# ---- limits, exactly ------------------------------------------------------------------------------
@pytest.mark.parametrize("who", ["own", "account"])
@pytest.mark.parametrize(
    ("limits", "good", "bad"),
    [
        ({"max_orders_per_min": 3}, {"orders_minute": 2}, {"orders_minute": 3}),
        ({"max_identical_orders_per_min": 3}, {"identical": 2}, {"identical": 3}),
        (
            {"max_orders_per_day": 3},
            {"figures": msgspec.structs.replace(TODAY, orders=2)},
            {"figures": msgspec.structs.replace(TODAY, orders=3)},
        ),
        ({"max_open_positions": 3}, {"open_elsewhere": 2}, {"open_elsewhere": 3}),
        ({"max_exposure": 500.0}, {"elsewhere": 400.0}, {"elsewhere": 400.1}),
        ({"max_exposure": 500.0}, {"elsewhere": 200.0, "held": 2.0}, {"elsewhere": 200.0, "held": 2.1}),
        ({"max_exposure": 500.0}, {"held": 3.0, "buying": 1.0}, {"held": 3.0, "buying": 1.1}),
        ({"max_notional": 500.0}, {"held": 3.0, "buying": 1.0}, {"held": 3.0, "buying": 1.1}),
        ({"max_position_size": 5.0}, {"held": 3.0, "buying": 1.0}, {"held": 3.0, "buying": 1.1}),
        ({"max_position_size": 5.0}, {"held": 3.0, "selling": -3.0}, {"held": 4.1, "selling": -3.0}),
    ],
)
def test_a_limit_may_be_reached_and_not_passed(who, limits, good, bad):
    for fields, passes in ((good, True), (bad, False)):
        party = msgspec.structs.replace(Party(), limits=Limits(**limits), **fields)
        assert judge(ENTRY, msgspec.structs.replace(VIEW, **{who: party}), NOW).passed is passes


@pytest.mark.parametrize("holds", [{"held": 1.0}, {"held": -1.0}, {"buying": 1.0}, {"selling": -1.0}])
def test_what_is_open_already_is_no_position_more(holds):
    full = {"limits": Limits(max_open_positions=1), "open_elsewhere": 1}
    assert judged(view=full).rule == "max_open_positions"
    assert judged(view=full | holds).decision == "accepted"
    # An account that holds the symbol for others counts this one as one more.
    account = msgspec.structs.replace(Party(), **full | holds)
    assert judged(view={"account": account}).rule == "max_open_positions"
    assert judged(view={"account": account} | holds).decision == "accepted"


def test_a_rate_that_is_not_known_judges_no_limit():
    for limits in (Limits(max_notional=1e9), Limits(max_exposure=1e9)):
        assert judged(view={"limits": limits}).decision == "accepted"
        assert judged(view={"limits": limits, "rate": None}).rule in {"price_unknown", "exposure_unknown"}
        assert judged(view={"limits": limits, "rate": math.nan}).rule in {"max_notional", "max_exposure"}
    assert (
        judged(view={"rate": None}).decision == "accepted"
    )  # a quantity needs none where nothing is limited


# ---- for all inputs -------------------------------------------------------------------------------
ANY = st.none() | st.floats(allow_nan=True, allow_infinity=True)
BOUND = Limits(
    max_position_size=5.0, max_notional=500.0, max_exposure=900.0, max_open_positions=3, max_orders_per_min=4,
    max_orders_per_day=5, max_identical_orders_per_min=3, max_daily_loss=100.0, max_drawdown=50.0,
)  # fmt: skip


def mostly(usual, odd):
    """Draw what is usual, and now and then one field of ``odd``: else nothing would ever be accepted."""
    one = st.sampled_from(sorted(odd)).flatmap(lambda name: odd[name].map(lambda value: {name: value}))
    return st.tuples(usual, st.just({}) | st.just({}) | st.just({}) | one).map(lambda both: both[0] | both[1])


ENTERS = st.sampled_from(["enter_long", "enter_short"])
STOP = st.builds(Level, st.sampled_from(["pct", "ticks"]), st.floats(0.5, 20))
SIZES = st.one_of(
    st.fixed_dictionaries({"intent": ENTERS, "quantity": st.floats(0.01, 5)}),
    st.fixed_dictionaries({"intent": ENTERS, "notional": st.floats(1, 500), "quantity": st.none()}),
    st.fixed_dictionaries(
        {"intent": ENTERS, "risk_pct": st.floats(0.1, 5), "stop_loss": STOP, "quantity": st.none()}
    ),
    st.fixed_dictionaries(
        {"intent": st.just("target"), "target_quantity": st.floats(-6, 6), "quantity": st.none()}
    ),
    st.fixed_dictionaries(
        {"intent": st.just("target"), "target_weight": st.floats(-1, 1), "quantity": st.none()}
    ),
    st.fixed_dictionaries(
        {"intent": st.sampled_from(["exit_long", "exit_short", "exit_all"]), "quantity": st.none()}
    ),
)
KINDS = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {"order_type": st.just("limit"), "limit_price": st.sampled_from([96.0, 99.0, 104.0])}
    ),
    st.fixed_dictionaries({"order_type": st.just("stop"), "stop_price": st.sampled_from([97.5, 101.5])}),
)
ASKED = mostly(
    st.tuples(SIZES, KINDS).map(lambda parts: parts[0] | parts[1]),
    {
        "quantity": ANY, "notional": ANY, "target_quantity": ANY, "risk_pct": ANY, "reference_price": ANY,
        "limit_price": ANY, "stop_price": ANY, "reduce_only": st.booleans(), "take_profit": STOP,
        "stop_loss": st.builds(Level, st.sampled_from(["price", "pct", "ticks", "atr"]), st.floats()),
    },
)  # fmt: skip
FIGURES = mostly(
    st.fixed_dictionaries({
        "scope": st.just("account"), "name": st.just("A"), "start_equity": st.floats(900, 1000),
        "peak_equity": st.floats(1000, 1100), "orders": st.integers(0, 5),
    }),
    {"start_equity": ANY, "peak_equity": ANY},
).map(lambda fields: Figures(**fields))  # fmt: skip
PARTIES = mostly(
    st.fixed_dictionaries({
        "limits": st.just(BOUND), "held": st.floats(-3, 3), "buying": st.just(0.0) | st.floats(0, 3),
        "selling": st.just(0.0) | st.floats(-3, 0), "due": st.just(0.0) | st.floats(-1, 1),
        "elsewhere": st.floats(0, 700), "open_elsewhere": st.integers(0, 3), "equity": st.floats(880, 1100),
        "figures": FIGURES, "orders_minute": st.integers(0, 4), "identical": st.integers(0, 3),
    }),
    {"elsewhere": ANY, "equity": ANY, "figures": st.none(), "held": st.floats(-9, 9)},
).map(lambda fields: Party(**fields))  # fmt: skip
WORLD = mostly(
    st.fixed_dictionaries({
        "price": st.floats(98, 102), "rate": st.just(1.0) | st.floats(0.5, 2), "own": PARTIES,
        "account": PARTIES, "instrument": st.just(Instrument(symbol="X", tick_size=0.5, lot_size=0.1)),
    }),
    {"price": ANY, "rate": ANY, "instrument": st.none()},
)  # fmt: skip


@settings(max_examples=400)
@given(ASKED, WORLD)
def test_nothing_that_is_accepted_breaks_a_limit(fields, world):
    view = msgspec.structs.replace(VIEW, **world)
    verdict = judge(msgspec.structs.replace(ENTRY, **fields), view, NOW)
    if not verdict.passed:
        assert verdict.rule in RULES
        assert verdict.detail
        return
    assert math.isfinite(verdict.quantity)
    assert verdict.quantity != 0.0
    if verdict.reduce_only:
        expected = view.own.expected
        assert abs(verdict.quantity) <= abs(expected)
        assert (verdict.quantity > 0) == (expected < 0)
        return
    for party in (view.own, view.account):
        worst = abs(party.held + (party.buying if verdict.quantity > 0 else party.selling) + verdict.quantity)
        assert worst <= 5.0
        assert worst * view.price * view.rate <= 500.0
        assert party.elsewhere + worst * view.price * view.rate <= 900.0
        assert party.orders_minute < 4
        assert party.identical < 3
        assert party.figures.orders < 5
        assert party.figures.start_equity - party.equity <= 100.0 + 1e-6
        assert party.figures.peak_equity - party.equity <= party.figures.peak_equity / 2 + 1e-6
        is_open = view.own.held or view.own.buying or view.own.selling
        assert is_open or party.open_elsewhere < 3


@given(
    WORLD,
    st.sampled_from([Session(open=None), Session(open=False), Session()]),
    st.sampled_from(["none", "clear", "denied", "unreachable"]),
    st.sampled_from(["paper", "live", "backtest"]),
)
def test_whoever_holds_something_can_always_exit_all_of_it(world, session, clearance, mode):
    world["own"] = msgspec.structs.replace(world["own"], held=3.0, due=0.0)
    view = msgspec.structs.replace(VIEW, session=session, clearance=clearance, mode=mode, **world)
    assert judge(EXIT, view, NOW).quantity == -3.0
