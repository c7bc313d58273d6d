"""Steps 8 to 10 of the gate: rates, the size and number of positions, and risk.

Each is judged for the deployment and for its account, by the same functions: what is left unsaid is no
limit, what is not known bars entries. Exits only pass the rates that protect the engine itself, so a limit
never keeps anybody in a position.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from strategies.trading import risk
from strategies.trading.keys import MOST_KEYS
from strategies.trading.levels import Protection
from strategies.trading.rules import Refusal
from strategies.trading.view import Party, View

MAX_OPEN_ORDERS: Final = 100
"""Orders that one deployment may have waiting in one symbol: bounds memory while a feed is silent."""


def parties(view: View) -> tuple[tuple[str, Party], tuple[str, Party]]:
    """Return whom limits bind, as details name them."""
    return ("the deployment", view.own), ("the account", view.account)


def configured(view: View) -> tuple[Protection | None, Protection | None]:
    """Return what each of them has its positions guarded by."""
    return view.own.limits.protect, view.account.limits.protect


def either(view: View, cap: Callable[..., Refusal | None], *given: object) -> Refusal | None:
    """Return what one of the caps below says of the deployment, else of its account."""
    return cap("the deployment", view.own, *given) or cap("the account", view.account, *given)


# ---- step 8 ---------------------------------------------------------------------------------------
def rates(view: View, exits: bool) -> Refusal | None:
    """Judge what binds every signal: the buckets, and how many orders wait."""
    if not view.own.tokens >= 1:
        return Refusal("rate", "more signals a second than granted")
    if not view.account.tokens >= 1:
        # A rule of its own: whoever is refused for what others sent does not flood.
        return Refusal("account_rate", "more signals a second than granted to the account")
    # Twice as many with exits, so that entries can never use up the room for getting out.
    allowed = MAX_OPEN_ORDERS * (2 if exits else 1)
    if view.waiting >= allowed:
        return Refusal("open_orders", f"{view.waiting} orders of this symbol wait, at most {allowed}")
    remembered = MOST_KEYS * (2 if exits else 1)
    if view.remembered >= remembered:
        return Refusal("remembered", f"{view.remembered} of a day were accepted, at most {remembered}")
    return None


def order_rates(who: str, party: Party) -> Refusal | None:
    """Judge how many orders were accepted lately; for entries."""
    limits = party.limits
    most = limits.max_orders_per_min
    if most is not None and not party.orders_minute < most:
        return Refusal("max_orders_per_min", f"{who} has {party.orders_minute} of a minute, at most {most}")
    most = limits.max_identical_orders_per_min
    if most is not None and not party.identical < most:
        detail = f"{who} has {party.identical} like this one of a minute, at most {most}"
        return Refusal("max_identical_orders_per_min", detail)
    most = limits.max_orders_per_day
    if most is None:
        return None
    if party.figures is None:
        return Refusal("figures_unknown", f"how many orders {who} has of today is unknown")
    if not party.figures.orders < most:
        return Refusal("max_orders_per_day", f"{who} has {party.figures.orders} of today, at most {most}")
    return None


# ---- steps 7 and 9 --------------------------------------------------------------------------------
def notional(who: str, party: Party, quantity: float, unit: float | None) -> Refusal | None:
    """Judge the worth of the position that ``quantity`` leads to; ``unit`` is that of one."""
    most = party.limits.max_notional
    if most is None:
        return None
    if unit is None:
        return Refusal("price_unknown", "what a unit is worth in the account's currency is unknown")
    worth = abs(party.worst(quantity)) * unit
    if not worth <= most:
        return Refusal("max_notional", f"the position of {who} would be worth {worth:g}, at most {most:g}")
    return None


def position(who: str, party: Party, quantity: float, opened: bool) -> Refusal | None:
    """Judge the size of the position that ``quantity`` leads to, and how many there would be.

    ``opened``: the deployment holds the symbol already, or orders wait that lead there, so no position more.
    """
    most = party.limits.max_position_size
    if most is not None:
        worst = abs(party.worst(quantity))
        if not worst <= most:
            detail = f"the position of {who} would be {worst:g} units, at most {most:g}"
            return Refusal("max_position_size", detail)
    count = party.limits.max_open_positions
    if count is not None and not opened and not party.open_elsewhere < count:
        detail = f"{who} has {party.open_elsewhere} open elsewhere, at most {count}"
        return Refusal("max_open_positions", detail)
    return None


def is_open(party: Party) -> bool:
    """Whether a party holds the symbol already, or orders wait that lead there."""
    return party.held != 0.0 or party.buying != 0.0 or party.selling != 0.0


# ---- step 10 --------------------------------------------------------------------------------------
def exposure(who: str, party: Party, worst: float, unit: float | None) -> Refusal | None:
    """Judge the worth of all positions together, the deployment's in this symbol being ``worst`` units.

    Without signs: what one deployment is long of and another short makes no room, for each closes alone.
    """
    most = party.limits.max_exposure
    if most is None:
        return None
    if unit is None or party.elsewhere is None:
        return Refusal("exposure_unknown", f"what the positions of {who} are worth is unknown")
    worth = party.elsewhere + abs(worst) * unit
    if not worth <= most:
        detail = f"the positions of {who} would be worth {worth:g} together, at most {most:g}"
        return Refusal("max_exposure", detail)
    return None


def losses(who: str, party: Party) -> Refusal | None:
    """Judge loss, drawdown and the locked profit of the day."""
    barred = risk.barred(party.limits, party.figures, party.equity)
    return None if barred is None else Refusal(barred.rule, f"{who}: {barred.detail}")
