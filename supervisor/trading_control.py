"""What supervisor and engine say to each other of money: terms, latches, accounts, live orders."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from bus.messages import Position, Signal
from strategies.trading.accounts import AccountTerms
from strategies.trading.instruments import Instruments
from strategies.trading.latches import Latch, LatchKind, Scope
from strategies.trading.orders import Order
from strategies.trading.protection import Guard
from strategies.trading.terms import Terms


class TradingSpec(Struct, frozen=True, kw_only=True):
    """What is traded, for whom and on which terms. An account that is not named has plain terms.

    ``live`` is the first of the three opt-ins; the account's and the deployment's are the others.
    ``remote_risk``: a remote risk service is asked, and until it has answered no live entry is let through.
    ``approval_timeout`` is in seconds.
    """

    instruments: Instruments = Instruments()
    accounts: dict[str, AccountTerms] = {}
    paper: Terms = Terms()
    live: bool = False
    remote_risk: bool = False
    approval_timeout: float = 300.0


class SetLatch(Struct, frozen=True, array_like=True, tag=11):
    """Bar a deployment or an account until it is taken back; ``TradingAnswer`` follows, once it is durable.

    A weaker one than is set changes nothing. ``by`` names the operator.
    """

    scope: Scope
    name: str
    kind: LatchKind
    reason: str
    by: str
    request: int


class Rearm(Struct, frozen=True, array_like=True, tag=12):
    """Take a latch back: only an operator's doing; ``TradingAnswer`` follows.

    ``only`` names the kind that is taken back; one of another kind stays. "": whatever is set.
    """

    scope: Scope
    name: str
    reason: str
    by: str
    request: int
    only: LatchKind | Literal[""] = ""


class OrderReport(Struct, frozen=True, array_like=True, tag=13):
    """What a route says of a live order: whole sums so far, so that one said twice changes nothing.

    ``filled`` is signed, ``average_price`` and ``fees`` are over all of it, in the instrument's currency;
    ``at`` is the wall clock's. ``unknown``: it was sent and nobody has answered; it is being asked for.
    """

    order_id: str
    deployment_id: str
    symbol: str
    status: Literal["sent", "working", "filled", "cancelled", "rejected", "expired", "unknown"]
    filled: float = 0.0
    average_price: float | None = None
    fees: float = 0.0
    venue_id: str = ""
    detail: str = ""
    at: int = 0


Said: TypeAlias = Literal["clear", "denied", "unreachable"]
"""What the remote risk service says of an account's live entries."""


class Clearances(Struct, frozen=True, array_like=True, tag=14):
    """What the remote risk service says of the accounts with live trading: all of them, each time.

    It counts for ``lasts`` seconds, and is said again before: whoever asks may hang, or its task may end.
    """

    accounts: dict[str, Said]
    lasts: float


class AnswerSignal(Struct, frozen=True, array_like=True, tag=15):
    """Approve or deny a signal that waits for it; ``SignalAnswered`` follows, once that is durable.

    ``by`` names the operator, ``remark`` is theirs.
    """

    signal_id: str
    approve: bool
    by: str
    remark: str
    request: int


class TakeAlert(Struct, frozen=True, array_like=True, tag=16):
    """Judge a signal that came from outside as one of the deployment; ``AlertTaken`` follows, once durable.

    ``signal`` has what the alert says and its ``data_key``; when it is of is for the engine to say.
    """

    deployment_id: str
    signal: Signal
    request: int


class AccountRow(Struct, frozen=True, kw_only=True):
    """What the engine knows of one account, once a second; money in ``currency``, None unknown."""

    name: str
    currency: str
    capital: float | None = None
    realised: float | None = None
    unrealised: float | None = None
    fees: float | None = None
    equity: float | None = None
    exposure: float | None = None
    """The worth of what is held, long and short alike."""
    net_exposure: float | None = None
    """Short set off against long."""
    day: str = ""
    day_profit: float | None = None
    peak_equity: float | None = None
    orders_today: int = 0
    open_positions: int = 0
    latch: Latch | None = None


class HoldingRow(Struct, frozen=True, kw_only=True):
    """What a deployment without an instance has: its positions go on, and so do the exits that guard them."""

    deployment_id: str
    positions: list[Position] = []
    equity: float | None = None
    latch: Latch | None = None
    guards: list[Guard] = []


class TradingAnswer(Struct, frozen=True, array_like=True, tag=7):
    """What became of a ``SetLatch`` or ``Rearm``: in the journal, or the ``problem``.

    Not ``changed``: it was so already. ``latch`` is what is set now.
    """

    request: int
    problem: str = ""
    changed: bool = True
    latch: Latch | None = None


class SignalAnswered(Struct, frozen=True, array_like=True, tag=10):
    """An ``AnswerSignal`` was heard, and what became of the signal is in the journal.

    Not ``changed``: it did not wait any more, or it waits on, and ``problem`` says why.
    """

    request: int
    changed: bool
    problem: str = ""


class AlertTaken(Struct, frozen=True, array_like=True, tag=11):
    """The verdict on a ``TakeAlert``, or the ``problem`` for which it was not judged."""

    request: int
    problem: str = ""
    signal_id: str = ""
    decision: str = ""
    rule: str = ""
    detail: str = ""


class RouteOrder(Struct, frozen=True, array_like=True, tag=8):
    """A live order, journalled: send it by the route that it names, under its own id and no other.

    ``again``: it may have been sent before, so it is asked for first. ``cancel``: take it back.
    """

    order: Order
    symbol_there: str
    again: bool = False
    cancel: bool = False


class Flooded(Struct, frozen=True, array_like=True, tag=9):
    """A deployment has flooded the gate for so long that it is to be ended and set aside."""

    deployment_id: str
    generation: int
    detail: str
