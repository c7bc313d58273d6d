"""Limits of loss, latches and accounts at the door of the core."""

from __future__ import annotations

import pytest

from strategies.trading.accounts import AccountTerms
from strategies.trading.core import Core, Outcome
from strategies.trading.instruments import Instrument, Instruments
from strategies.trading.records import Closed, Executed, Latched, Measured, Rearmed
from strategies.trading.setup import Setup
from tests.strategies.trading.trading_world import SECOND, T0, grant, running_core, signal, tick, verdicts

DAY = 86_400 * SECOND
ITS_ACCOUNT = ("account", "A")
NOTHING = Outcome()


def setup(**risk: object) -> Setup:
    return Setup(accounts={"A": AccountTerms(name="A", capital=1_000.0, risk=risk)})


def send(core: Core, *signals, now: int = T0, deployment: str = "d"):
    return core.on_signals(deployment, 1, list(signals), now)


def price(core: Core, value: float, after: int = 1, symbol: str = "X"):
    return core.on_tick(tick(value, symbol, T0 + after), T0 + after)


def holding(core: Core, quantity: float = 10.0, *, at: float = 100.0) -> Core:
    """Let ``d`` hold X."""
    assert verdicts(send(core, signal(quantity=quantity))) == ["accepted"]
    price(core, at)
    return core


def of(kind: type, outcome) -> list:
    return [record for record in outcome.records if isinstance(record, kind)]


# ---- losses ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("scope", ["deployment", "account"])
@pytest.mark.parametrize(
    ("risk", "rule"),
    [
        ({"max_daily_loss": 50.0}, "max_daily_loss"),
        ({"max_daily_loss_percentage": 5.0}, "max_daily_loss"),
        ({"max_drawdown": 5.0}, "max_drawdown"),
    ],
)
def test_a_loss_beyond_its_limit_latches_whom_it_binds_by_the_tick_that_makes_it(scope, risk, rule):
    mine = grant(risk=risk if scope == "deployment" else {})
    core = holding(running_core(mine, setup=setup(**(risk if scope == "account" else {}))))
    assert of(Latched, price(core, 95.0, 2) or NOTHING) == []
    [latched] = of(Latched, price(core, 94.9, 3))
    name = {"deployment": "d", "account": "A"}[scope]
    assert (scope, name, "pause", rule) == (
        latched.latch.scope, latched.latch.name, latched.latch.kind, latched.latch.rule,
    )  # fmt: skip
    assert verdicts(send(core, signal(key=2), now=T0 + 4)) == ["latch_pause"]
    assert price(core, 90.0, 5) is None or of(Latched, price(core, 89.0, 6) or NOTHING) == []


def test_a_breach_that_flattens_closes_by_the_tick_that_made_it_and_lets_only_exits_through():
    core = holding(running_core(setup=setup(max_daily_loss=50.0, on_breach="flatten")))
    out = price(core, 94.0, 3)
    [executed] = of(Executed, out)
    assert ("flatten", 94.0, 0.0) == (executed.role, executed.fill.price, executed.position.quantity)
    assert verdicts(send(core, signal(key=2), now=T0 + 4)) == ["latch_flatten"]
    assert verdicts(send(core, signal("exit_long", key=3), now=T0 + 4)) == ["no_position"]


def test_a_breach_cancels_entries_that_wait():
    core = holding(running_core(setup=setup(max_daily_loss=50.0, on_breach="exit_only")))
    send(core, signal(key=2, order_type="limit", limit_price=50.0))
    [closed] = of(Closed, price(core, 94.0, 3))
    assert "was latched (exit_only)" in closed.detail
    assert verdicts(send(core, signal("exit_long", key=3), now=T0 + 4)) == ["accepted"]


def test_the_loss_of_one_deployment_counts_for_the_account_of_both():
    two = grant("d"), grant("e")
    core = holding(running_core(*two, setup=setup(max_daily_loss=50.0, on_breach="lock")))
    price(core, 94.0, 3)
    for each in two:
        out = send(core, signal(key=5), now=T0 + 4, deployment=each.deployment_id)
        assert ["latch_lock"] == verdicts(out)


