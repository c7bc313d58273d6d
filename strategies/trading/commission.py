"""What a fill costs: ``charge(model, order, quantity, price, instrument)``.

One rule for all models: what the order as a whole costs so far, less what it has paid. So a minimum spans
the fills of an order, and tiers are those of the order. Money is in the instrument's currency.
"""

from __future__ import annotations

from strategies.trading.instruments import Instrument
from strategies.trading.orders import Order
from strategies.trading.terms import Commission, FixedCommission, PercentageCommission, PerShare, Tiered


def charge(model: Commission, order: Order, quantity: float, price: float, instrument: Instrument) -> float:
    """Return what trading ``quantity`` (signed) of ``order`` at ``price`` costs, beyond ``order.fees``.

    Never below zero: when a kinder model takes over while an order waits, nothing is paid back.
    """
    units = abs(order.filled) + abs(quantity)
    value = order.value + abs(quantity) * price * instrument.multiplier
    return max(0.0, total(model, units, value) - order.fees)


def total(model: Commission, units: float, value: float) -> float:
    """Return what an order costs that has traded ``units`` worth ``value``."""
    if isinstance(model, PerShare):
        return max(model.cost * units, model.minimum)
    if isinstance(model, PercentageCommission):
        cost = max(model.rate * value, model.minimum)
        return cost if model.maximum is None else min(cost, model.maximum)
    if isinstance(model, FixedCommission):
        return model.amount
    if isinstance(model, Tiered):
        return max(_marginal(model, units if model.by == "quantity" else value), model.minimum)
    return 0.0


def _marginal(model: Tiered, traded: float) -> float:
    cost = 0.0
    for tier, beyond in zip(model.tiers, [*model.tiers[1:], None], strict=True):
        upper = traded if beyond is None else min(traded, beyond.above)
        if upper > tier.above:
            cost += (upper - tier.above) * tier.rate
    return cost
