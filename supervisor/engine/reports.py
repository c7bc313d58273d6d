"""What a cell reports, taken in: hello, signals, checkpoints, proof of life, goodbye."""

from __future__ import annotations

import time
from functools import singledispatchmethod
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from bus import session_phases, topics
from bus.messages import (
    DECODE_ERRORS,
    Beat,
    Bye,
    CellAnswer,
    CellReport,
    Checkpoint,
    CommandBody,
    Hello,
    Missed,
    Resume,
    Running,
    Schedule,
    Signals,
    Welcome,
)
from strategies.trading.records import Saved
from supervisor.control import CellSaid
from supervisor.engine.replays import Replays
from supervisor.engine.resume import timer
from supervisor.engine.roster import Member, owner_of
from supervisor.engine.timers import PER_CELL

if TYPE_CHECKING:
    from supervisor.engine.loop import Engine


class Reports:
    """Dispatch by type. Whose report it is comes from the connection, as ``member``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.replays = Replays(engine, self._too_short)
        self._greeted: set[tuple[str, int, int]] = set()

    def begin(self) -> None:
        """Begin with what one turn of the loop has to take."""
        self._greeted.clear()

    def hear(self, user: str, payload: bytes) -> None:
        """Take a message of the connection ``user`` in; refused is what is no report, or no member's."""
        member = self._engine.roster.by_user(user)
        if member is None:
            why = f"a report of {user}, which is not attached, was dropped"
            self._engine.refusals.note("report_fenced", why, *owner_of(user), time.monotonic_ns())
            return
        try:
            report = _decode(payload)
        except DECODE_ERRORS as error:
            self._refuse(member, "report_refused", str(error))
            return
        self.take(member, report)

    def _refuse(self, member: Member, kind: str, why: str) -> None:
        now = time.monotonic_ns()
        self._engine.refusals.note(kind, why, member.deployment_id, member.generation, now)

    def take(self, member: Member, report: CellReport) -> None:
        """Take one report in; outcomes are committed and answered at the end of the turn.

        What was still on its way to an engine that died arrives here before the cell says that it runs: then
        it says again, in order, what has no verdict. Taken now, a checkpoint would cover signals that are
        not judged yet, and a verdict ("warming") would be the last word on them.
        """
        if not member.running and isinstance(report, Signals | Checkpoint):
            if not member.early:
                what = type(report).__name__.lower()
                detail = f"{what} before it said that it runs: not taken, as all that comes before that"
                self._engine.event("report_early", detail, member.deployment_id, member.generation)
            member.early += 1
        elif type(report) is Signals:
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
    def _hello(self, report: Hello, member: Member) -> None:
        """Answer every hello: the last welcome may have gone before the subscription was there.

        But those of one turn once: a cell says it ten times a second, and a welcome is much work. With each
        answered, many cells that start at once would have us fall behind ever further.
        """
        said = member.deployment_id, member.generation, report.tape
        if said in self._greeted:
            return
        self._greeted.add(said)
        engine, tape = self._engine, self._engine.publication.tape
        if report.tape == tape.identity:  # it lives, and knows where it is
            now = engine.event_now(time.monotonic_ns())
            welcome = Welcome(epoch=engine.epoch, now=now, tape=tape.identity, resumes=True)
        else:
            welcome = self._welcome(member, engine.states.newest(member), living=report.tape != 0)
        engine.command(member.deployment_id, member.generation, welcome)
        if not member.welcomed:
            member.welcomed = True
            self._say(member, "hello")

    def _welcome(self, member: Member, saved: Saved | None, *, living: bool) -> Welcome:
        """Begin where its checkpoint was, if all since then is on the tape; else at the present."""
        engine, attach = self._engine, member.attach
        engine.market.flush()
        engine.publication.flush()
        tape = engine.publication.tape
        present = Welcome(
            epoch=engine.epoch,
            now=engine.event_now(time.monotonic_ns()),
            warmup=engine.market.warmup(attach.symbols, attach.timeframes, attach.warmup),
            position={
                **engine.market.position(attach.symbols),
                topics.cell(attach.deployment_id).decode(): engine.publication.numbers.get(
                    attach.deployment_id, 0
                ),
            },
            positions=engine.core.positions(attach.deployment_id),
            tape=tape.identity,
            at=tape.end,
        )
        member.held = False
        if saved is None or living:
            return present
        checkpoint = saved.checkpoint
        given = replace(
            present, state=checkpoint.state, state_version=checkpoint.state_version, recovered=True
        )
        if saved.generation < attach.begun or checkpoint.epoch != tape.identity:
            return given
        # Beyond its end: after a power cut, which may cost the tape more than it cost the journal.
        reached = all(seq <= present.position.get(topic, seq) for topic, seq in checkpoint.position.items())
        if not (tape.begin <= checkpoint.at <= tape.end and reached):
            self._short(member, checkpoint.at)
            return given
        member.held = checkpoint.paused
        return replace(
            given,
            # As many before the checkpoint as ever: what closed since, the cell will hear from the tape.
            warmup=engine.market.warmup(
                attach.symbols, attach.timeframes, attach.warmup, since=checkpoint.position
            ),
            position=checkpoint.position,
            at=checkpoint.at,
            resumes=True,
            paused=checkpoint.paused,
        )

    @_take.register
    def _missed(self, report: Missed, member: Member) -> None:
        """Tell it again what it has not heard, a piece at a time."""
        self.replays.ask(member, report.at)

    def _too_short(self, member: Member, at: int) -> CommandBody:
        self._short(member, at)
        return self._welcome(member, None, living=True)

    def _short(self, member: Member, at: int) -> None:
        tape = self._engine.publication.tape
        detail = (
            f"it has to go on at {at}, and the tape has {tape.begin} to {tape.end}: it begins at the "
            "present, with the candles of its warm-up"
        )
        self._engine.event("tape_too_short", detail, member.deployment_id, member.generation)

    @_take.register
    def _running(self, report: Running, member: Member) -> None:
        member.running = True
        self._engine.saving.running(member.deployment_id, time.monotonic_ns())
        member.base = sum(report.position.get(f"tick|{symbol}|", 0) for symbol in member.attach.symbols)
        self._engine.core.running(member.deployment_id, member.generation)
        if member.directed is not None or member.held:
            # Held, and nobody directs it to be: it was resumed while it had no instance.
            directed = member.directed or Resume()
            self._engine.command(member.deployment_id, member.generation, directed)
        self._say(member, "running")
        self._engine.questions.running(member)

    @_take.register
    def _checkpoint(self, report: Checkpoint, member: Member) -> None:
        self._engine.states.keep(member, report)
        self._engine.saving.saved(member.deployment_id, time.monotonic_ns())

    @_take.register
    def _beat(self, report: Beat, member: Member) -> None:
        member.stats = report.stats

    @_take.register
    def _bye(self, report: Bye, member: Member) -> None:
        """Every word before this is in the same or an earlier turn: say so when whoever asks can read it."""
        member.stats = report.stats
        engine = self._engine

        def answer() -> None:
            engine.journal.post()
            self._say(member, "bye")

        engine.after_commit(answer)

    @_take.register
    def _answer(self, report: CellAnswer, member: Member) -> None:
        self._engine.questions.answered(member, report)

    @_take.register
    def _schedule(self, report: Schedule, member: Member) -> None:
        engine = self._engine
        if report.name == session_phases.WISH:
            symbol = member.attach.symbols[0]
            engine.beat.sessions.want(member.deployment_id, symbol, time.monotonic_ns())
        elif report.name.startswith(session_phases.OURS):
            self._refuse(member, "timer_refused", f"timer {report.name!r}: such names are not a strategy's")
        elif engine.timers.set(member.deployment_id, report.name, report.at, report.every):
            # In its place, so that with the next engine it fires where it would have with this one.
            engine.publication.publish(timer(member.deployment_id, report))
        else:
            self._refuse(
                member, "timer_refused", f"timer {report.name!r}: at most {PER_CELL} timers a deployment"
            )

    def _say(self, member: Member, word: str) -> None:
        self._engine.channel.tell(CellSaid(member.deployment_id, member.generation, word))  # type: ignore[arg-type]


_decode = msgspec.msgpack.Decoder(CellReport).decode