def test_a_new_day_begins_with_what_there_is_then():
    core = holding(running_core(setup=setup(max_daily_loss=50.0)))
    price(core, 96.0, 3)
    [measured] = of(Measured, price(core, 96.0, DAY))
    assert (960.0, 0) == (measured.figures.start_equity, measured.figures.orders)
    assert of(Latched, price(core, 92.0, DAY + 1) or NOTHING) == []
    assert len(of(Latched, price(core, 90.0, DAY + 2))) == 1


@pytest.mark.parametrize("scope", ["deployment", "account"])
def test_a_day_that_has_begun_without_a_price_begins_with_the_last_one(scope):
    risk = {"max_daily_loss": 50.0}
    mine = grant(risk=risk if scope == "deployment" else {})
    core = holding(running_core(mine, setup=setup(**(risk if scope == "account" else {}))))
    core.pulse(T0 + DAY)
    [latched] = of(Latched, price(core, 94.0, DAY + 1))
    assert ("max_daily_loss", scope) == (latched.latch.rule, latched.latch.scope)


@pytest.mark.parametrize("pulsed", [False, True], ids=["by its first tick", "by the clock"])
@pytest.mark.parametrize("seen", ["tick", "again", "bar"])
def test_what_the_first_price_of_a_day_takes_is_lost_on_that_day_whoever_began_it(seen, pulsed):
    core = holding(running_core(setup=setup(max_daily_loss=50.0)))
    price(core, 96.0, 3)
    begun = of(Measured, core.pulse(T0 + DAY)) if pulsed else []
    if seen == "tick":
        out = price(core, 90.0, DAY)
    elif seen == "again":  # an engine that died before it kept what the tick did
        out = core.see_again(tick(90.0, "X", T0 + DAY), 9, T0 + DAY)
    else:
        out = core.on_price("X", 90.0, T0 + DAY)
    begun += of(Measured, out)
    assert [(960.0, 0)] == [(one.figures.start_equity, one.figures.orders) for one in begun]
    assert ["max_daily_loss"] == [one.latch.rule for one in of(Latched, out)]
    assert sorted(record.seq for record in out.records) == [record.seq for record in out.records]


def test_the_day_of_who_has_no_limits_begins_before_its_first_price_too():
    core = holding(running_core(setup=setup()))
    price(core, 96.0, 3)
    [measured] = of(Measured, price(core, 90.0, DAY))
    assert ("A", 960.0) == (measured.figures.name, measured.figures.start_equity)
    assert price(core, 80.0, DAY + 1) is None, "once"


def test_days_begin_when_their_accounts_say_so_and_say_otherwise():
    core = holding(running_core(setup=setup()))
    price(core, 96.0, 3)
    noon = AccountTerms(name="A", capital=1_000.0, day_starts=12 * 3600)
    eve = T0 - T0 % DAY + DAY
    core.pulse(T0)
    core.configure(Setup(accounts={"A": noon}))
    assert price(core, 90.0, eve + 11 * 3600 * SECOND - T0) is None
    [measured] = of(Measured, price(core, 80.0, eve + 12 * 3600 * SECOND - T0))
    assert 900.0 == measured.figures.start_equity


def test_a_profit_that_is_locked_bars_entries_for_the_day():
    core = holding(running_core(setup=setup(daily_profit_lock=100.0)))
    price(core, 110.0, 2)
    price(core, 101.0, 3)
    assert ["daily_profit_lock"] == verdicts(send(core, signal(key=2), now=T0 + 4))
    assert ["accepted"] == verdicts(send(core, signal("exit_long", key=3), now=T0 + 4))


def test_an_unknown_price_bars_entries_and_breaches_nothing():
    core = holding(running_core(setup=setup(max_daily_loss=50.0)))
    core.set_price("X", None, T0)
    assert ["equity_unknown"] == verdicts(send(core, signal(key=2, symbol="Y"), now=T0 + 4))
    assert ["accepted"] == verdicts(send(core, signal("exit_long", key=3), now=T0 + 4))
    assert core.latched(ITS_ACCOUNT) is None


