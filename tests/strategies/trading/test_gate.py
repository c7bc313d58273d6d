"""Every rule by name, the order of the steps, and what no input may ever bring about."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Level, Reason, Signal, Trail
from strategies.trading.caps import MAX_OPEN_ORDERS
from strategies.trading.desk import SECOND, Standing
from strategies.trading.figures import Figures
from strategies.trading.gate import MAX_EVIDENCE, judge
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


# ---- for all inputs -------------------------------------------------------------------------------
ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True)
SIZE = st.none() | st.floats(0.01, 6) | st.floats(-6, 6) | ANY_FLOAT
PRICE = st.just(100.0) | st.floats(90, 110) | st.none() | ANY_FLOAT


@given(
    intent=st.sampled_from(["enter_long", "enter_short", "exit_long", "exit_short", "exit_all", "target"]),
    sizes=st.fixed_dictionaries(
        {"quantity": SIZE, "notional": st.none() | SIZE, "target_quantity": SIZE, "reference_price": PRICE}
    ),
    reduce_only=st.booleans(),
    price=PRICE,
    position=st.tuples(st.floats(-5, 5), st.floats(0, 5), st.floats(-5, 0)),
)
def test_nothing_that_is_accepted_breaks_a_limit(intent, sizes, reduce_only, price, position):
    limits = Limits(max_position_size=5.0, max_notional=500.0)
    held, buying, selling = position
    view = changed(VIEW, held=held, buying=buying, selling=selling, waiting=1, price=price, limits=limits)
    signal = msgspec.structs.replace(ENTRY, intent=intent, reduce_only=reduce_only, **sizes)
    verdict = judge(signal, view, NOW)
    if not verdict.passed:
        assert verdict.rule in RULES
        return
    assert math.isfinite(verdict.quantity)
    assert verdict.quantity != 0.0
    if verdict.reduce_only:
        expected = view.own.expected
        assert abs(verdict.quantity) <= abs(expected)
        assert (verdict.quantity > 0) == (expected < 0)
    else:
        worst = abs(held + (buying if verdict.quantity > 0 else selling) + verdict.quantity)
        assert worst <= 5.0
        assert worst * price <= 500.0
