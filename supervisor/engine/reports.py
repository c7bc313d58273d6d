"""What a cell reports, taken in: hello, signals, checkpoints, proof of life, goodbye."""

from __future__ import annotations

import time
from functools import singledispatchmethod
from itertools import groupby
from typing import TYPE_CHECKING

from bus.messages import (
    Beat,
    Bye,
    CellReport,
    Checkpoint,
    Hello,
    Running,
    Schedule,
    Signals,
    Welcome,
)
from supervisor.control import CellSaid
from supervisor.engine.roster import Member

if TYPE_CHECKING:
    from supervisor.engine.loop import Engine


class Reports:
    """Dispatch by type. Whose report it is comes from the connection, as ``member``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take(self, member: Member, report: CellReport) -> None:
        """Take one report in; outcomes are committed and answered at the end of the turn."""
        if type(report) is Signals:
            self._signals(member, report)
        else:
            self._take(report, member)

    def _signals(self, member: Member, report: Signals) -> None:
        """Judge signals at the age of the data they rest on (bus/market.py, FeedClock)."""
        engine = self._engine
        monotonic, wall = time.monotonic_ns(), time.time_ns()
        for (symbol, as_of), group in groupby(report.signals, key=lambda s: (s.symbol, s.data_as_of)):
            stream = engine.market.streams.get(symbol)
            now = stream.clock.judged_at(as_of, monotonic, wall) if stream else wall
            engine.take(engine.core.on_signals(member.deployment_id, member.generation, list(group), now))

    @singledispatchmethod
    def _take(self, report: object, member: Member) -> None:
        raise TypeError(f"no such report: {report!r} of {member!r}")

    @_take.register
    def _hello(self, _report: Hello, member: Member) -> None:
        """Answer every hello: the last welcome may have gone before the subscription was there."""
        engine, attach = self._engine, member.attach
        checkpoint = engine.journal.checkpoint(attach.deployment_id)
        engine.command(
            attach.deployment_id,
            attach.generation,
            Welcome(
                epoch=engine.epoch,
                now=engine.event_now(time.monotonic_ns()),
                warmup=engine.market.warmup(attach.symbols, attach.timeframes, attach.warmup),
                position=engine.market.position(attach.symbols),
                positions=engine.core.positions(attach.deployment_id),
                state=checkpoint.state if checkpoint else b"",
                state_version=checkpoint.state_version if checkpoint else 0,
                recovered=checkpoint is not None,
            ),
        )
        if not member.welcomed:
            member.welcomed = True
            self._say(member, "hello")

    @_take.register
    def _running(self, report: Running, member: Member) -> None:
        member.running, member.save_at = True, time.monotonic_ns() + self._engine.save_every
        member.base = sum(report.position.get(f"tick|{symbol}|", 0) for symbol in member.attach.symbols)
        self._engine.core.running(member.deployment_id, member.generation)
        if member.directed is not None:
            self._engine.command(member.deployment_id, member.generation, member.directed)
        self._say(member, "running")

    @_take.register
    def _checkpoint(self, report: Checkpoint, member: Member) -> None:
        engine = self._engine
        now = engine.event_now(time.monotonic_ns())
        engine.take(engine.core.on_checkpoint(member.deployment_id, member.generation, report, now))

    @_take.register
    def _beat(self, report: Beat, member: Member) -> None:
        member.stats = report.stats

    @_take.register
    def _bye(self, report: Bye, member: Member) -> None:
        """Every signal before this is in the same or an earlier turn: say so after the commit."""
        member.stats = report.stats
        self._engine.after_commit(lambda: self._say(member, "bye"))

    @_take.register
    def _schedule(self, report: Schedule, member: Member) -> None:
        if not self._engine.timers.set(member.deployment_id, report.name, report.at, report.every):
            self._engine.event(
                "timer_refused",
                f"timer {report.name!r}: at most 64 timers a deployment",
                member.deployment_id,
                member.generation,
            )

    def _say(self, member: Member, word: str) -> None:
        self._engine.channel.tell(CellSaid(member.deployment_id, member.generation, word))  # type: ignore[arg-type]
