"""What a hub tells of, kept in lists: an event log, a journal, rows; grown by the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from bus.messages import Fill, Position
from strategies.trading.records import Executed
from supervisor.broadcast import Broadcast
from supervisor.schema import DeploymentRow, FeedView
from supervisor.store.journal_stream import Told
from supervisor.store.tables import Event
from supervisor.streaming.message import Message, Piece, metrics
from tests.waiting import turn

AT = 1_763_681_904_123_456_789


class FakeWorld:
    def __init__(self) -> None:
        self.journal: list[Told] = []
        self.log: list[Event] = []
        self.deployments: dict[str, DeploymentRow] = {}
        self.connected: list[FeedView] = []
        self.accounts: dict[str, str] = {}
        self.looked = 0
        """Pictures that were taken of the rows."""
        self.asked = 0
        """Questions to the journal."""
        self._broadcast: Broadcast[Event] = Broadcast(100)
        self._grown = asyncio.Event()

    # ---- growing ----
    def note(self, kind: str, name: str = "", detail: str = "") -> None:
        event = Event(len(self.log) + 1, AT, kind, name, 1, detail)
        self.log.append(event)
        self._broadcast.publish([event])

    def fill(self, name: str, times: int = 1) -> None:
        for _ in range(times):
            self.journal.append(executed(len(self.journal) + 1, name, self.account_of(name)))
        self._grown.set()

    # ---- as the hub sees it ----
    def account_of(self, deployment_id: str, at: int | None = None) -> str:
        return self.accounts.get(deployment_id, "default")

    def rows(self) -> list[DeploymentRow]:
        self.looked += 1
        return list(self.deployments.values())

    def feeds(self) -> list[FeedView]:
        return self.connected

    def figures(self, rows: Sequence[DeploymentRow]) -> Message:
        return metrics({"at": AT}, {row.id: Piece(row.account, f'{{"ticks":{row.ticks}}}') for row in rows})

    def last_event(self) -> int:
        return len(self.log)

    async def events(self, after: int, n: int | None, *, follow: bool) -> AsyncIterator[Event]:
        follower = self._broadcast.follow() if follow else None
        try:
            last = after
            for event in self.log[after : None if n is None else after + n]:
                last = event.seq
                yield event
            if follower is not None:
                async for event in follower:
                    if event.seq > last:
                        last = event.seq
                        yield event
        finally:
            if follower is not None:
                follower.close()

    async def last_record(self) -> int:
        self.asked += 1
        return len(self.journal)

    async def records(self, after: int, n: int) -> list[Told]:
        self.asked += 1
        await turn()
        return self.journal[after : after + n]

    async def journal_beyond(self, seen: int) -> int:
        while len(self.journal) == seen:
            self._grown.clear()
            await self._grown.wait()
        return len(self.journal)


def executed(seq: int, name: str, account: str) -> Executed:
    fill = Fill(
        fill_id=f"f{seq}", signal_id=f"s{seq}", deployment_id=name, account_id=account, symbol="EURUSD",
        quantity=1.0, price=1.1, fee=0.01, at=AT, currency="USD",
    )  # fmt: skip
    position = Position(deployment_id=name, account_id=account, symbol="EURUSD", quantity=1.0)
    return Executed(seq=seq, at=AT, order_id=f"o{seq}", order_seq=seq, fill=fill, position=position)
