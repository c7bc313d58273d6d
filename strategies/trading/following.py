"""What orders and fills do to the figures of their deployment and account, the same for all who keep them.

The core keeps figures in memory and the journal in a table; both follow the same records by this.
"""

from __future__ import annotations

from strategies.trading.figures import Figures, ordered, round_trip, stopped
from strategies.trading.latches import Scope
from strategies.trading.orders import STOP_ROLES
from strategies.trading.records import Executed, Placed


def owners(record: Placed | Executed) -> tuple[tuple[Scope, str], ...]:
    """Return whose figures ``record`` changes, as (scope, name): a deployment's and an account's, or none."""
    if isinstance(record, Placed):
        order = record.order
        if order.role != "signal" or not order.day:
            return ()
        return ("deployment", order.deployment_id), ("account", order.account_id)
    if record.closed is None:
        return ()
    return ("deployment", record.fill.deployment_id), ("account", record.fill.account_id)


def followed(figures: Figures, record: Placed | Executed) -> Figures:
    """Return ``figures`` of one of the ``owners`` of ``record`` after it."""
    if isinstance(record, Placed):
        return ordered(figures, record.order.day)
    at = record.fill.at
    after = round_trip(figures, record.closed or 0.0, at)
    return stopped(after, at) if record.role in STOP_ROLES else after
