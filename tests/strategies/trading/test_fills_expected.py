"""The independent figures of zipline's own tests: fills, commissions, stop orders (../shared/expected)."""

import json

import pytest
from msgspec.structs import replace

from strategies.trading.commission import charge
from strategies.trading.matching import on_bar
from strategies.trading.terms import PercentageSlippage, PerShare, Terms, VolumeShare
from tests.shared import SHARED, needs_shared
from tests.strategies.trading.market_world import PLAIN, candle, order

pytestmark = [pytest.mark.shared, needs_shared("expected", "fills_commissions.json")]


@pytest.fixture(scope="module")
def figures():
    return json.loads((SHARED / "expected" / "fills_commissions.json").read_text())


def bar(prices):
    return candle(
        prices["open"], prices["high"], prices["low"], prices["close"], volume=float(prices["volume"])
    )


def test_basis_points_and_a_volume_limit_give_the_expected_fills(figures):
    cases = figures["fixed_bps"]["cases"]
    for case in cases:
        terms = Terms(
            slippage=PercentageSlippage(case["basis_points"]), volume_share=case["volume_limit"], bars="close"
        )
        match = on_bar(order(float(case["order_qty"])), bar(figures["fixed_bps"]["bar"]), terms, PLAIN)
        assert case["fill_price"] == pytest.approx(match.price, abs=1e-12)
        assert case["fill_qty"] == match.quantity
        rest = case["order_qty"] - case["fill_qty"]
        assert (rest, "" if rest else "filled") == (match.order.left, match.done)
    assert len(cases) == 3


def test_the_minimum_a_share_spans_the_fills_of_an_order(figures):
    figures = figures["commission_per_share"]

    def charged(minimum):
        model, each, now = PerShare(figures["cost"], minimum), [], order(float(sum(figures["fills"])))
        for quantity in figures["fills"]:
            fee = charge(model, now, quantity, 50.0, PLAIN)
            each.append(fee)
            now = replace(now, filled=now.filled + quantity, fees=now.fees + fee)
        return each

    assert figures["no_minimum_each"] == pytest.approx(charged(0.0), abs=1e-12)
    for minimum, totals in figures["cumulative_with_min"].items():
        each = charged(float(minimum))
        assert totals == pytest.approx([sum(each[: i + 1]) for i in range(len(each))], abs=1e-12)
    assert len(figures["cumulative_with_min"]) == 2


def test_a_stop_triggers_by_the_close_and_pays_for_its_share_of_the_volume(figures):
    terms = Terms(slippage=VolumeShare(limit=0.025, impact=0.1), bars="close")
    triggers, rests = figures["stop_orders"]
    match = on_bar(
        order(float(triggers["qty"]), stop_price=triggers["stop"]), bar(triggers["bar"]), terms, PLAIN
    )
    assert triggers["fill"]["price"] == pytest.approx(match.price, abs=1e-12)
    assert triggers["fill"]["qty"] == match.quantity
    quiet = candle(3.5, 3.5, 3.5, rests["close"])
    assert rests["fill"] is None
    assert on_bar(order(float(rests["qty"]), stop_price=rests["stop"]), quiet, terms, PLAIN) is None
