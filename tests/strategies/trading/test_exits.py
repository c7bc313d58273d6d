import pytest

from bus.messages import Level
from strategies.trading.exits import exit_order, overtaken
from strategies.trading.orders import Order
from tests.strategies.trading.protection_world import T0, guard


@pytest.mark.parametrize("held", [3.0, -2.5])
def test_an_exit_closes_all_that_is_held_and_never_more(held):
    made = guard(1 if held > 0 else -1, stop_loss=Level("pct", 1.0))
    order = exit_order(made, "stop_loss", held, order_id="o", seq=9, after=21, now=T0 + 5, day="2026-01-02")
    assert order == Order(
        order_id="o",
        signal_id="s",
        deployment_id="d",
        account_id="acct",
        symbol="X",
        quantity=-held,
        reduce_only=True,
        leg="",
        data_as_of=T0 + 5,
        accepted_at=T0 + 5,
        seq=9,
        after=21,
        role="stop_loss",
        day="2026-01-02",
    )
    assert (order.kind, order.time_in_force, order.expires_at, order.max_slippage_bps) == (
        "market",
        "gtc",
        0,
        None,
    )


def test_an_exit_ends_what_would_open_again_and_leaves_what_reduces():
    made = guard(stop_loss=Level("pct", 1.0))
    reducing = exit_order(made, "stop_loss", 1.0, order_id="o", seq=9, after=21, now=T0)
    adding = Order(
        order_id="a", signal_id="s", deployment_id="d", account_id="acct", symbol="X", quantity=1.0,
        reduce_only=False, leg="", data_as_of=T0, accepted_at=T0, seq=1,
    )  # fmt: skip
    assert overtaken([reducing, adding]) == [adding]
