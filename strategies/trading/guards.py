"""The guards of all open positions: as the journal has them, and as the prices since have moved them.

A price that moves a peak is no record: that would be a write a tick. The peak is kept in memory, written
down at each mark of the tape (``moved``), and made again after a crash from the ticks since: a guard says
with ``after`` which ones it has seen. So what is snapshot is what is journalled, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from bus.messages import Tick
from strategies.trading.orders import Role
from strategies.trading.protection import Guard, worth_keeping
from strategies.trading.watch import counts, due, exit_price, watch


class Guards:
    """Guards by symbol and deployment, one a position."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, Guard]] = {}
        self._live: dict[str, dict[str, Guard]] = {}
        self._had: dict[tuple[str, str], int] = {}

    def watches(self, symbol: str) -> bool:
        """Whether any position in ``symbol`` is guarded: asked for every tick."""
        return symbol in self._live

    def put(self, guard: Guard) -> None:
        """Take a guard as it is journalled, in place of the one of its position."""
        self._kept.setdefault(guard.symbol, {})[guard.deployment_id] = guard
        self._live.setdefault(guard.symbol, {})[guard.deployment_id] = guard

    def had(self, deployment_id: str, symbol: str, number: int) -> None:
        """Know that every tick up to ``number`` has done what it did: the guard that is there did not act.

        It let them pass, since an exit was on the way then. Seen again after a crash, perhaps none is.
        """
        if deployment_id in self._live.get(symbol, _NONE):
            self._had[deployment_id, symbol] = max(number, self._had.get((deployment_id, symbol), 0))

    def drop(self, deployment_id: str, symbol: str) -> None:
        """Forget the guard of a position, if there is one."""
        self._had.pop((deployment_id, symbol), None)
        for guards in (self._kept, self._live):
            mine = guards.get(symbol, {})
            mine.pop(deployment_id, None)
            if not mine:
                guards.pop(symbol, None)

    def of(self, deployment_id: str, symbol: str) -> Guard | None:
        """Return the guard of a position as it stands now."""
        return self._live.get(symbol, _NONE).get(deployment_id)

    def look(self, tick: Tick, now: int, number: int | None = None) -> list[tuple[Guard, Role]]:
        """Look at ``tick``: the guards that act, and why; the caller orders their exits and drops them.

        ``number`` is that of the tick, None where it has not been seen before for sure.
        """
        mine = self._live.get(tick.symbol, _NONE)
        acting: list[tuple[Guard, Role]] = []
        for deployment_id, guard in mine.items():
            if number is not None and number <= guard.after:
                continue
            price = exit_price(guard.side, tick) if counts(guard, tick) else None
            seen, role = watch(guard, price, now)
            mine[deployment_id] = seen  # no new key, so the walk goes on
            again = number is not None and number <= self._had.get((deployment_id, tick.symbol), 0)
            if role is not None and not again:
                acting.append((seen, role))
        return acting

    def on(self, symbol: str) -> list[Guard]:
        """Return the guards of a symbol as they stand now, by their beginning."""
        return sorted(self._live.get(symbol, _NONE).values(), key=lambda guard: guard.seq)

    def move(self, guard: Guard) -> None:
        """Take a guard as a price has left it; it is journalled so when its stop has moved (``moved``)."""
        self._live[guard.symbol][guard.deployment_id] = guard

    def due(self, clock: Callable[[str], int]) -> list[tuple[Guard, Role]]:
        """Return the guards whose time has come without a tick; ``clock`` tells a symbol's event time."""
        acting: list[tuple[Guard, Role]] = []
        for symbol, mine in self._live.items():
            timed = [guard for guard in mine.values() if guard.expires_at or guard.square_off_at]
            if timed:
                now = clock(symbol)
                acting += [(guard, role) for guard in timed if (role := due(guard, now)) is not None]
        return acting

    def moved(self, numbered: Callable[[str], int]) -> list[Guard]:
        """Return the guards whose stop has followed the price since they were journalled, to be so again.

        ``numbered`` tells the number of the last tick of a symbol that was looked at.
        """
        return [
            replace(guard, after=numbered(symbol))
            for symbol, mine in self._live.items()
            for deployment_id, guard in mine.items()
            if worth_keeping(self._kept[symbol][deployment_id], guard)
        ]

    def everything(self) -> list[Guard]:
        """Return every guard as it is journalled, by its beginning: the order in which they are looked at."""
        every = (guard for mine in self._kept.values() for guard in mine.values())
        return sorted(every, key=lambda guard: guard.seq)


_NONE: Final[dict[str, Guard]] = {}
