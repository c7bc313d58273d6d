"""A host's checkpoint, made and taken back: the strategy's own state, its map, its chance, and ``HostState``.

A restart takes it back twice: before ``load_state``, which may look at it, and after the warm-up, which shows
the strategy what it has seen before and must not move what had moved then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from bus.messages import Pause
from strategies import snapshot, state
from strategies.books import Books
from strategies.calls import Calls
from strategies.context import Context
from strategies.data import MultiTimeframeData
from strategies.errors import StateCorrupt
from strategies.market import Market
from strategies.snapshot import HostState


class Saved(Struct, frozen=True):
    """A checkpoint that was read. ``host`` is None in one of a version before it; then ``seen`` is all."""

    packed: bytes
    own: dict[str, Any]
    seen: dict[str, int]
    host: HostState | None


class Checkpoints:
    """Of one host, whose parts these are; ``limit`` is in bytes, ``parameters`` tells those in force."""

    def __init__(
        self,
        ctx: Context,
        calls: Calls,
        books: Books,
        data: MultiTimeframeData,
        market: Market,
        *,
        limit: int,
        parameters: Callable[[], dict[str, Any] | None],
    ) -> None:
        self._ctx = ctx
        self._calls = calls
        self._books = books
        self._data = data
        self._market = market
        self._limit = limit
        self._parameters = parameters

    def pack(self, own: Mapping[str, Any], paused: Pause | None) -> bytes:
        """Return a checkpoint of now; ``StateInvalid`` names what cannot be kept."""
        books, data, ctx = self._books, self._data, self._ctx
        host = HostState(
            version=1,
            now=books.now,
            as_of=data.as_of,
            symbol=data.symbol,
            number=self._calls.number,
            paused=paused,
            positions=list(books.positions.values()),
            opened=books.opened,
            open_orders=list(books.open_orders.values()),
            unjudged=list(books.unjudged.values()),
            timers=list(ctx.timers.armed.values()),
            fired=ctx.timers.fired,
            seen=data.seen(),
            newest=data.newest(),
            ticks=data.ticks(),
            forming=data.forming_states(),
            stale=data.stale(),
            barrier=self._market.barrier.state() if self._market.barrier is not None else None,
            indicators=ctx.indicators.states(),
            pending=list(books.pending.values()),
            parameters=self._parameters(),
        )
        content = {"state": own, **ctx.snapshot(), "host": snapshot.encode(host)}
        return state.pack(content, self._limit)

    def read(self, packed: bytes) -> Saved:
        """Read a checkpoint, changing nothing; ``StateCorrupt`` if it is none."""
        content = state.unpack(packed, self._limit)
        own = content.get("state")
        if not isinstance(own, dict):
            raise StateCorrupt(f"checkpoint of {len(packed)} bytes was not written by this host")
        if "host" in content:
            host = snapshot.decode(content["host"])
            return Saved(packed, own, host.seen, host)
        seen = content.get("seen", {})
        if not isinstance(seen, dict) or not all(type(at) is int for at in seen.values()):
            raise StateCorrupt("checkpoint: what it has seen is not times")
        return Saved(packed, own, seen, None)

    def put_back(self, saved: Saved, *, resumes: bool, warm: bool) -> None:
        """Take a checkpoint back, once before ``load_state`` and once ``warm``, or ``StateCorrupt``.

        Without ``resumes`` there is no telling what happened since: then the market is what comes, and the
        books are the engine's.
        """
        content = state.unpack(saved.packed, self._limit)  # anew: its map and lists are given away
        if not self._ctx.restore(content):
            raise StateCorrupt(f"checkpoint of {len(saved.packed)} bytes was not written by this host")
        host = saved.host
        if host is None:
            self._books.opened.update(_opened(content.get("opened")))
            return
        self._calls.number = host.number
        self._ctx.timers.restore(host.timers, host.fired)
        if resumes:
            self._books.put_back(host)
        else:
            self._books.opened.update(host.opened)
        if warm:
            self._put_back_market(host, resumes=resumes)

    def _put_back_market(self, host: HostState, *, resumes: bool) -> None:
        """What the warm-up has filled is now made to be what it was."""
        data, barrier = self._data, self._market.barrier
        self._ctx.indicators.put_back(one for one in host.indicators if data.has(one.symbol, one.timeframe))
        if resumes:
            data.put_back(host)
            if barrier is not None and host.barrier is not None:
                barrier.put_back(host.barrier)


def _opened(opened: object) -> dict[str, tuple[int, float, float]]:
    if not isinstance(opened, dict):
        raise StateCorrupt("checkpoint: what is open is not a mapping")
    for symbol, marks in opened.items():
        if not isinstance(symbol, str) or not isinstance(marks, tuple | list) or len(marks) != 3:
            raise StateCorrupt("checkpoint: what is open is not a time, a profit and fees")
        if not all(type(mark) in {int, float} for mark in marks):
            raise StateCorrupt("checkpoint: what is open is not numbers")
    return opened