def test_without_a_capital_an_amount_is_judged_and_a_percentage_bars_entries():
    alone = Setup(accounts={"A": AccountTerms(name="A", risk={"max_daily_loss": 50.0})})
    core = holding(running_core(setup=alone))
    assert len(of(Latched, price(core, 94.0, 3))) == 1
    share = Setup(accounts={"A": AccountTerms(name="A", risk={"max_drawdown": 5.0})})
    assert ["equity_unknown"] == verdicts(send(running_core(setup=share), signal()))


def test_money_in_another_currency_counts_at_its_rate_and_bars_entries_without_one():
    known = {
        "X": Instrument(symbol="X", currency="EUR"),
        "EURUSD": Instrument(symbol="EURUSD", base="EUR", currency="USD"),
    }
    accounts = {"A": AccountTerms(name="A", capital=1_000.0, risk={"max_daily_loss": 50.0})}
    core = running_core(setup=Setup(accounts=accounts, instruments=Instruments(known)))
    core.set_price("EURUSD", 1.25, T0)
    holding(core)
    assert of(Latched, price(core, 96.0, 2) or NOTHING) == []  # 40 EUR are 50 USD: reached, not passed
    assert len(of(Latched, core.on_tick(tick(1.26, "EURUSD", T0 + 3), T0 + 3))) == 1


def test_the_first_fill_of_an_account_tells_what_its_day_began_with_also_where_no_limit_binds_it():
    """A person who looks at the account wants to know what it made today."""
    core = running_core(setup=setup())
    send(core, signal(quantity=10.0))
    assert core.figures(ITS_ACCOUNT).day
    assert core.figures(ITS_ACCOUNT).start_equity is None
    [measured] = of(Measured, price(core, 100.0))
    assert (1_000.0, 1_000.0) == (measured.figures.start_equity, measured.figures.peak_equity)
    send(core, signal("exit_long", key=2), now=T0 + 2)
    assert [] == of(Measured, price(core, 101.0, 3)), "once known it is written down no more"


# ---- counts and pauses ----------------------------------------------------------------------------
def test_the_orders_of_a_day_are_counted_for_the_account_and_begin_anew():
    two = grant("d"), grant("e")
    core = running_core(*two, setup=setup(max_orders_per_day=2))
    assert ["accepted"] == verdicts(send(core, signal()))
    assert ["accepted"] == verdicts(send(core, signal(), deployment="e"))
    assert ["max_orders_per_day"] == verdicts(send(core, signal(key=2)))
    later = T0 + DAY
    assert ["accepted"] == verdicts(send(core, signal(key=3, data_as_of=later), now=later))


def test_losses_in_a_row_pause_entries_for_their_time():
    risk = {"cooldown_after_loss": 1, "cooldown_after_loss_s": 60.0}
    core = holding(running_core(grant(risk=risk)))
    send(core, signal("exit_long", key=2))
    price(core, 99.0, 2)
    soon, late = T0 + 30 * SECOND, T0 + 61 * SECOND
    core.on_tick(tick(99.0, ts=soon), soon)
    for key, now, rule in ((3, soon, "cooldown_after_loss"), (4, late, "accepted")):
        again = signal(key=key, data_as_of=now, reference_price=99.0)
        assert [rule] == verdicts(send(core, again, now=now))


# ---- operators ------------------------------------------------------------------------------------
def test_an_operator_pauses_and_rearms_an_account_and_says_it_once():
    core = holding(running_core())
    assert len(of(Latched, core.latch(ITS_ACCOUNT, "pause", "audit", "root", T0))) == 1
    assert [] == core.latch(ITS_ACCOUNT, "pause", "audit", "root", T0).records
    assert [] == core.latch(ITS_ACCOUNT, "exit_only", "weaker", "root", T0).records
    assert ["latch_pause"] == verdicts(send(core, signal("exit_long", key=2)))
    out = core.rearm(ITS_ACCOUNT, "done", "root", T0)
    assert [Rearmed, Measured] == [type(record) for record in out.records][:2]
    assert [] == core.rearm(ITS_ACCOUNT, "done", "root", T0).records
    assert ["accepted"] == verdicts(send(core, signal("exit_long", key=3)))


