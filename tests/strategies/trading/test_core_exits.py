"""The engine's own exits at the door of the core: they act once, whoever is dead, and survive a crash."""

from __future__ import annotations

import pytest

from bus.messages import Candle, Filled, Level, Trail
from strategies.trading.core import Core, Outcome
from strategies.trading.instruments import Instrument, Instruments
from strategies.trading.records import Executed, Guarded, Judged, Placed, Unguarded
from strategies.trading.setup import Setup
from strategies.trading.terms import FixedCommission, PercentageSlippage, Terms
from tests.strategies.trading.trading_world import SECOND, T0, grant, running_core, signal, tick, verdicts

STOP = Level("pct", 2.0)
TARGET = Level("pct", 5.0)
NOTHING = Outcome()


def protected(core: Core | None = None, *, at: float = 100.0, **asked: object) -> Core:
    """Return a core whose deployment has bought one X at ``at``, with what was asked to guard it."""
    core = core or running_core()
    assert verdicts(core.on_signals("d", 1, [signal(**asked)], T0)) == ["accepted"]
    core.on_tick(tick(at, ts=T0 + 1), T0 + 1)
    assert [1.0] == [position.quantity for position in core.positions("d")]
    return core


def see(core: Core, price: float, after: float = 1.0):
    ts = T0 + 1 + round(after * SECOND)
    return core.on_tick(tick(price, ts=ts), ts)


def kinds(outcome) -> list[type]:
    return [type(record) for record in outcome.records]


def quantities(core: Core) -> list[float]:
    return [position.quantity for position in core.positions("d")]


# ---- one exit -------------------------------------------------------------------------------------
def test_a_stop_that_is_touched_closes_the_position_by_the_same_tick():
    core = protected(stop_loss=STOP)
    assert see(core, 98.5) is None
    out = see(core, 98.0, 2)
    assert [Judged, Placed, Unguarded] == kinds(out)[:3]
    [executed] = [record for record in out.records if isinstance(record, Executed)]
    assert ("stop_loss", 98.0, -1.0, -2.0) == (
        executed.role, executed.fill.price, executed.fill.quantity, executed.closed,
    )  # fmt: skip
    assert [0.0] == quantities(core)
    assert ("position_protected", "d") in [(kind, owner) for kind, _, owner in out.events]


def test_the_world_reads_of_an_exit_as_of_any_accepted_signal():
    core = protected(stop_loss=STOP)
    [accepted] = see(core, 97.0).accepted
    assert ("exit_long", -1.0, "A", "stop_loss") == (
        accepted.intent, accepted.quantity, accepted.account_id, accepted.signal["reason"]["code"],
    )  # fmt: skip


def test_an_exit_is_ordered_once_however_far_the_price_goes_on():
    core = protected(stop_loss=STOP)
    exits = [record for price in (97.0, 96.0, 90.0) for record in (see(core, price) or NOTHING).records]
    assert 1 == sum(isinstance(record, Executed) for record in exits)
    assert [0.0] == quantities(core)


def test_a_gap_is_filled_where_the_market_stands_and_not_at_the_stop():
    core = protected(stop_loss=STOP)
    assert 80.0 == fill_of(see(core, 80.0)).price


def test_a_target_closes_with_its_profit():
    core = protected(stop_loss=STOP, take_profit=TARGET)
    out = see(core, 105.0)
    assert ("take_profit", 5.0) == next((r.role, r.closed) for r in out.records if isinstance(r, Executed))


def test_a_trailing_stop_follows_the_price_and_never_back():
    core = protected(trailing_stop=Trail("pct", 1.0))
    for price in (110.0, 120.0, 119.5):
        out = see(core, price)
        assert out is None or not any(isinstance(record, Executed) for record in out.records)
    assert 118.8 == fill_of(see(core, 118.8)).price


def test_a_time_stop_needs_no_tick():
    core = protected(time_stop_s=60.0)
    assert not core.pulse(T0 + 59 * SECOND).records
    out = core.pulse(T0 + 62 * SECOND)
    assert [Judged, Placed, Unguarded] == kinds(out)[:3]
    out = see(core, 101.0, 63)
    assert ("time_stop", 1.0) == next((r.role, r.closed) for r in out.records if isinstance(r, Executed))


def test_configured_percentages_guard_what_a_strategy_opens_without_asking():
    risk = {"stop_loss_percentage": 1.0, "take_profit_percentage": 3.0}
    core = protected(running_core(grant(risk=risk)))
    assert 99.0 == fill_of(see(core, 99.0)).price


def test_a_strategy_may_tighten_and_never_loosen_by_adjust():
    core = protected(stop_loss=STOP)
    looser = signal("adjust", key=2, stop_loss=Level("price", 97.0))
    tighter = signal("adjust", key=3, stop_loss=Level("price", 99.0))
    assert ["adjust_refused"] == verdicts(core.on_signals("d", 1, [looser], T0))
    assert ["accepted"] == verdicts(core.on_signals("d", 1, [tighter], T0))
    assert 99.0 == fill_of(see(core, 99.0)).price


# ---- whoever is dead ------------------------------------------------------------------------------
def test_it_acts_though_the_instance_is_gone_and_tells_the_next_one():
    core = protected(stop_loss=STOP)
    core.detach("d", 1)
    assert 97.0 == fill_of(see(core, 97.0)).price
    core.attach(grant(generation=2))
    assert [0.0] == quantities(core)


