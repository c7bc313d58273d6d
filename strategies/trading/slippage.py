"""How far from the market's price a fill is: ``slip(model, side, price, ...)``. Never the better way."""

from __future__ import annotations

from strategies.trading.terms import FixedSlippage, PercentageSlippage, Slippage, SpreadSlippage, VolumeShare


def slip(
    model: Slippage, side: int, price: float, *, spread: float | None = None, share: float | None = None
) -> float:
    """Return the price paid (``side`` 1) or received (-1) when the market stands at ``price``, above zero.

    ``spread`` is that of the quote whose side ``price`` is, None for a trade or a bar. ``share`` is the part
    of the event's volume that is taken, None while the volume is unknown. A price of a sale stops short of
    zero, at a hundredth of the market's: a model that comes to less was not made for such a price.
    """
    worse = price + side * away(model, price, spread, share)
    return max(worse, price * FLOOR)


FLOOR = 0.01
"""Share of the market's price below which no sale is made."""


def away(model: Slippage, price: float, spread: float | None, share: float | None) -> float:
    """Return how much worse than ``price`` the fill is, at least 0.0."""
    if isinstance(model, PercentageSlippage):
        return price * model.bps / 1e4
    if isinstance(model, FixedSlippage):
        return model.amount
    if isinstance(model, VolumeShare):
        taken = model.limit if share is None else min(share, model.limit)
        return price * model.impact * taken**2
    if isinstance(model, SpreadSlippage):
        if spread is None:
            return model.share * price * model.assumed_bps / 1e4
        return max(model.share - 0.5, 0.0) * spread
    return 0.0
