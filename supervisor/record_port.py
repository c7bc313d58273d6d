"""What is on record of one deployment, as the API asks for it: events, deaths, figures, signals, candles.

Rules of this file. The journal is read in pieces (``PIECE``), so that whoever else asks it waits for one
piece at most, and only a piece is held; what is computed from very many fills is computed on a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections import Counter
from collections.abc import Mapping
from typing import Final

from strategies.trading.records import Executed
from supervisor import performance, record_views
from supervisor.actor import Actor
from supervisor.daemon import Daemon
from supervisor.errors import NotFound, Unavailable
from supervisor.ledger import Ledger
from supervisor.performance import Adding, Curve
from supervisor.schema import (
    CandleView,
    Death,
    EquityView,
    EventView,
    MetricsView,
    PerformanceView,
    SignalChain,
    SignalView,
)
from supervisor.selection import find
from supervisor.store import history_reader
from supervisor.store.history_reader import HistoryError
from supervisor.store.journal_reader import JournalReader
from supervisor.views import death

PIECE: Final = 5_000
"""Fills read at once."""
MOST: Final = 100_000
"""Fills of one deployment that figures are made of: the last ones."""
AT_ONCE: Final = 2
"""Deployments whose fills are added up at the same time: others wait for their turn."""
FOREVER: Final = 2**63 - 1


class Records:
    """The half of ``supervisor.api.deployment_port.DeploymentPort`` that only looks; a part of ``Port``."""

    _daemon: Daemon
    _ledger: Ledger
    _adding: asyncio.Semaphore
    """How many figures are made at once (``AT_ONCE``)."""
    _seeking: asyncio.Lock
    """Held while signals of a kind are looked for."""

    async def deployment_events(
        self, deployment_id: str, *, after: int | None, limit: int
    ) -> list[EventView]:
        """Return the first events of one deployment after number ``after``, or the last ones."""
        actor = find(self._daemon.actors, deployment_id)
        # Not those of an earlier one of that id, which may have been of another account.
        found = await self._daemon.events.of({actor.id: actor.deployment.created_at}, after, limit)
        return [record_views.event(one) for one in found]

    async def events_of(self, since: Mapping[str, int], *, after: int | None, limit: int) -> list[EventView]:
        """Return the first events of some deployments after number ``after``, or their last ones."""
        return [record_views.event(one) for one in await self._daemon.events.of(since, after, limit)]

    async def incidents(self, deployment_id: str) -> list[Death]:
        """Return the deaths on record of one deployment, the newest first."""
        return [death(record) for record in reversed(find(self._daemon.actors, deployment_id).deaths)]

    async def metrics(self, deployment_id: str) -> MetricsView:
        """Return what the process of one deployment takes, and its counters."""
        actor = find(self._daemon.actors, deployment_id)
        return record_views.metrics(
            actor,
            self._daemon.news.rows.get(actor.id),
            Counter(record.cause for record in actor.deaths),
            monotonic=asyncio.get_running_loop().time(),
        )

    # ---- money ----------------------------------------------------------------------------------
    async def performance(self, deployment_id: str) -> PerformanceView:
        """Return what one deployment has earned, by its fills."""
        actor = find(self._daemon.actors, deployment_id)
        found = await self._curve(actor)
        capital = self._capital(actor, found.currency)
        figures = await asyncio.to_thread(performance.figures, found, capital)
        held = await self._daemon.signals.ask(lambda reader: reader.positions(actor.id))
        held = [one for one in held if one.account_id in ("", actor.deployment.account)]
        known = self._daemon.news.rows.get(actor.id)
        return record_views.performance(
            actor.id, found, figures, held, known, capital=capital, currency=self._currency(actor)
        )

    async def equity(self, deployment_id: str, *, n: int) -> EquityView:
        """Return the curve of that in at most ``n`` points."""
        actor = find(self._daemon.actors, deployment_id)
        found = await self._curve(actor)
        points = await asyncio.to_thread(performance.thin, found.points, n)
        capital = self._capital(actor, found.currency)
        return record_views.equity(actor.id, found, points, capital=capital, currency=self._currency(actor))

    async def _curve(self, actor: Actor) -> Curve:
        """Add up the fills of a deployment, as of now."""
        adding = Adding()
        async with self._adding:
            after = await self._daemon.signals.ask(lambda reader: reader.fills_from(actor.id, MOST)) - 1
            while piece := await self._daemon.signals.ask(functools.partial(_fills, actor.id, after)):
                after = piece[-1].seq
                mine = [one for one in piece if one.fill.account_id in ("", actor.deployment.account)]
                await asyncio.to_thread(adding.take, mine)
            return await asyncio.to_thread(adding.curve)

    def _currency(self, actor: Actor) -> str:
        """Return the currency of a deployment's account: what "" stands for in its fills."""
        terms = self._daemon.settings.accounts.get(actor.deployment.account)
        return terms.currency if terms else record_views.PLAIN.currency

    def _capital(self, actor: Actor, currency: str | None) -> float | None:
        """Return the capital of a deployment's account, where what it trades is in the same currency."""
        terms = self._daemon.settings.accounts.get(actor.deployment.account)
        same = currency is not None and currency in ("", self._currency(actor))
        return terms.capital if terms and same else None

    # ---- signals and candles --------------------------------------------------------------------
    async def find_signals(
        self,
        deployment_id: str | None,
        account: str | None,
        *,
        verdict: str | None,
        rule: str | None,
        after: int | None,
        limit: int,
    ) -> list[SignalView]:
        """Return signals of one deployment, of those of an account, or of all, by what became of them."""
        owners = self._ledger.owners(deployment_id, account)
        # One that is to be of a kind may be looked for in all of the journal: one such at a time, so that
        # whoever else asks it waits for one.
        async with self._seeking if verdict or rule else contextlib.nullcontext():
            rows = await self._daemon.signals.ask(
                lambda reader: reader.verdicts(owners, verdict=verdict, rule=rule, after=after, limit=limit)
            )
        return await asyncio.to_thread(list, map(SignalView.model_validate, rows))  # there may be very many

    async def signal(self, signal_id: str) -> SignalChain:
        """Return one signal with all that followed from it."""
        found = await self._daemon.signals.ask(lambda reader: reader.chain(signal_id))
        if found is None:
            raise NotFound("signal", signal_id, advice="old ones are no longer in the journal")
        return record_views.chain(found)

    async def candles(self, symbol: str, timeframe: str, *, before: int | None, n: int) -> list[CandleView]:
        """Return the last ``n`` closed candles of a series, or those that opened before ``before`` (ns)."""
        path = self._daemon.settings.state_dir / "history.db"
        until = FOREVER if before is None else before
        try:
            found = await asyncio.to_thread(
                history_reader.candles, path, symbol, timeframe, before=until, n=n
            )
        except HistoryError as error:
            raise Unavailable(str(error)) from None
        return [record_views.candle(one) for one in found]


def _fills(owner: str, after: int, reader: JournalReader) -> list[Executed]:
    return reader.trades([owner], after=after, limit=PIECE)
