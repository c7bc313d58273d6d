"""Accounts as operators see and bar them: latches that are set and taken back, by a person who is named.

Rules of this file. The engine holds the latches, in its journal: here it is asked, and the answer is what is
durable. An account is known if it is configured or a deployment trades for it; a name that is neither is a
slip of the pen, and a latch on it would hold nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from strategies.trading.latches import LatchKind, Scope
from supervisor.actor import Actor
from supervisor.asking import Asking
from supervisor.config import Settings
from supervisor.engine_client import EngineClient
from supervisor.errors import Failed, NotFound, Refused, Unavailable, near_matches
from supervisor.news import News
from supervisor.opt_in import Held
from supervisor.signal_tail import SignalTail
from supervisor.store.journal_reader import JournalReader
from supervisor.trading_control import AccountRow, Rearm, SetLatch, TradingAnswer


class Parts(Protocol):
    """What is read of the daemon."""

    @property
    def settings(self) -> Settings:
        """The settings as they are now."""
        ...

    @property
    def actors(self) -> Mapping[str, Actor]:
        """The deployments by id."""
        ...

    @property
    def news(self) -> News:
        """What the engine says."""
        ...

    @property
    def signals(self) -> SignalTail:
        """The journal."""
        ...

    @property
    def engine(self) -> EngineClient:
        """Whom latches are asked of."""
        ...


class Accounts:
    """Asks the engine for latches and shows what it knows of accounts."""

    def __init__(self, daemon: Parts) -> None:
        self._daemon = daemon
        self._asking: Asking[TradingAnswer] = Asking(daemon.engine)
        daemon.news.on_trading_answer = self._asking.on_answer
        daemon.news.on_engine_gone.append(self._asking.on_engine_death)

    def names(self) -> list[str]:
        """Return the accounts that there are, by name."""
        used = {actor.deployment.account for actor in self._daemon.actors.values()}
        picture = self._daemon.news.money
        rows = {row.name for row in picture.accounts} if picture else set()
        return sorted({*self._daemon.settings.accounts, *used, *rows})

    def rows(self) -> list[AccountRow]:
        """Return every account as the engine knows it. ``Unavailable`` while it says nothing."""
        picture = self._daemon.news.money
        if picture is None:
            raise Unavailable("the engine has not told of accounts yet; ask again in a moment")
        known = {row.name: row for row in picture.accounts}
        missing = [AccountRow(name=name, currency="") for name in self.names() if name not in known]
        return sorted([*known.values(), *missing], key=lambda row: row.name)

    def row(self, name: str) -> AccountRow:
        """Return one account."""
        self._must_be(name)
        return next(row for row in self.rows() if row.name == name)

    async def held(self, deployment_id: str) -> Held:
        """Return what a deployment holds and what waits, by the journal. Raises ``Unavailable``."""

        def look(reader: JournalReader) -> Held:
            waiting = reader.orders([deployment_id], ended=False, limit=1000)
            return Held(reader.positions(deployment_id), [one.order for one in waiting])

        return await self._daemon.signals.ask(look)

    async def latch(self, name: str, kind: LatchKind, reason: str, by: str) -> TradingAnswer:
        """Bar an account: ``pause``, or ``lock`` to close everything and let nothing through."""
        self._must_be(name)
        return await self.set("account", name, kind, reason, by)

    async def resume(self, name: str, reason: str, by: str) -> TradingAnswer:
        """Take back a pause of an account and nothing stronger. ``Refused`` where another latch is set."""
        self._must_be(name)
        answer = await self._asking.ask(
            lambda number: Rearm("account", name, reason, by, number, only="pause")
        )
        if _checked(answer).latch is not None:
            kind = answer.latch.kind if answer.latch else ""
            raise Refused(
                f"latch_{kind}",
                f"account {name} is not paused but barred ({kind}): rearm takes that back",
            )
        return answer

    async def rearm(self, name: str, reason: str, by: str) -> TradingAnswer:
        """Take back what bars an account."""
        self._must_be(name)
        return await self.take_back("account", name, reason, by)

    async def set(self, scope: Scope, name: str, kind: LatchKind, reason: str, by: str) -> TradingAnswer:
        """Set a latch; the answer comes once it is durable."""
        answer = await self._asking.ask(lambda number: SetLatch(scope, name, kind, reason, by, number))
        return _checked(answer)

    async def take_back(self, scope: Scope, name: str, reason: str, by: str) -> TradingAnswer:
        """Take a latch back; the answer comes once that is durable."""
        return _checked(await self._asking.ask(lambda number: Rearm(scope, name, reason, by, number)))

    def _must_be(self, name: str) -> None:
        names = self.names()
        if name not in names:
            advice = "an account is in [accounts] of the configuration, or a deployment trades for it"
            raise NotFound("account", name, near_matches(name, names), advice)


def _checked(answer: TradingAnswer) -> TradingAnswer:
    if answer.problem:
        raise Failed(answer.problem)
    return answer
