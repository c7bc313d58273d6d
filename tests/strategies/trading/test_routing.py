"""What routes say of live orders: taken once, checked, and never more than the order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bus.messages import Filled, Level, OrderChanged
from strategies.trading.accounts import AccountTerms
from strategies.trading.core import Core, Outcome
from strategies.trading.instruments import Instrument, Instruments
from strategies.trading.orders import Order
from strategies.trading.records import Executed, Latched, Placed, Routed
from strategies.trading.routing import Report
from strategies.trading.setup import Setup
from tests.strategies.trading.trading_world import (
    T0,
    grant,
    holding,
    running_core,
    signal,
    tick,
    verdicts,
)

LIVE = Setup(accounts={"A": AccountTerms(name="A", live=True, route="gateway")}, live=True)


def live_core(setup: Setup = LIVE) -> Core:
    return running_core(grant(trading_mode="live"), setup=setup)


def ordered(core: Core, **fields: object) -> tuple[Order, Outcome]:
    out = core.on_signals("d", 1, [signal(**fields)], T0)
    [placed] = [record for record in out.records if isinstance(record, Placed)]
    return placed.order, out


def report(order: Order, status: str, **fields: object) -> Report:
    return Report(order_id=order.order_id, deployment_id="d", symbol="X", status=status, at=T0 + 9, **fields)


def quantity(core: Core) -> float:
    return core.world.state.books.held("d", "X")


def test_a_live_order_goes_out_by_its_route_and_no_tick_fills_it():
    core = live_core()
    order, out = ordered(core)
    assert [("gateway", False)] == [(each.order.route, each.cancel) for each in out.sends]
    assert core.on_tick(tick(), T0 + 1) is None or 0.0 == quantity(core)
    assert order.order_id == out.sends[0].order.order_id


@pytest.mark.parametrize("missing", ["config", "account", "deployment"])
def test_live_needs_all_three_opt_ins(missing):
    account = AccountTerms(name="A", live=missing != "account", route="gateway")
    setup = Setup(accounts={"A": account}, live=missing != "config")
    mode = "paper" if missing == "deployment" else "live"
    core = running_core(grant(trading_mode=mode), setup=setup)
    out = core.on_signals("d", 1, [signal()], T0)
    assert [] == out.sends
    assert ["accepted" if missing == "deployment" else "live_not_granted"] == verdicts(out)


@pytest.mark.parametrize(
    ("told", "verdict"),
    [(None, "remote_unreachable"), ({"A": "clear"}, "accepted"), ({"A": "denied"}, "remote_denied"),
     ({"B": "clear"}, "remote_unreachable"), ({"A": "unreachable"}, "remote_unreachable")],
)  # fmt: skip
def test_a_remote_risk_service_that_is_configured_has_to_clear_live_entries_and_no_exit(told, verdict):
    core = live_core(replace(LIVE, remote_risk=True))
    if told is not None:
        core.clear(told)
    assert [verdict] == verdicts(core.on_signals("d", 1, [signal()], T0))
    core.clear({"A": "clear"})
    [order] = [each.order for each in core.on_signals("d", 1, [signal(key=2)], T0).sends]
    core.on_report(report(order, "filled", filled=1.0, average_price=100.0), T0 + 2)
    core.clear({})
    assert ["accepted"] == verdicts(core.on_signals("d", 1, [signal("exit_long", key=3)], T0 + 3))


def test_a_remote_risk_service_has_no_say_on_paper():
    core = running_core(setup=replace(LIVE, remote_risk=True))
    assert ["accepted"] == verdicts(core.on_signals("d", 1, [signal()], T0))


def test_partial_fills_add_up_and_a_repeated_report_changes_nothing():
    core = live_core()
    order, _ = ordered(core, quantity=10.0)
    out = core.on_report(report(order, "working", filled=4.0, average_price=101.0, fees=0.4), T0 + 2)
    [executed] = [record for record in out.records if isinstance(record, Executed)]
    assert (4.0, 101.0, 0.4) == (executed.fill.quantity, executed.fill.price, executed.fill.fee)
    [body] = [body for _, _, body in out.commands if isinstance(body, Filled)]
    assert 6.0 == body.left
    again = core.on_report(report(order, "working", filled=4.0, average_price=101.0, fees=0.4), T0 + 3)
    assert [] == again.records
    out = core.on_report(report(order, "filled", filled=10.0, average_price=104.0, fees=1.0), T0 + 4)
    [executed] = [record for record in out.records if isinstance(record, Executed)]
    assert (6.0, 106.0) == (executed.fill.quantity, pytest.approx(executed.fill.price))
    assert [] == core.on_report(report(order, "filled", filled=10.0, average_price=104.0), T0 + 5).records
    assert 10.0 == quantity(core)


@pytest.mark.parametrize(
    ("filled", "average"),
    [(11.0, 100.0), (-1.0, 100.0), (5.0, None), (5.0, 0.0), (float("nan"), 100.0), (5.0, 1e300)],
)
def test_what_cannot_be_is_told_and_books_stay_as_they_are(filled, average):
    core = live_core()
    order, _ = ordered(core, quantity=10.0)
    out = core.on_report(report(order, "working", filled=filled, average_price=average), T0 + 2)
    assert ["report_refused"] == [kind for kind, _, _ in out.events]
    assert 0.0 == quantity(core)


def test_a_fill_that_is_nothing_beside_its_order_is_none_whatever_a_contract_is_worth():
    instruments = Instruments({"X": Instrument(symbol="X", multiplier=0.1)})
    core = live_core(replace(LIVE, instruments=instruments))
    order, _ = ordered(core, quantity=10.0)
    out = core.on_report(report(order, "working", filled=5e-324, average_price=100.0), T0 + 2)
    assert ([], 0.0) == (out.events, quantity(core))
    core.on_report(report(order, "filled", filled=10.0, average_price=100.0), T0 + 3)
    assert 10.0 == quantity(core)


@pytest.mark.parametrize("later", [10.0, 0.1])
def test_what_a_contract_is_worth_may_change_between_two_parts_of_an_order(later):
    def worth(multiplier: float) -> Setup:
        return replace(LIVE, instruments=Instruments({"X": Instrument(symbol="X", multiplier=multiplier)}))

    core = live_core(worth(1.0))
    order, _ = ordered(core, quantity=10.0)
    core.on_report(report(order, "working", filled=4.0, average_price=101.0), T0 + 2)
    core.configure(worth(later))
    out = core.on_report(report(order, "filled", filled=10.0, average_price=104.0), T0 + 4)
    [executed] = [record for record in out.records if isinstance(record, Executed)]
    assert (6.0, 106.0) == (executed.fill.quantity, pytest.approx(executed.fill.price))


def test_a_rejection_ends_the_order_and_tells_the_strategy():
    core = live_core()
    order, _ = ordered(core)
    out = core.on_report(report(order, "rejected", detail="no margin"), T0 + 2)
    [body] = [body for _, _, body in out.commands if isinstance(body, OrderChanged)]
    assert ("rejected", "no margin") == (body.order.status, body.order.detail)
    assert [] == core.world.state.broker.everything()


def test_a_cancel_goes_by_the_route_and_counts_once_it_is_confirmed():
    core = live_core()
    order, _ = ordered(core)
    out = core.on_signals("d", 1, [signal("cancel", key=2)], T0)
    assert [(order.order_id, True)] == [(each.order.order_id, each.cancel) for each in out.sends]
    assert 1 == len(core.world.state.broker.everything())
    core.on_report(report(order, "cancelled"), T0 + 2)
    assert [] == core.world.state.broker.everything()


def test_a_cancel_that_was_not_answered_is_known_after_a_crash_and_asked_once_more_by_whoever_asks():
    core = live_core()
    order, first = ordered(core)
    cancelled = core.on_signals("d", 1, [signal("cancel", key=2)], T0)
    again = live_core()
    again.restore([*first.records, *cancelled.records])
    assert [True] == [each.cancelling for each in again.world.state.broker.everything()]
    repeated = again.on_signals("d", 1, [signal("cancel", key=3)], T0)
    assert [True] == [each.cancel for each in repeated.sends]
    again.on_report(report(order, "working", filled=0.4, average_price=100.0), T0 + 2)
    assert [(0.4, True)] == [(each.filled, each.cancelling) for each in again.world.state.broker.everything()]


def test_a_live_order_whose_time_is_over_is_taken_back_once():
    core = live_core()
    later = T0 + 60_000_000_000
    order, _ = ordered(
        core, order_type="limit", limit_price=90.0, time_in_force="gtd", good_till=T0 + 30_000_000_000
    )
    assert [] == core.pulse(T0 + 1).sends
    assert [(order.order_id, True)] == [
        (each.order.order_id, each.cancel) for each in core.pulse(later).sends
    ]
    assert [] == core.pulse(later + 1).sends
    core.on_report(report(order, "expired"), later + 2)
    assert [] == core.world.state.broker.everything()


def test_what_is_not_answered_is_kept_as_unknown():
    core = live_core()
    order, _ = ordered(core)
    [routed] = core.on_report(report(order, "unknown", detail="timed out"), T0 + 2).records
    assert isinstance(routed, Routed)
    assert "unknown" == core.snapshot().routes[0].status
    core.on_report(report(order, "filled", filled=1.0, average_price=100.0), T0 + 3)
    assert [] == core.snapshot().routes


def test_a_stop_of_a_live_position_goes_out_once_though_its_answer_takes_long():
    core = live_core()
    order, _ = ordered(core, stop_loss=Level("pct", 2.0))
    core.on_report(report(order, "filled", filled=1.0, average_price=100.0), T0 + 2)
    sends = []
    for after, price in enumerate((97.0, 96.0, 95.0), 3):
        out = core.on_tick(tick(price, ts=T0 + after), T0 + after)
        sends += out.sends if out is not None else []
    assert [("stop_loss", -1.0)] == [(each.order.role, each.order.quantity) for each in sends]
    assert 1.0 == quantity(core)


def test_a_live_exit_that_is_on_its_way_is_not_doubled_by_the_stop():
    core = live_core()
    order, _ = ordered(core, stop_loss=Level("pct", 2.0))
    core.on_report(report(order, "filled", filled=1.0, average_price=100.0), T0 + 2)
    core.on_signals("d", 1, [signal("exit_long", key=2)], T0)
    out = core.on_tick(tick(97.0, ts=T0 + 3), T0 + 3)
    assert out is None or [] == out.sends


def test_an_exit_of_the_engine_that_is_rejected_calls_a_person():
    core = live_core()
    order, _ = ordered(core, stop_loss=Level("pct", 2.0))
    core.on_report(report(order, "filled", filled=1.0, average_price=100.0), T0 + 2)
    [sending] = core.on_tick(tick(97.0, ts=T0 + 3), T0 + 3).sends
    out = core.on_report(report(sending.order, "rejected", detail="market closed"), T0 + 4)
    assert "exit_failed" in [kind for kind, _, _ in out.events]
    [latched] = [record for record in out.records if isinstance(record, Latched)]
    assert ("exit_only", "exit_failed") == (latched.latch.kind, latched.latch.rule)


def test_a_live_exit_that_the_books_refuse_calls_a_person_too():
    core = live_core()
    order, _ = ordered(core, stop_loss=Level("pct", 2.0))
    core.on_report(report(order, "filled", filled=1.0, average_price=100.0), T0 + 2)
    core.configure(Setup())  # a reload took the account's route away
    core.on_tick(tick(97.0, ts=T0 + 3), T0 + 3)
    out = core.on_tick(tick(97.0, ts=T0 + 4), T0 + 4) or Outcome()
    events = [kind for kind, _, _ in out.events] + [latch.rule for latch in core.snapshot().latches]
    assert "exit_failed" in events
    assert 1.0 == quantity(core)


@pytest.mark.parametrize("status", ["working", "cancelled"])
def test_a_report_with_fees_that_no_books_take_is_refused_and_a_better_one_is_taken(status):
    core = live_core()
    order, _ = ordered(core, quantity=10.0)
    out = core.on_report(report(order, status, filled=4.0, average_price=100.0, fees=1e19), T0 + 2)
    assert ["report_refused"] == [kind for kind, _, _ in out.events]
    core.on_report(report(order, status, filled=4.0, average_price=100.0, fees=1.0), T0 + 3)
    assert 4.0 == quantity(core)


@pytest.mark.parametrize("status", ["working", "cancelled"])
def test_an_order_whose_fill_the_books_refuse_has_ended_and_leaves_nothing(status):
    core = live_core()
    order, _ = ordered(core, quantity=10.0)
    on_paper = replace(holding("X", 1.0, 100.0), account_id="B")
    core.world.state.books.put(on_paper)  # as no way leads to: the gate sees to it
    out = core.on_report(report(order, status, filled=4.0, average_price=100.0), T0 + 2)
    assert ["fill_refused"] == [kind for kind, _, _ in out.events]
    assert ([], []) == (core.snapshot().orders, core.snapshot().routes)


@pytest.mark.parametrize("party", [("deployment", "d"), ("account", "A")])
@pytest.mark.parametrize("status", ["working", "cancelled"])
def test_what_fills_while_a_flatten_takes_it_back_is_closed_too(party, status):
    core = live_core()
    order, _ = ordered(core, quantity=10.0)
    core.latch(party, "flatten", "enough", "me", T0 + 2)
    [sending] = core.on_report(report(order, status, filled=4.0, average_price=100.0), T0 + 3).sends
    assert ("flatten", -4.0) == (sending.order.role, sending.order.quantity)
    assert [] == core.on_report(report(order, status, filled=4.0, average_price=100.0), T0 + 4).sends


def test_a_flatten_closes_what_is_held_and_nothing_that_is_only_on_its_way():
    core = live_core()
    first, _ = ordered(core, quantity=10.0)
    core.on_report(report(first, "filled", filled=10.0, average_price=100.0), T0 + 2)
    ordered(core, key=2, quantity=6.0)
    out = core.latch(("deployment", "d"), "flatten", "enough", "me", T0 + 3)
    assert [-10.0] == [each.order.quantity for each in out.sends if not each.cancel]


@pytest.mark.parametrize("party", [("deployment", "d"), ("account", "A")])
@pytest.mark.parametrize(("first", "again"), [("flatten", "flatten"), ("lock", "lock"), ("lock", "flatten")])
def test_a_flatten_whose_exit_was_rejected_may_be_said_again(party, first, again):
    core = live_core()
    order, _ = ordered(core, quantity=10.0)
    core.on_report(report(order, "filled", filled=10.0, average_price=100.0), T0 + 2)
    [sending] = core.latch(party, first, "enough", "me", T0 + 3).sends
    assert [] == core.latch(party, again, "enough", "me", T0 + 4).records  # it is on its way
    core.on_report(report(sending.order, "rejected", detail="market closed"), T0 + 5)
    [later] = core.latch(party, again, "enough", "me", T0 + 6).sends
    assert ("flatten", -10.0) == (later.order.role, later.order.quantity)
    core.on_report(report(later.order, "filled", filled=-10.0, average_price=99.0), T0 + 7)
    assert [] == core.latch(party, again, "enough", "me", T0 + 8).records


@pytest.mark.parametrize("kind", ["pause", "exit_only"])
def test_what_fills_behind_another_latch_stays(kind):
    core = live_core()
    order, _ = ordered(core, quantity=10.0)
    core.latch(("deployment", "d"), kind, "enough", "me", T0 + 2)
    assert [] == core.on_report(report(order, "working", filled=4.0, average_price=100.0), T0 + 3).sends


def test_a_removed_deployment_has_its_live_orders_taken_back_and_what_they_filled_booked():
    core = live_core()
    order, _ = ordered(core, quantity=10.0)
    out = core.forget("d", T0 + 2)
    assert [(order.order_id, True)] == [(each.order.order_id, each.cancel) for each in out.sends]
    core.on_report(report(order, "cancelled", filled=4.0, average_price=100.0), T0 + 3)
    assert 4.0 == quantity(core)
    assert [] == core.snapshot().orders


SUMS = st.lists(st.floats(0.0, 10.0), max_size=8)


@given(SUMS, st.booleans())
def test_whatever_order_reports_come_in_the_books_hold_the_largest_sum(sums, ends):
    core = live_core()
    order, _ = ordered(core, quantity=10.0)
    records = []
    for total in sums:
        out = core.on_report(report(order, "working", filled=total, average_price=100.0), T0 + 2)
        records += [record for record in out.records if isinstance(record, Executed)]
    if ends:
        core.on_report(report(order, "cancelled"), T0 + 3)
    held = sum(record.fill.quantity for record in records)
    assert quantity(core) == pytest.approx(max(sums, default=0.0), rel=1e-6, abs=1e-8)
    assert held == pytest.approx(quantity(core), rel=1e-6, abs=1e-8)
    assert all(record.fill.quantity > 0 for record in records)
