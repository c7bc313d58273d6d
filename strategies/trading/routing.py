"""What routes say of live orders, taken into the books: the same way in as for fills on paper.

A report carries whole sums so far, so one that is repeated, or comes late, changes nothing. What it says is
checked first: a fill of the other side, beyond the order, or at no price is refused and told of, and the
books stay as they are; somebody has to look at the venue then.
"""

from __future__ import annotations

from math import isfinite
from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from strategies.trading.books import LARGEST
from strategies.trading.dealing import Dealing
from strategies.trading.execution import Match
from strategies.trading.orders import DUST, Order, combine
from strategies.trading.oversight import Oversight
from strategies.trading.records import Routed
from strategies.trading.turn import Turn
from strategies.trading.world import World

Status: TypeAlias = Literal["sent", "working", "filled", "cancelled", "rejected", "expired", "unknown"]
ENDED: Final = frozenset({"cancelled", "rejected", "expired"})


class Report(Struct, frozen=True, kw_only=True):
    """``filled`` is signed; ``average_price`` and ``fees`` are over all of it, in the instrument's currency.

    ``at`` is when it was said, ns of the wall clock. ``unknown``: sent, and nobody has answered yet.
    """

    order_id: str
    deployment_id: str
    symbol: str
    status: Status
    filled: float = 0.0
    average_price: float | None = None
    fees: float = 0.0
    venue_id: str = ""
    detail: str = ""
    at: int = 0


def settle(turn: Turn, dealing: Dealing, world: World, oversight: Oversight, report: Report) -> None:
    """Enter what a route says of one order."""
    broker = world.state.broker
    order = broker.find(report.deployment_id, report.symbol, report.order_id)
    if order is None or not order.route:
        return  # it has ended: a repetition, or the answer to a cancel that came too late
    match = _trade(order, report, world)
    if isinstance(match, str):
        turn.note("report_refused", f"order {order.order_id} of {order.symbol}: {match}", order.deployment_id)
        return
    if match is not None:
        if not dealing.carry_out(match):
            return
        for other in broker.linked(match, world.venue()):
            if other.done:
                dealing.cancel(other.order, "another order of its group traded")
        order = match.order
    if match is None or not match.done:
        _stands(turn, dealing, oversight, order, report)
    if match is not None and order.role == "signal":
        oversight.close_behind(turn, order)


def _stands(turn: Turn, dealing: Dealing, oversight: Oversight, order: Order, report: Report) -> None:
    """Enter how an order that has not traded whole stands: it has ended, or where it is."""
    if report.status in ENDED:
        dealing.end(order, report.status, report.detail[:500], status=report.status)
        oversight.exit_failed(turn, order, report.status, report.detail)
    elif _news(turn.state.routes.get(order.order_id), report):
        turn.write(
            Routed,
            deployment_id=order.deployment_id,
            symbol=order.symbol,
            order_id=order.order_id,
            status=report.status,
            detail=report.detail[:500],
            venue_id=report.venue_id,
        )


def _trade(order: Order, report: Report, world: World) -> Match | str | None:
    """Return what has traded since the last report, None for nothing, or what is wrong with it."""
    if not isfinite(report.filled) or not abs(report.fees) <= LARGEST:
        return f"filled {report.filled}, fees {report.fees}: not numbers that can be"
    new = combine(report.filled, -order.filled)
    if abs(new) <= DUST * abs(order.quantity):
        return None
    if new * order.quantity < 0:
        return None if report.filled * order.quantity >= 0 else f"{report.filled:g} filled, of the other side"
    if abs(report.filled) > abs(order.quantity) * (1 + DUST):
        return f"{report.filled:g} filled, of {order.quantity:g}"
    average = report.average_price
    if average is None or not 0.0 < average <= LARGEST:
        return f"{report.filled:g} filled at {average}, not a price"
    # As it was counted before: the average is over all that filled, and instruments may change meanwhile.
    multiplier = order.multiplier or world.setup.instrument(order.symbol).multiplier
    value = abs(report.filled) * average * multiplier
    price = (value - order.value) / multiplier / abs(new)
    if not 0.0 < price <= LARGEST:
        return f"an average of {average:g} over {report.filled:g} leaves no price for the last {new:g}"
    fee = max(0.0, report.fees - order.fees)
    whole = combine(order.quantity, -report.filled) == 0.0
    after = replace(
        order,
        filled=order.quantity if whole else report.filled,
        fees=order.fees + fee,
        value=value,
        multiplier=multiplier,
    )
    at = world.prices.at(order.symbol) or report.at
    return Match(order=after, at=at, quantity=new, price=price, fee=fee, done="filled" if whole else "")


def _news(known: Routed | None, report: Report) -> bool:
    return known is None or (known.status, known.venue_id) != (report.status, report.venue_id)
