"""A deployment that is given another account, or goes from paper to live, while it holds something."""

import pytest
from msgspec.structs import replace

from strategies.trading.accounts import AccountTerms
from strategies.trading.records import Closed, Executed, Noted, Placed
from strategies.trading.setup import Setup
from tests.strategies.trading.trading_world import SECOND, T0, grant, running_core, signal, tick, verdicts

LIVE = Setup(accounts={"A": AccountTerms(name="A", live=True, route="zmq")}, live=True)


def records(outcome, kind):
    return [record for record in outcome.records if isinstance(record, kind)]


def moved(**granted):
    """A core whose deployment holds one X on paper for account A, and is granted otherwise by now."""
    core = running_core()
    core.configure(LIVE)
    core.on_signals("d", 1, [signal(data_as_of=T0)], T0)
    core.on_tick(tick(ts=T0 + 1), T0 + 1)
    core.attach(grant(generation=2, **granted))
    core.running("d", 2)
    return core


def asked(core, intent, number, **fields):
    now = T0 + number * SECOND
    return core.on_signals("d", 2, [signal(intent, number, data_as_of=now, **fields)], now)


OTHERWISE = pytest.mark.parametrize("granted", [{"account_id": "B"}, {"trading_mode": "live"}])


@OTHERWISE
def test_it_closes_what_it_holds_as_it_holds_it(granted):
    core = moved(**granted)
    outcome = asked(core, "exit_all", 2)
    assert ["accepted"] == verdicts(outcome)
    assert [("A", "")] == [(one.order.account_id, one.order.route) for one in records(outcome, Placed)]
    filled = core.on_tick(tick(104.0, ts=T0 + 2 * SECOND + 1), T0 + 2 * SECOND + 1)
    assert [4.0] == [one.closed for one in records(filled, Executed)]


@OTHERWISE
@pytest.mark.parametrize("intent", ["enter_long", "enter_short"])
def test_it_adds_nothing_to_it_and_does_not_trade_through_zero(granted, intent):
    core = moved(**granted)
    outcome = asked(core, intent, 2, quantity=2.0)
    assert ["held_otherwise"] == verdicts(outcome)
    assert [] == outcome.sends


@OTHERWISE
def test_it_adds_nothing_while_an_order_of_before_waits(granted):
    core = running_core()
    core.configure(LIVE)
    core.on_signals("d", 1, [signal(data_as_of=T0)], T0)
    core.attach(grant(generation=2, **granted))
    core.running("d", 2)
    assert ["held_otherwise"] == verdicts(asked(core, "enter_long", 2))
    assert ["accepted"] == verdicts(asked(core, "cancel", 3))
    assert ["accepted"] == verdicts(asked(core, "enter_long", 4))


def test_flat_it_trades_as_it_is_granted_now():
    core = moved(account_id="B")
    asked(core, "exit_all", 2)
    core.on_tick(tick(ts=T0 + 2 * SECOND + 1), T0 + 2 * SECOND + 1)
    assert ["accepted"] == verdicts(asked(core, "enter_long", 3))
    outcome = core.on_tick(tick(ts=T0 + 3 * SECOND + 1), T0 + 3 * SECOND + 1)
    assert ["B"] == [one.fill.account_id for one in records(outcome, Executed)]


def test_an_order_whose_fill_the_books_refuse_ends_and_nothing_stops():
    """No gate lets it come to that; a venue might."""
    core = moved(account_id="B")
    (order,) = (one.order for one in records(asked(core, "exit_all", 2), Placed))
    core._state.broker.replace(replace(order, account_id="B"))
    now = T0 + 2 * SECOND + 1
    outcome = core.on_tick(tick(ts=now), now)
    (closed,) = records(outcome, Closed)
    assert ("refused", 0.0) == (closed.reason, closed.filled)
    assert closed.detail.endswith("but d holds 1 X on paper for 'A': close that first")
    assert ["fill_refused"] == [one.kind for one in records(outcome, Noted)]
    assert [1.0] == [position.quantity for position in core.positions("d")]
    assert core.on_tick(tick(111.0, ts=now + 1), now + 1) is None
