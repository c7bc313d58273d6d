"""Who may trade live: three say so, and an operator confirms it. Pure; the gate asks again at each entry.

Live is never what a deployment becomes by the way: the configuration has to allow it (``[live] enabled``),
the account has to (``live = true``, with a route), and whoever starts it has to ask for it and to confirm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from bus.messages import Position
from strategies.trading.accounts import AccountTerms
from strategies.trading.orders import Order
from supervisor import life as lf
from supervisor.errors import Refused
from supervisor.store.tables import Deployment

AT_REST: Final = frozenset({lf.State.REGISTERED, lf.State.STOPPED})


class Held(Struct, frozen=True):
    """What a deployment has at this moment: positions, flat ones too, and the orders that wait."""

    positions: Sequence[Position] = ()
    orders: Sequence[Order] = ()

    def otherwise(self, *, live: bool) -> list[str]:
        """Return the symbols of which something is held or waits in the other mode, by name."""
        held = {one.symbol for one in self.positions if one.quantity and one.live != live}
        return sorted(held | {one.symbol for one in self.orders if bool(one.route) != live})

    def is_others(self, account: str) -> bool:
        """Whether something of it is held, or waits, for another account than ``account``."""
        held = {one.account_id for one in self.positions if one.quantity}
        return not held.union(one.account_id for one in self.orders) <= {"", account}


class OptIns(Struct, frozen=True):
    """What the configuration says: ``[live] enabled``, and the accounts that it names."""

    enabled: bool = False
    accounts: Mapping[str, AccountTerms] = {}

    def trades_live(self, account: str) -> bool:
        """Whether an account is one of real money."""
        terms = self.accounts.get(account)
        return terms is not None and terms.live


def judge(wanted: Deployment, known: Deployment | None, opt_ins: OptIns, *, confirmed: bool) -> None:
    """Judge the mode and the account that a start gives to a deployment. Raises ``Refused``.

    ``known`` is what it was, None for a new one. To go on live for the same account needs no second word.
    """
    judge_paper(wanted, opt_ins)
    if wanted.mode != "live":
        return
    if not opt_ins.enabled:
        raise Refused(
            "live_disabled", "live trading is off; the configuration has to say [live] enabled = true"
        )
    if not opt_ins.trades_live(wanted.account):
        raise Refused(
            "account_not_live", f"account {wanted.account} trades on paper; [accounts.{wanted.account}] "
            "has to say live = true, and a route"
        )  # fmt: skip
    is_new = known is None or (known.mode, known.account) != (wanted.mode, wanted.account)
    if is_new and not confirmed:
        route = opt_ins.accounts[wanted.account].route
        raise Refused(
            "live_unconfirmed",
            f"{wanted.id} would trade the real money of account {wanted.account}, by route {route}; "
            "confirm it (--yes; confirm_live in the API)",
        )


def judge_paper(wanted: Deployment, opt_ins: OptIns) -> None:
    """Refuse paper trading for an account of real money: its limits count all profit of the account."""
    if wanted.mode == "paper" and opt_ins.trades_live(wanted.account):
        raise Refused(
            "paper_on_live_account",
            f"account {wanted.account} is live, and profit on paper would count in the limits that guard "
            "its money; give it another account (--account), or --mode live",
        )


def judge_new(wanted: Deployment, held: Held) -> None:
    """Judge what an earlier deployment of that id has left: of another account it is not this one's to close.

    Whose it is, and what, is not told: who asks may be bound to an account. Raises ``Refused``.
    """
    if held.is_others(wanted.account):
        raise Refused(
            "held_otherwise",
            f"an earlier deployment {wanted.id} has positions or orders of another account; choose another "
            "id, or start it for that account and close those first",
        )


def judge_change(wanted: Deployment, known: Deployment, state: lf.State, held: Held) -> None:
    """Judge a change between paper and live: only at rest, with nothing of the other mode.

    What was bought on paper cannot be sold at a venue, and what was bought there is not sold on paper.
    Raises ``Refused``.
    """
    if wanted.mode == known.mode:
        return
    if state not in AT_REST:
        raise Refused("not_stopped", f"{wanted.id} is {state}; `stratd stop {wanted.id}` first")
    if other := held.otherwise(live=wanted.mode == "live"):
        where = "on paper" if wanted.mode == "live" else "live"
        raise Refused(
            "held_otherwise",
            f"{wanted.id} has positions or orders of {', '.join(other)} {where}; "
            f"it can change to {wanted.mode} once those are closed",
        )
