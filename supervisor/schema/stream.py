"""What the stream tells beyond the rows that other routes have too."""

from __future__ import annotations

from typing import Literal

from supervisor.schema.base import View


class OrderChange(View):
    """One message of the topic ``orders``: what became of an order, numbered by the journal.

    ``placed``: it waits from here on; ``filled``: an execution, of which ``quantity`` (signed), ``price`` and
    ``fee`` are; ``ended``: it waits no more with something unfilled, and ``reason`` says why.
    """

    seq: int
    at: int
    change: Literal["placed", "filled", "ended"]
    order_id: str
    deployment_id: str
    account: str
    symbol: str
    quantity: float | None = None
    price: float | None = None
    fee: float | None = None
    currency: str = ""
    kind: str = ""
    role: str = ""
    signal_id: str = ""
    reason: str = ""
    detail: str = ""
    profit: float | None = None
    """Of the round trip that a fill ended, net of fees; None where it ended none."""
