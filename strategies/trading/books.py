"""The books: every position and its lots, from fills and from nothing else.

A fill is entered in two steps, as bookkeeping has them: ``entry`` says what it would change, and refuses
what must not be entered; ``post`` enters that. In between it is written down. So whoever replays posts only
and ends with the same books, whatever instruments and accounts look like by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from bus.messages import Fill, Position
from strategies.trading import lots as fifo
from strategies.trading.accounts import Ledger, Settled
from strategies.trading.errors import LedgerError
from strategies.trading.lots import Lot, Lots
from strategies.trading.positions import after, gain, marked, same_side
from strategies.trading.records import LotMove, LotRing

__all__ = ["Books", "Entry", "after", "marked"]

LARGEST: Final = 1e18
"""No fill has a larger number in it: so no sum and no product of the books can leave the finite ones."""

AGREES: Final = 1e-9
"""How far, relative to a position, the sum of its lots may be from it: the promise of ``orders.DUST``."""


class Entry(Struct, frozen=True):
    """What one fill changes: the position after it, unmarked, and the move of its lots.

    ``closed`` is the profit, net of fees, of the round trip that it ended; None where it ended none.
    """

    position: Position
    lots: LotMove
    closed: float | None


class Books:
    """Positions by deployment and symbol, and the money of accounts. Refuses before it changes anything."""

    def __init__(self) -> None:
        self._positions: dict[str, dict[str, Position]] = {}
        self._lots: dict[tuple[str, str], list[Lot]] = {}
        self._settled: dict[tuple[str, str], Settled] = {}
        self._holders: dict[str, dict[tuple[str, str], Position]] = {}
        """Account -> its positions, by deployment and symbol."""
        self._ledgers: dict[str, Ledger] = {}
        """Account -> its ledger, until something of it changes."""
        self._own: dict[str, Ledger] = {}
        """Deployment -> its ledger, until something of it changes."""

    # ---- fills ------------------------------------------------------------------------------------
    def entry(self, fill: Fill, seq: int, multiplier: float = 1.0) -> Entry:
        """Return what ``fill``, told by record ``seq``, changes; nothing is changed yet.

        What is held keeps its multiplier and its currency until it is flat. From flat on it may be of
        another account or currency, or live: then it begins anew, and what it realised is settled.
        Raises ``LedgerError`` with the sentence of ``refusal``.
        """
        if problem := self.refusal(fill, multiplier):
            raise LedgerError(problem)
        before = self._before(fill)
        now = after(before, fill.quantity, fill.price, fill.fee, multiplier)
        mine = self._lots.get((fill.deployment_id, fill.symbol)) or []
        if mine and mine[-1].seq >= seq:
            raise LedgerError(f"record {seq} opens a lot after that of record {mine[-1].seq}")
        profit, move = fifo.taken(mine, fill.quantity, fill.price, now.quantity)
        gained = profit * before.multiplier - fill.fee
        closed = None
        if before.quantity and not same_side(before.quantity, now.quantity):
            closed = before.trip + gain(before, fill.quantity, fill.price) - fill.fee
        return Entry(replace(now, fifo_realised=before.fifo_realised + gained), move, closed)

    def post(self, position: Position, move: LotMove | None, seq: int, price: float) -> None:
        """Enter what an entry said, as record ``seq`` of a fill at ``price`` tells it.

        ``move`` is None in a record of before lots were kept: both ways of cost begin to differ from here.
        """
        if move is None:
            self.put(replace(position, fifo_realised=position.realised))
        else:
            # Not every lot is looked at again: a position of very many would hold all up at each fill.
            mine = self._lots.setdefault((position.deployment_id, position.symbol), [])
            held = self.held(position.deployment_id, position.symbol)
            reached = held + fifo.change(mine, move, seq)
            if not abs(reached - position.quantity) <= AGREES * max(abs(held), abs(position.quantity)):
                raise LedgerError(
                    f"the lots of {position.deployment_id} in {position.symbol} come to {reached:g} by "
                    f"record {seq}, its position is {position.quantity:g}: they must agree"
                )
            fifo.shift(mine, move, seq, price)
            self._enter(position, mine)

    def apply(self, fill: Fill, seq: int, multiplier: float = 1.0) -> Entry:
        """Enter one fill at once and return what it changed: for books that nobody replays."""
        entry = self.entry(fill, seq, multiplier)
        self.post(entry.position, entry.lots, seq, fill.price)
        return entry

    def refusal(self, fill: Fill, multiplier: float) -> str | None:
        """Return in a sentence why ``fill`` must not be entered, or None: asked of fills from outside."""
        for name, number in (
            ("quantity", fill.quantity), ("price", fill.price), ("fee", fill.fee), ("multiplier", multiplier),
        ):  # fmt: skip
            if not abs(number) <= LARGEST:
                return f"fill {fill.fill_id}: {name} is {number}, not a number from -1e18 to 1e18"
        if fill.quantity == 0.0:
            return f"fill {fill.fill_id}: quantity is 0; above 0 buys and below 0 sells"
        if multiplier <= 0.0:
            return f"fill {fill.fill_id}: multiplier of {fill.symbol} is {multiplier:g}, not above 0"
        conflict = self.conflict(fill.deployment_id, fill.symbol, fill.account_id, live=fill.live)
        return f"fill {fill.fill_id}: {conflict}" if conflict else None

    def conflict(self, deployment_id: str, symbol: str, account_id: str, *, live: bool) -> str | None:
        """Return in a sentence why a deployment may not trade ``symbol`` for this account, or so; or None.

        What it holds for another account, or on paper while it is to trade live, it has to close first.
        """
        held = self.position(deployment_id, symbol)
        if not held.quantity or (held.account_id in {"", account_id} and held.live == live):
            return None
        return (
            f"it is {_MODE[live]} for {account_id!r}, but {deployment_id} holds {held.quantity:g} {symbol} "
            f"{_MODE[held.live]} for {held.account_id!r}: close that first"
        )

    # ---- what is held -----------------------------------------------------------------------------
    def held(self, deployment_id: str, symbol: str) -> float:
        """Return the signed quantity that ``deployment_id`` holds of ``symbol``."""
        position = self._positions.get(deployment_id, _NOTHING).get(symbol)
        return 0.0 if position is None else position.quantity

    def position(self, deployment_id: str, symbol: str) -> Position:
        """Return the position, unmarked; an empty one where nothing was ever held."""
        found = self._positions.get(deployment_id, _NOTHING).get(symbol)
        return Position(deployment_id, symbol) if found is None else found

    def lots(self, deployment_id: str, symbol: str) -> Lots:
        """Return the open lots, oldest first."""
        return tuple(self._lots.get((deployment_id, symbol), ()))

    def of(self, deployment_id: str, price: Callable[[str], float | None]) -> list[Position]:
        """Return every position of ``deployment_id``, flat ones with their profit too, by symbol."""
        mine = self._positions.get(deployment_id, _NOTHING)
        return [marked(mine[symbol], price(symbol)) for symbol in sorted(mine)]

    def accounts(self) -> list[str]:
        """Return the accounts that hold something or did, sorted."""
        return sorted({*self._holders, *(account for account, _ in self._settled)} - {""})

    def of_deployment(self, deployment_id: str) -> list[Position]:
        """Return every position of ``deployment_id``, unmarked, by symbol."""
        mine = self._positions.get(deployment_id, _NOTHING)
        return [mine[symbol] for symbol in sorted(mine)]

    def of_account(self, account_id: str, price: Callable[[str], float | None]) -> list[Position]:
        """Return every position of ``account_id``, flat ones too, by deployment and symbol."""
        mine = self._holders.get(account_id, {})
        return [marked(mine[key], price(mine[key].symbol)) for key in sorted(mine)]

    def ledger(self, account_id: str) -> Ledger:
        """Return the money of ``account_id`` (``accounts.equity``); added up again only after a change."""
        found = self._ledgers.get(account_id)
        if found is None:
            mine = self._holders.get(account_id, {}).values()
            gone = (one for one in self._settled.values() if one.account_id == account_id)
            found = self._ledgers[account_id] = Ledger.of(mine, gone)
        return found

    def ledger_of(self, deployment_id: str) -> Ledger:
        """Return the money of ``deployment_id`` alone; added up again only after a change."""
        found = self._own.get(deployment_id)
        if found is None:
            mine = self._positions.get(deployment_id, _NOTHING).values()
            found = self._own[deployment_id] = Ledger.of(mine)
        return found

    def everything(self) -> Iterable[Position]:
        """Yield every position, unmarked, by deployment and symbol."""
        for deployment_id in sorted(self._positions):
            mine = self._positions[deployment_id]
            yield from (mine[symbol] for symbol in sorted(mine))

    # ---- snapshots --------------------------------------------------------------------------------
    def rings(self) -> list[LotRing]:
        """Return all open lots by deployment and symbol, each oldest first."""
        return [LotRing(*key, [*self._lots[key]]) for key in sorted(self._lots)]

    def settled(self) -> list[Settled]:
        """Return what accounts have realised in positions that are gone, by account and currency."""
        return [self._settled[key] for key in sorted(self._settled)]

    def put(self, position: Position, lots: Sequence[tuple[int, float, float]] | None = None) -> None:
        """Take over a position as it stands, with its lots; without them it becomes one at its average.

        Raises ``LedgerError`` where the lots are not the position.
        """
        mine = _opening(position) if lots is None else tuple(Lot(*lot) for lot in lots)
        if not abs(fifo.quantity(mine) - position.quantity) <= AGREES * abs(position.quantity):
            raise LedgerError(
                f"the lots of {position.deployment_id} in {position.symbol} are {fifo.quantity(mine):g}, "
                f"its position is {position.quantity:g}: they must agree"
            )
        self._enter(position, list(mine))

    def _enter(self, position: Position, mine: list[Lot]) -> None:
        """Let a position with its lots stand in the place of the one before."""
        owner, symbol = position.deployment_id, position.symbol
        before = self.position(owner, symbol)
        if _parts(before, position.account_id, position.currency, live=position.live):
            self._settle(before)
        self._drop(before)
        unmarked = replace(position, unrealised=None)
        self._positions.setdefault(owner, {})[symbol] = unmarked
        self._holders.setdefault(position.account_id, {})[owner, symbol] = unmarked
        self._ledgers.pop(position.account_id, None)
        if mine:
            self._lots[owner, symbol] = mine

    def put_settled(self, settled: Settled) -> None:
        """Take over what an account has realised in positions that are gone."""
        self._settled[settled.account_id, settled.currency] = settled
        self._ledgers.pop(settled.account_id, None)

    def drop_flat(self, deployment_id: str) -> None:
        """Forget the positions of ``deployment_id`` in which nothing is held; their money is settled."""
        for position in list(self._positions.get(deployment_id, _NOTHING).values()):
            if not position.quantity:
                self._settle(position)
                self._drop(position)

    def _before(self, fill: Fill) -> Position:
        """Return the position that ``fill`` finds, of its account."""
        position = self.position(fill.deployment_id, fill.symbol)
        currency = position.currency if position.quantity else fill.currency
        if (position.account_id, position.currency, position.live) == (fill.account_id, currency, fill.live):
            return position
        if _parts(position, fill.account_id, currency, live=fill.live):
            position = Position(fill.deployment_id, fill.symbol)
        return replace(position, account_id=fill.account_id, currency=currency, live=fill.live)

    def _settle(self, position: Position) -> None:
        """Add what a position realised to its account."""
        if not (position.realised or position.fees):
            return
        key = position.account_id, position.currency
        before = self._settled.get(key) or Settled(*key)
        self.put_settled(
            Settled(*key, before.realised + position.realised, before.fees + position.fees),
        )

    def _drop(self, position: Position) -> None:
        owner, symbol = position.deployment_id, position.symbol
        mine, theirs = self._positions.get(owner, {}), self._holders.get(position.account_id, {})
        mine.pop(symbol, None)
        theirs.pop((owner, symbol), None)
        self._lots.pop((owner, symbol), None)
        self._ledgers.pop(position.account_id, None)
        self._own.pop(owner, None)
        if not mine:
            self._positions.pop(owner, None)
        if not theirs:
            self._holders.pop(position.account_id, None)


def _opening(position: Position) -> Lots:
    """Return what is held as one lot at its average price: nothing is known of its fills."""
    return (Lot(0, position.quantity, position.average_price),) if position.quantity else ()


def _parts(position: Position, account_id: str, currency: str, *, live: bool) -> bool:
    """Whether a position goes on for another account, currency or mode; "" is of before these were kept."""
    return (
        position.account_id not in {"", account_id}
        or position.currency not in {"", currency}
        or position.live != live
    )


_MODE: Final = {False: "on paper", True: "live"}
_NOTHING: Final[dict[str, Position]] = {}