def test_it_acts_while_the_deployment_is_paused_and_tells_it():
    core = protected(stop_loss=STOP)
    core.direct("d", 1, "pause", "lunch", False)
    out = see(core, 97.0)
    [body] = [body for _, _, body in out.commands if isinstance(body, Filled)]
    assert ("stop_loss", 0.0) == (body.fill.role, body.position.quantity)


def test_the_strategys_own_exit_takes_the_guard_along():
    core = protected(stop_loss=STOP)
    core.on_signals("d", 1, [signal("exit_long", key=2)], T0)
    out = see(core, 100.5)
    assert Unguarded in kinds(out)
    assert see(core, 90.0) is None
    assert [0.0] == quantities(core)


def test_an_exit_of_the_strategy_that_waits_is_not_ordered_twice():
    core = protected(stop_loss=STOP)
    core.on_signals("d", 1, [signal("exit_long", key=2)], T0)
    out = see(core, 97.0)  # the tick that fills the exit is the one that touches the stop
    assert 1 == sum(isinstance(record, Executed) for record in out.records)
    assert [0.0] == quantities(core)


# ---- crashes --------------------------------------------------------------------------------------
@pytest.mark.parametrize("kept", [True, False])
def test_a_peak_of_before_a_crash_still_counts(kept):
    core, records = running_core(), []
    records += core.on_signals("d", 1, [signal(trailing_stop=Trail("pct", 1.0))], T0).records
    ticks = [tick(price, ts=T0 + n) for n, price in enumerate((100.0, 120.0, 119.9), 1)]
    for each in ticks:
        records += (core.on_tick(each, each.ts) or NOTHING).records
    if kept:  # as before each mark of the tape
        out = core.keep(T0 + 9)
        assert [Guarded] == kinds(out)
        records += out.records
    again = running_core()
    again.restore(records)
    again.recall([], [("X", 0)])
    for number, each in enumerate(ticks if not kept else [], 1):
        assert again.see_again(each, number, each.ts) is None
    if kept:
        again.recall([ticks[-1]], [("X", 3)])
    assert 118.8 == fill_of(again.on_tick(tick(118.8, ts=T0 + 10), T0 + 10)).price


def test_a_stop_that_acted_before_the_crash_does_not_act_again_on_the_same_ticks():
    core, records = running_core(), []
    records += core.on_signals("d", 1, [signal(stop_loss=STOP)], T0).records
    ticks = [tick(price, ts=T0 + n) for n, price in enumerate((100.0, 97.0, 96.0), 1)]
    for each in ticks:
        records += (core.on_tick(each, each.ts) or NOTHING).records
    again = running_core()
    again.restore(records)
    assert [None] * 3 == [again.see_again(each, number, each.ts) for number, each in enumerate(ticks, 1)]
    assert core.snapshot() == again.snapshot()


def test_a_stop_whose_records_were_lost_acts_when_its_tick_is_seen_again():
    core, records = running_core(), []
    records += core.on_signals("d", 1, [signal(stop_loss=STOP)], T0).records
    first, second = tick(100.0, ts=T0 + 1), tick(97.0, ts=T0 + 2)
    records += core.on_tick(first, first.ts).records
    lost = core.on_tick(second, second.ts)
    again = running_core()
    again.restore(records)
    assert again.see_again(first, 1, first.ts) is None
    found = again.see_again(second, 2, second.ts)
    assert lost.records == found.records


# ---- terms ----------------------------------------------------------------------------------------
def test_an_exit_pays_commission_and_slips_like_any_order():
    terms = Terms(commission=FixedCommission(0.5), slippage=PercentageSlippage(100.0))
    core = protected(running_core(setup=Setup(paper=terms)), at=100.0, stop_loss=Level("price", 95.0))
    fill = fill_of(see(core, 90.0))
    assert (pytest.approx(89.1), 0.5) == (fill.price, fill.fee)


def test_money_follows_the_multiplier_and_currency_of_the_instrument():
    future = Instruments({"X": Instrument(symbol="X", multiplier=50.0, currency="EUR")})
    core = protected(running_core(setup=Setup(instruments=future)), stop_loss=STOP)
    out = see(core, 98.0)
    [executed] = [record for record in out.records if isinstance(record, Executed)]
    assert (-100.0, "EUR") == (executed.closed, executed.fill.currency)


def test_a_bar_that_touches_stop_and_target_closes_at_the_stop():
    core = protected(stop_loss=STOP, take_profit=TARGET)
    minute = 60 * SECOND
    opened = T0 - T0 % minute + minute
    bar = Candle("X", "1m", opened, opened + minute, 100.0, 106.0, 97.0, 104.0, 10.0)
    out = core.on_bar(bar, bar.close_time)
    assert ("stop_loss", 98.0) == next((r.role, r.fill.price) for r in out.records if isinstance(r, Executed))
    assert [0.0] == quantities(core)


# ---- helpers --------------------------------------------------------------------------------------
def fill_of(outcome):
    [executed] = [record for record in outcome.records if isinstance(record, Executed)]
    return executed.fill


def test_an_entry_that_waits_over_the_square_off_is_over_with_it():
    core = running_core(grant(risk={"square_off_at": "23:00"}))  # T0 is 22:13:20 UTC
    asked = signal(order_type="limit", limit_price=99.0, time_in_force="gtc")
    assert ["accepted"] == verdicts(core.on_signals("d", 1, [asked], T0))
    [order] = core.world.state.broker.everything()
    assert 0 < order.expires_at - T0 < 3600 * SECOND
    assert see(core, 98.0, 3600) is None or [] == quantities(core)
    assert [] == core.world.state.broker.everything()
