"""What follows when a guard acts: the order that closes the position, and the orders that end with it.

The exit is a market order for all that is held, which only reduces. It fills like any other, at the first
tick behind the one that made the guard act: errs neither way on average, by one tick each way. It waits
until it has filled (good till cancelled, without a bound on slippage), since a position that was to be
closed and is not is the worst there is; a strategy's ``cancel`` does not mean it (its role is no signal).
"""

from __future__ import annotations

from collections.abc import Iterable

from strategies.trading.orders import Order, Role
from strategies.trading.protection import Guard


def exit_order(
    guard: Guard, role: Role, held: float, *, order_id: str, seq: int, after: int, now: int, day: str = ""
) -> Order:
    """Return the order that closes ``held`` (signed, not zero) because of ``role``.

    ``after`` is the number of the tick at which the guard acted, ``now`` the event time; ``seq`` and
    ``order_id`` are those of its record. It carries the signal and the leg that opened the position.
    """
    return Order(
        order_id=order_id,
        signal_id=guard.signal_id,
        deployment_id=guard.deployment_id,
        account_id=guard.account_id,
        symbol=guard.symbol,
        quantity=-held,
        reduce_only=True,
        leg=guard.leg,
        data_as_of=now,
        accepted_at=now,
        seq=seq,
        after=after,
        role=role,
        day=day,
    )


def overtaken(waiting: Iterable[Order]) -> list[Order]:
    """Return those of the orders that wait in a symbol that end when its position is closed by a guard.

    Whatever can open or add: it was sized for a position that goes, so it would open another or turn the
    exit into a flip (short 13 against long 10 is to end at -3, not at -13). What only reduces may wait on: it
    is clipped to what is held when it fills.
    """
    return [order for order in waiting if not order.reduce_only]
