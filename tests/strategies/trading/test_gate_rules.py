"""Every rule by name, each of them for the deployment and for its account."""

import math
import re

import msgspec
import pytest

from bus.messages import Level
from strategies.trading import gate
from strategies.trading.caps import MAX_OPEN_ORDERS
from strategies.trading.desk import SECOND, Standing
from strategies.trading.keys import MOST_KEYS
from strategies.trading.limits import Limits
from strategies.trading.rules import RULES
from strategies.trading.ttl import CLOCK_SKEW
from strategies.trading.view import Party, Session, Verdict
from tests.strategies.trading.gate_world import (
    ENTRY,
    EXIT,
    GUARD,
    LIMIT,
    LIVE,
    LONG,
    NOW,
    PARTY,
    TICKS,
    TODAY,
    VIEW,
    judged,
    latched,
    limited,
)

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
    "remembered": (ENTRY, {}, {"remembered": MOST_KEYS}),
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
    "held_otherwise": (ENTRY, {}, {"otherwise": "d holds 1 X on paper"}),
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
    modified.add("unjudged")  # no signal is known that makes it so; a mistake is made below
    of_approvals = {rule for rule in RULES if rule.startswith("approval_")}  # test_core_approvals.py
    assert set(REFUSED) | modified | of_approvals == set(RULES)


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


@pytest.mark.parametrize(
    "later", ["duplicate", "ttl", "symbol_not_granted", "reason_missing", "rate", "max_position_size"]
)
@pytest.mark.parametrize("earlier", ["too_large", "not_attached", "stale_generation", "warming", "paused"])
def test_the_earlier_step_answers(earlier, later):
    assert RULES[earlier].step < RULES[later].step
    _, first_fields, first_view = REFUSED[earlier]
    _, then_fields, then_view = REFUSED[later]
    assert judged(ENTRY, then_view | first_view, **then_fields | first_fields).rule == earlier


def test_a_mistake_of_ours_costs_one_signal_and_says_where_it_is(monkeypatch):
    def mistaken(*_: object) -> None:
        raise OverflowError("cannot convert float infinity to integer")

    monkeypatch.setattr(gate, "order", mistaken)
    verdict = gate.judge(ENTRY, VIEW, NOW)
    assert ("rejected", "unjudged", False) == (verdict.decision, verdict.rule, verdict.passed)
    assert re.search(r"\(OverflowError at test_gate_rules\.py:\d+\)", verdict.detail)
