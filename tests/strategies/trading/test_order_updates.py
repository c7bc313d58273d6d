"""What a strategy is told of an order: placed, filled in part, filled, ended; by paper and by a route."""

from __future__ import annotations

import pytest

from bus.messages import Acked, Filled, OrderChanged, Signal, Tick
from strategies.trading.core import Core, Outcome
from strategies.trading.terms import Terms
from strategies.trading.world import Setup
from tests.strategies.trading.test_routing import live_core, ordered, report
from tests.strategies.trading.trading_world import T0, running_core, signal, verdicts


def send(core: Core, *signals: Signal) -> Outcome:
    return core.on_signals("d", 1, list(signals), T0)


def tick(size: float | None = None, ts: int = T0 + 1) -> Tick:
    return Tick("X", ts, last=100.0, size=size)


def told(*outcomes) -> list[tuple[str, float]]:
    """Status and filled quantity of each change of an order, in the order in which they were told."""
    bodies = [body for out in outcomes if out is not None for _, _, body in out.commands]
    updates = [body.order for body in bodies if isinstance(body, OrderChanged | Filled)]
    assert 1 == len({update.order_id for update in updates}), "of one order"
    return [(update.status, update.filled) for update in updates]


def test_placed_behind_its_verdict_and_filled_with_its_fill():
    core = running_core()
    placed = send(core, signal())
    assert [Acked, OrderChanged] == [type(body) for _, _, body in placed.commands]
    filled = core.on_tick(tick(), T0)
    [body] = [body for _, _, body in filled.commands]
    assert (body.fill.order_id, body.fill.at) == (body.order.order_id, body.order.at)
    assert [("working", 0.0), ("filled", 1.0)] == told(placed, filled)


def test_in_part_and_then_whole():
    core = running_core(setup=Setup(paper=Terms(volume_share=0.5)))
    placed = send(core, signal(quantity=3.0))
    parts = [
        core.on_tick(tick(size, T0 + 1 + number), T0 + number) for number, size in enumerate((2.0, 10.0))
    ]
    assert [("working", 0.0), ("partially_filled", 1.0), ("filled", 3.0)] == told(placed, *parts)


def test_what_is_cut_short_is_filled_in_part_and_then_cancelled():
    core = running_core(setup=Setup(paper=Terms(volume_share=0.5)))
    placed = send(core, signal(quantity=3.0, time_in_force="ioc"))
    cut = core.on_tick(tick(size=2.0), T0)
    assert [("working", 0.0), ("partially_filled", 1.0), ("cancelled", 1.0)] == told(placed, cut)


def test_cancelled_by_the_strategy():
    core = running_core()
    placed = send(core, signal())
    assert [("working", 0.0), ("cancelled", 0.0)] == told(placed, send(core, signal("cancel", key=2)))


@pytest.mark.parametrize("status", ["rejected", "cancelled", "expired"])
def test_by_a_route(status):
    core = live_core()
    order, placed = ordered(core)
    part = core.on_report(report(order, "working", filled=0.25, average_price=100.0), T0 + 2)
    ended = core.on_report(report(order, status, filled=0.25, average_price=100.0), T0 + 3)
    expected = [("working", 0.0), ("partially_filled", 0.25), (status, 0.25)]
    assert expected == told(placed, part, ended)


def test_what_a_strategy_answers_to_it_is_let_through():
    core = running_core()
    assert ["accepted", "accepted"] == verdicts(
        send(core, signal(timeframe="order"), signal(timeframe="session", key=2, leg="b"))
    )


def test_of_what_asks_for_no_order_there_is_no_word():
    core = running_core()
    refused = send(core, signal("exit_long"))
    assert [Acked] == [type(body) for _, _, body in refused.commands]
