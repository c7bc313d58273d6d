"""A deployment that is given another account while it holds something for the first."""

from strategies.trading.records import Closed, Executed, Noted
from tests.strategies.trading.trading_world import SECOND, T0, grant, running_core, signal, tick, verdicts


def moved():
    """A core whose deployment holds one X for account A and trades for B by now."""
    core = running_core()
    core.on_signals("d", 1, [signal(data_as_of=T0)], T0)
    core.on_tick(tick(ts=T0 + 1), T0 + 1)
    core.attach(grant(generation=2, account_id="B"))
    core.running("d", 2)
    return core


def filled(core, asked, now):
    assert ["accepted"] == verdicts(core.on_signals("d", 2, [asked], now))
    return core.on_tick(tick(110.0, ts=now + 1), now + 1)


def test_it_closes_what_it_holds_for_the_account_that_holds_it():
    core = moved()
    now = T0 + SECOND
    outcome = filled(core, signal("exit_all", key=2, data_as_of=now), now)
    executed = [record for record in outcome.records if isinstance(record, Executed)]
    assert ["A"] == [record.fill.account_id for record in executed]
    assert [10.0] == [record.closed for record in executed]
    now += SECOND
    outcome = filled(core, signal(key=3, data_as_of=now, reference_price=110.0), now)
    assert ["B"] == [record.fill.account_id for record in outcome.records if isinstance(record, Executed)]


def test_it_adds_nothing_to_what_another_account_holds_and_nothing_stops():
    core = moved()
    now = T0 + SECOND
    outcome = filled(core, signal(key=2, data_as_of=now), now)
    why = "account is 'B', but d holds 1 X for 'A': close that first"
    closed = [record for record in outcome.records if isinstance(record, Closed)]
    assert [("refused", 0.0)] == [(record.reason, record.filled) for record in closed]
    assert closed[0].detail.endswith(why)
    noted = [record for record in outcome.records if isinstance(record, Noted)]
    assert ["fill_refused"] == [record.kind for record in noted]
    assert [1.0] == [position.quantity for position in core.positions("d")]
    assert core.on_tick(tick(111.0, ts=now + 2), now + 2) is None