def test_a_kill_closes_everything_and_lets_nothing_through():
    core = holding(running_core())
    core.latch(ITS_ACCOUNT, "lock", "kill", "root", T0 + 2)
    out = price(core, 99.0, 3)
    assert ["flatten"] == [record.role for record in of(Executed, out)]
    assert ["latch_lock"] == verdicts(send(core, signal("exit_long", key=2)))


def test_after_a_rearm_the_same_loss_does_not_latch_again():
    core = holding(running_core(setup=setup(max_daily_loss=50.0)))
    price(core, 94.0, 3)
    core.rearm(ITS_ACCOUNT, "looked at", "root", T0 + 4)
    assert of(Latched, price(core, 93.0, 5) or NOTHING) == []
    assert len(of(Latched, price(core, 88.0, 6))) == 1


def test_a_latch_and_its_figures_outlive_the_core():
    core, records = running_core(setup=setup(max_daily_loss=50.0)), []
    records += send(core, signal(quantity=10.0)).records
    for after, value in enumerate((100.0, 94.0), 1):
        records += price(core, value, after).records
    again = running_core(setup=setup(max_daily_loss=50.0))
    again.restore(records)
    assert core.snapshot() == again.snapshot()
    assert ["latch_pause"] == verdicts(send(again, signal(key=2), now=T0 + 4))


def test_prices_of_before_a_fill_breach_nothing_when_they_are_seen_again():
    core, records = running_core(setup=setup(max_daily_loss=50.0)), []
    records += send(core, signal(quantity=10.0)).records
    old = tick(20.0, "Y", T0 + 1)
    low, filled = tick(60.0, "X", T0 + 1), tick(100.0, "X", T0 + 2)
    for each in (old, filled):
        records += (core.on_tick(each, each.ts) or NOTHING).records
    again = running_core(setup=setup(max_daily_loss=50.0))
    again.restore(records)
    [fill] = [record.fill for record in records if isinstance(record, Executed)]
    again.dealt(fill.deployment_id, fill.account_id, fill.at)
    assert again.see_again(low, 1, low.ts) is None
    assert again.latched(ITS_ACCOUNT) is None


def test_the_orders_of_the_last_minute_outlive_a_restart():
    risk = {"max_orders_per_min": 1}
    core = running_core(grant(risk=risk))
    records = send(core, signal()).records
    again = running_core(grant(risk=risk))
    again.restore([core.snapshot()])
    replayed = running_core(grant(risk=risk))
    replayed.restore(records)
    assert core.snapshot() == again.snapshot() == replayed.snapshot()
    for each in (core, replayed, again):
        each.attach(grant(risk=risk))
        each.running("d", 1)
        assert ["max_orders_per_min"] == verdicts(send(each, signal(key=2), now=T0 + SECOND))
    late = T0 + 61 * SECOND
    assert ["accepted"] == verdicts(send(core, signal(key=3, data_as_of=late), now=late))


# ---- removed --------------------------------------------------------------------------------------
def test_a_deployment_of_the_name_of_a_removed_one_has_no_peak_of_its_own():
    mine = grant(risk={"max_drawdown": 50.0})
    core = holding(running_core(mine, setup=setup()))
    price(core, 150.0, 2)
    assert 1_500.0 == core.figures(("deployment", "d")).peak_equity, "moved, and not written down yet"
    send(core, signal("exit_long", key=2), now=T0 + 3)
    core.on_tick(tick(150.0, "X", T0 + 4), T0 + 4)
    price(core, 150.0, 5)
    core.forget("d", T0 + 6)
    assert [] == [one.figures.name for one in of(Measured, core.keep(T0 + 7)) if one.figures.name == "d"]
    assert core.figures(("deployment", "d")).peak_equity is None
