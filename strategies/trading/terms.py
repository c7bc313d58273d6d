"""The terms of paper trading: what a fill costs, how far it is from the price seen, how much fills at once.

Each model is a struct that says in its docstring which way it errs. ``commission.charge`` and
``slippage.slip`` carry them out. In a file a model is named by ``model``: ``{model = "bps", bps = 5}``.

Defaults are those of a frictionless market. That errs towards the strategy: whoever compares strategies
by their profit states what trading costs them.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

Money: TypeAlias = Annotated[float, Meta(ge=0, le=1e12)]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]


# ---- commissions: in the instrument's currency, per order, over all of its fills -------------------
class NoCommission(Struct, frozen=True, tag_field="model", tag="none"):
    """Nothing is charged: errs towards the strategy."""


class FixedCommission(Struct, frozen=True, tag_field="model", tag="fixed"):
    """``amount`` for each order that trades, at its first fill.

    Errs towards a strategy whose venue charges each fill. Source: zipline ``PerTrade``.
    """

    amount: Money


class PerShare(Struct, frozen=True, tag_field="model", tag="per_share"):
    """``cost`` a unit, at least ``minimum`` an order.

    The minimum spans the fills of an order: the first pays it, later ones pay what their units cost
    beyond it. Neither way for venues that bill orders (IBKR "fixed" pricing); errs towards the strategy
    where each day's part of an order is billed anew. Source: zipline ``PerShare``.
    """

    cost: Money
    minimum: Money = 0.0


class PercentageCommission(Struct, frozen=True, tag_field="model", tag="percentage"):
    """``rate`` of the value traded (0.001 is 0.1 %), at least ``minimum`` and at most ``maximum`` an order.

    One rate whether the order took or made liquidity. Give the taker's: that errs against the strategy.
    Source: zipline ``PerDollar``; the bounds are those of retail brokers' price lists.
    """

    rate: Share
    minimum: Money = 0.0
    maximum: Money | None = None


class Tier(Struct, frozen=True):
    """From ``above`` units (or money) of one order on, each unit costs ``rate`` (each money its share)."""

    above: Money
    rate: Money


class Tiered(Struct, frozen=True, tag_field="model", tag="tiered"):
    """Marginal rates by what the order has traded so far, in units or in value, at least ``minimum``.

    ``tiers`` ascend from ``above = 0``. Brokers grade by the month's volume: grading by the order's errs
    against whoever trades much in small orders (no lower tier is ever reached).
    """

    tiers: Annotated[tuple[Tier, ...], Meta(min_length=1, max_length=64)]
    by: Literal["quantity", "value"] = "quantity"
    minimum: Money = 0.0

    def __post_init__(self) -> None:
        """Refuse tiers that do not begin at zero or do not ascend: ``ValueError``."""
        bounds = [tier.above for tier in self.tiers]
        if not bounds or bounds[0] != 0 or bounds != sorted(set(bounds)):
            raise ValueError(
                f"tiers begin above {bounds}; the first is above 0 and each above the one before"
            )


Commission: TypeAlias = NoCommission | FixedCommission | PerShare | PercentageCommission | Tiered


# ---- slippage: how much worse than the price at which the market stood -------------------------------
class NoSlippage(Struct, frozen=True, tag_field="model", tag="none"):
    """Fills at the price of the market: errs towards the strategy beyond the size on offer."""


class FixedSlippage(Struct, frozen=True, tag_field="model", tag="fixed"):
    """``amount`` of price worse, whatever the size: errs against small orders and towards large ones.

    Source: zipline ``FixedSlippage`` (which takes half of its spread), backtrader ``slip_fixed``.
    """

    amount: Money


class PercentageSlippage(Struct, frozen=True, tag_field="model", tag="bps"):
    """``bps`` hundredths of a per cent worse, whatever the size; errs as ``FixedSlippage`` does.

    Source: zipline ``FixedBasisPointsSlippage``, whose volume limit is ``Terms.volume_share`` here.
    """

    bps: Annotated[float, Meta(ge=0, le=10_000)]


class SpreadSlippage(Struct, frozen=True, tag_field="model", tag="spread"):
    """``share`` of the spread away from the mid: 0.5 is the quoted side, 1 half a spread beyond it.

    At a quote the side itself is paid already, so only what is beyond 0.5 is added, and a share below it
    earns nothing: errs against the strategy. Where no quote is known (a last trade, a bar) the price is taken
    for the mid and the spread for ``assumed_bps`` of it: towards a strategy whose symbol trades wider.
    """

    assumed_bps: Annotated[float, Meta(ge=0, le=10_000)]
    share: Annotated[float, Meta(ge=0, le=10)] = 0.5


class VolumeShare(Struct, frozen=True, tag_field="model", tag="volume_share"):
    """At most ``limit`` of the volume fills at once, ``impact * share ** 2`` of the price worse.

    Where the volume is unknown the whole order fills as if it took ``limit`` of it: the price errs against
    the strategy, the quantity towards it. Source: zipline ``VolumeShareSlippage``, with its defaults.
    """

    limit: Annotated[float, Meta(gt=0, le=1)] = 0.025
    impact: Annotated[float, Meta(ge=0, le=100)] = 0.1


Slippage: TypeAlias = NoSlippage | FixedSlippage | PercentageSlippage | SpreadSlippage | VolumeShare


class Terms(Struct, frozen=True, kw_only=True):
    """How orders fill on paper, in paper trading and in a backtest alike.

    ``latency`` ns pass between the data behind a signal and the first event that may fill its order.
    ``volume_share`` is the part of an event's volume that the orders of one deployment get, None fills
    whole orders. ``trade_through``: a waiting limit order fills only once the market has traded beyond its
    limit, since at the limit others may stand before it. ``bars`` is the convention for bars:
    ``open`` fills market orders at the open and looks for stops and limits between low and high
    (backtesting.py, backtrader); ``close`` looks at the close and at nothing else (zipline).
    """

    commission: Commission = NoCommission()
    slippage: Slippage = NoSlippage()
    latency: Annotated[int, Meta(ge=0, le=86_400 * 10**9)] = 0
    volume_share: Annotated[float, Meta(gt=0, le=1)] | None = None
    trade_through: bool = False
    bars: Literal["open", "close"] = "open"


FRICTIONLESS = Terms()
"""Nothing is charged, nothing slips, everything fills: errs towards the strategy in all of it."""
