"""What the gate looks at besides the signal, and what it answers.

A view is built once a signal, so it is a few shallow structs: what does not change from one signal to the
next (``Session`` within a minute, ``Instrument``, ``LiveGrant``) is handed in ready made. None always means
unknown; it never stands for zero or for "no limit". What is not limited is not in ``Party.limits``.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from bus.messages import Decision, OrderType, TimeInForce
from strategies.trading.desk import Standing
from strategies.trading.figures import Figures
from strategies.trading.instruments import Instrument
from strategies.trading.latches import Latch
from strategies.trading.levels import Protection
from strategies.trading.limits import Limits
from strategies.trading.orders import combine
from strategies.trading.protection import Guard

Clearance: TypeAlias = Literal["none", "clear", "denied", "unreachable"]
"""What the remote risk service says of an account's live trading: ``none`` is configured, or its answer."""


class Session(Struct, frozen=True, gc=False):
    """The hours of one symbol now, by its calendar. Times are event time in ns, 0 for none.

    ``open`` is None where the calendar does not reach this far. ``closes_at`` is the last close of the
    trading day of now, out of session of the next one: what a day order lives until. ``minute`` counts from
    local midnight. ``square_off_at`` is when the deployment's and the account's positions of this trading day
    are closed at the latest (the earlier of both); it may be over.
    """

    open: bool | None = True
    closes_at: int = 0
    minute: int | None = None
    square_off_at: int = 0


class LiveGrant(Struct, frozen=True, gc=False):
    """The three opt-ins that live trading needs, all of them."""

    config: bool = False
    account: bool = False
    deployment: bool = False


class Party(Struct, frozen=True, kw_only=True):
    """A deployment or its account, as the limits of either see it.

    ``held``, ``buying`` and ``selling`` are signed units of the signal's symbol: what is held, and the sums
    of the orders that wait; of an account those of all its deployments. ``due`` is the signed sum of those
    that trade at the next tick whatever it brings: market orders. ``elsewhere`` is the worth of every
    other holding, orders that wait to open or add to one included, each without its sign, in the account's
    currency; None while a price or a rate among them is unknown. ``open_elsewhere`` counts those holdings,
    each being one deployment's in one symbol.

    ``equity`` is in the account's currency: capital and profit so far. Of a deployment it is the capital of
    its account and its own profit only, as if it were alone. ``tokens`` is what the bucket of its rate
    holds; ``orders_minute`` and ``identical`` count the orders and the orders like this one that were
    accepted in the last minute. Those of the day are in ``figures``.
    """

    limits: Limits = Limits()
    held: float = 0.0
    buying: float = 0.0
    selling: float = 0.0
    due: float = 0.0
    elsewhere: float | None = 0.0
    open_elsewhere: int = 0
    equity: float | None = None
    figures: Figures | None = None
    latch: Latch | None = None
    tokens: float = 1.0
    orders_minute: int = 0
    identical: int = 0

    @property
    def expected(self) -> float:
        """The position after the next tick, by which signals are sized.

        A limit or stop order that rests may never trade: were it counted, a stop of the strategy's own would
        leave nothing to exit. What it may come to is in ``worst``.
        """
        return combine(self.held, self.due) if self.due else self.held

    def worst(self, quantity: float) -> float:
        """Return the position if an order of ``quantity`` fills and of those that wait only its side.

        Orders of the other side may be cancelled, so they make no room (the usual pre-trade rule).
        """
        return self.held + (self.buying if quantity > 0 else self.selling) + quantity


ALWAYS: Final = Session()
NOBODY: Final = Party()
PAPER_ONLY: Final = LiveGrant()
PLAIN: Final = Instrument(symbol="")


class View(Struct, frozen=True, kw_only=True):
    """Everything besides the signal that a verdict depends on, for one symbol of one deployment.

    ``own`` is the deployment, ``account`` all that trades in its name. ``waiting`` counts the orders of the
    deployment that wait in this symbol; for a cancel only those that it means. ``price`` is the last known
    one and ``rate`` what one unit of the instrument's currency is worth in the account's. ``instrument`` None
    is one whose terms cannot be read, which bars entries. ``guard`` is what guards the position now: a bare
    one (``protect=Protection()``) where nothing does, so that it can be adjusted too; None for no position.
    ``otherwise`` says what the deployment holds, or has waiting, for another account or in another mode.
    """

    standing: Standing
    current: bool
    warm: bool
    duplicate: bool
    symbols: AbstractSet[str]
    timeframes: AbstractSet[str]
    mode: str
    own: Party
    account: Party = NOBODY
    waiting: int = 0
    remembered: int = 0
    price: float | None = None
    rate: float | None = 1.0
    instrument: Instrument | None = PLAIN
    session: Session = ALWAYS
    guard: Guard | None = None
    live: LiveGrant = PAPER_ONLY
    otherwise: str = ""
    clearance: Clearance = "none"


class Verdict(Struct, frozen=True):
    """What becomes of a signal.

    ``quantity`` is the signed quantity of the order, None for a refusal, a cancel and an adjust; the fields
    from ``kind`` on say what the order is to be (``expires_at`` event time in ns, 0 for never). ``protect``
    guards the position that the order opens; ``adjust`` replaces what guards the present one. ``changes``
    names what is not as it was asked for, with what it is instead (decision ``modified``). ``until`` is when
    a signal that waits for approval waits no longer (decision ``pending``), event time in ns.
    """

    decision: Decision
    rule: str = ""
    detail: str = ""
    quantity: float | None = None
    reduce_only: bool = False
    kind: OrderType = "market"
    limit_price: float | None = None
    stop_price: float | None = None
    time_in_force: TimeInForce = "gtc"
    expires_at: int = 0
    max_slippage_bps: float | None = None
    oco_group: str = ""
    protect: Protection | None = None
    adjust: Protection | None = None
    changes: dict[str, float | str] = {}
    until: int = 0

    @property
    def passed(self) -> bool:
        """Whether the signal takes effect."""
        return self.decision in {"accepted", "modified"}
