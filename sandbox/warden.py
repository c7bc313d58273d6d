"""The warden: the trusted half of a cell, between the engine, the supervisor and one strategy.

It forks the strategy process before it knows anything secret, then reads its specification, limits its
ward, connects to the engine and goes round one loop: receive, hand over a turn, pass on what is said.
It has one blocking source at a time: the engine while its ward is idle, its ward while it runs.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType

import msgspec

from bus import messages, topics
from bus.messages import CellCommand
from bus.sockets import CellLink
from sandbox import protocol
from sandbox.births import Spawn
from sandbox.channel import close_all
from sandbox.confine.process import go_on_with
from sandbox.confinement import Confinement
from sandbox.deaths import died
from sandbox.exchange import Ending, Exchange
from sandbox.handout import Batch
from sandbox.hello import Hellos
from sandbox.intake import Intake
from sandbox.output import Output
from sandbox.relay import Relay
from sandbox.reports import Link, Outbox, Supervisor, SupervisorGone
from sandbox.settling import EXIT_UNCONFINED, LIMITED
from sandbox.spec import Begin, Born, CellSpec, Dump, Held, Ready, Terminate, WardenOrder
from sandbox.threads import Threads
from sandbox.ward import Ward
from sandbox.watchdog import Pace, Watchdog

IDLE = 0.5
"""Seconds after which an idle warden looks whether its supervisor lives."""
CHORES = 0.1
"""Seconds between two rounds of the small duties while events keep coming."""
CATCH_UP = 0.1
"""Seconds after which a warden that catches up looks whether it has to ask again."""
RETRY = 0.02
"""Seconds between two tries to send what the engine does not take."""
BEAT = 1.0
"""Seconds between two heartbeats."""
SELDOM = 5.0
"""The same of a strategy that had no market data meanwhile: its counters stand still."""
LEAVING = 1.0
"""Seconds that the last reports get to leave for the engine, and a stopped strategy to exit."""
SIGTERM_GRACE = 5.0
"""Seconds for an orderly stop when nobody says how many (``Budgets.cleanup.hard``)."""


class _Woken(Exception):
    """SIGCHLD or SIGTERM came while the warden was waiting for the engine."""


class Warden:
    """One cell's loop. ``run`` returns when the strategy process is gone and everything is reported."""

    def __init__(
        self, spec: CellSpec, ward: Ward, supervisor: Supervisor, link: Link, born: float | None = None
    ) -> None:
        now = time.monotonic()
        self._spec, self._ward, self._supervisor, self._link = spec, ward, supervisor, link
        self._born = now if born is None else born
        self._chores_at = self._beat_at = now
        self._outbox = Outbox(link)
        self._hellos = Hellos(now)
        self._intake = Intake(
            generation=spec.generation,
            backlog=spec.limits.backlog,
            conflate=spec.conflate,
            timeframes=spec.timeframes,
            watched=topics_of(spec),
        )
        self._conversation = protocol.Conversation(spec.limits.checkpoint_bytes)
        self._watchdog = Watchdog(spec.budgets, now)
        self._threads = Threads(ward.status, spec.limits.processes)
        self._pace = Pace()
        self._output = Output(ward, supervisor, spec.limits.log_bytes_per_s, now)
        self._relay = Relay(
            limits=spec.limits,
            conversation=self._conversation,
            intake=self._intake,
            outbox=self._outbox,
            output=self._output,
            supervisor=supervisor,
            now=now,
        )
        self._exchange = Exchange(
            ward=ward,
            conversation=self._conversation,
            watchdog=self._watchdog,
            threads=self._threads,
            output=self._output,
            supervisor=supervisor,
            hear=self._relay.hear,
            attend=self._attend,
            take_orders=self._take_orders,
        )
        self._lag = 0.0
        self._told = -1  # ticks and candles as of the last heartbeat
        self._answered = False
        self._fresh = False
        self._running = False
        self._waiting = False
        self._signalled = False
        self._sigterm = False
        self._parted = False

    # ---- a life -----------------------------------------------------------------------------------
    def run(self) -> None:
        """Live until the strategy process is gone, then tell its death. ``SupervisorGone`` passes."""
        decided: Ending | None = None
        try:
            self._arrange()
            self.begin()
            while not self.step():
                pass
        except Ending as ending:
            decided = ending
        except EOFError:  # the ward closed its end: it is gone, or about to be
            pass
        if decided is None and not self._ward.is_gone(LEAVING):
            decided = Ending("protocol", "it closed its socket, or said its last word, and did not exit")
        self._ward.kill()
        death = self._ward.reap()
        self._output.finish()
        self._say_goodbye()  # what it had asked for is all in the pipe: nobody has to wait for more
        last, call = self._relay.last_word, self._watchdog.call
        self._supervisor.report_last(died(death, decided, last, call, self._output.tail))
        deadline = time.monotonic() + LEAVING
        while not self._outbox.flush() and time.monotonic() < deadline:
            self._take(self._link.receive(RETRY), time.monotonic())

    def _arrange(self) -> None:
        """Be woken by the strategy's death; obey what was ordered before there was anybody to do so."""
        signal.signal(signal.SIGCHLD, self._wake)
        signal.signal(signal.SIGTERM, self._wake)
        self._take_orders(time.monotonic())

    def begin(self) -> None:
        """Let the strategy load, and say hello meanwhile; return once it is initialised, or refused."""
        self._attend(time.monotonic())
        self._exchange.listen()

    def step(self) -> bool:
        """Receive, and hand over what there is; True once the strategy has stopped."""
        if self._conversation.phase is protocol.Phase.OVER:
            return True
        if not self._intake.backlog:
            received = self._receive()
            now = time.monotonic()
            self._take(received, now)
            if self._intake.unsettled:
                self._greet(now)  # before what it missed is handed over, or its signals would not count
            if not received or now - self._chores_at > CHORES:
                self._chores(now)
        batch = self._intake.next_turn(self._pace.ticks)
        return batch is not None and self._turn(batch)

    def _take(self, received: list[tuple[bytes, bytes]], now: float) -> None:
        if received:
            self._intake.add(received, now)
            if self._intake.welcomed and not self._intake.welcomed_again:
                self._outbox.heard()

    def _receive(self) -> list[tuple[bytes, bytes]]:
        """Wait for the engine; come back at once when the ward dies or SIGTERM comes.

        The handler raises out of the blocking call. That may lose messages already taken from the
        socket, which nobody needs any more: the ward is dead, or about to be stopped.
        """
        timeout = min(IDLE if self._outbox.flush() and not self._fresh else RETRY, self._threads.between)
        if not self._intake.welcomed:
            timeout = min(timeout, self._hellos.wait(time.monotonic()))
        elif not self._intake.live:
            timeout = min(timeout, CATCH_UP)
        try:
            self._waiting = True
            return [] if self._signalled else self._link.receive(timeout)
        except _Woken:
            return []
        finally:
            self._waiting = False

    def _wake(self, number: int, _: FrameType | None) -> None:
        # The supervisor's throttle stops and continues the ward, which also sends SIGCHLD (signal(7)): no
        # reason to leave a blocking call, which may lose what was already taken from the socket.
        if number == signal.SIGCHLD and not self._ward.is_gone():
            return
        self._signalled = True
        self._sigterm = self._sigterm or number == signal.SIGTERM
        if self._waiting:
            self._waiting = False
            raise _Woken

    # ---- turns ------------------------------------------------------------------------------------
    def _turn(self, batch: Batch) -> bool:
        """Hand over one turn; True if it was the last."""
        began = time.monotonic()
        done = self._exchange.take_turn(batch.events, batch.calls)
        if done is None:
            return True
        now = time.monotonic()
        self._answered = self._fresh = True
        self._lag = max(self._lag, now - batch.oldest)
        if done.final:
            self._say_goodbye()
            return True
        if batch.ends == "welcome":
            self._running = True
            self._outbox.put(messages.encode(messages.Running(self._intake.began)))
            self._intake.running(now)
            self._greet(now)
            self._supervisor.report_last(Ready(now - self._born))
        elif not batch.ends:
            self._pace.note(batch.calls, now - began)
            self._relay.turns.note(now - began)
        if self._intake.backlog:
            self._attend(now)
        self._tell(now)
        if now - self._chores_at > CHORES:
            self._chores(now)
        return False

    def _say_goodbye(self) -> None:
        """Tell the engine, once, that every report of this instance came before this."""
        if self._intake.welcomed and not self._parted:
            self._parted = True
            stats = self._relay.stats(self._lag, self._watchdog.call)
            self._outbox.put(messages.encode(messages.Bye(stats)))

    # ---- duties -----------------------------------------------------------------------------------
    def _attend(self, now: float) -> None:
        """While there is more to do: keep the queue of 0MQ empty, engine and supervisor informed."""
        self._take(self._link.receive(0), now)
        self._greet(now)
        self._outbox.flush()
        self._tell(now)

    def _chores(self, now: float) -> None:
        """Between turns, now and then."""
        self._chores_at = now
        self._exchange.look(now)
        if self._signalled:
            self._signalled = False
            if self._ward.is_gone():
                raise EOFError
            if self._sigterm:
                self._stop(Terminate("SIGTERM", SIGTERM_GRACE), now)
        self._greet(now)
        self._outbox.flush()
        self._tell(now)
        self._fresh = self._output.behind  # what it printed in its last turns is in the log soon
        had = self._intake.handed.ticks + self._intake.handed.candles
        if self._answered and now - self._beat_at >= (BEAT if had != self._told else SELDOM):
            stats = self._relay.stats(self._lag, self._watchdog.call)
            self._outbox.put(messages.encode(messages.Beat(stats)))
            self._beat_at, self._answered, self._lag, self._told = now, False, 0.0, had

    def _greet(self, now: float) -> None:
        """Say hello to an engine that has not welcomed us, and that we run to one that has again."""
        intake = self._intake
        if intake.welcomed:
            self._hellos.answered(now)
        elif self._hellos.due(now) and not intake.stopping:
            hello = messages.encode(messages.Hello(intake.tape))
            self._hellos.said(now, sent=self._link.send(hello))
        if intake.welcomed_again and self._running:
            intake.pending.withhold_all()
            again = [messages.Running(intake.began), *intake.pending.signals()]
            self._outbox.resume(messages.encode(report) for report in again)
            intake.running(now)
        intake.welcomed_again = False
        if intake.live:
            self._relay.set_timers()  # none, but after catching up
        elif self._outbox.flush() and (at := intake.question(now)) is not None:
            self._outbox.put(messages.encode(messages.Missed(at)))

    def _tell(self, now: float) -> None:
        """Tell the supervisor what there is to tell."""
        self._output.flush(now)
        self._relay.decline()
        if self._intake.notes:
            notes, self._intake.notes = self._intake.notes, []
            for kind, detail in notes:
                self._relay.warn(kind, detail)

    # ---- orders -----------------------------------------------------------------------------------
    def _take_orders(self, now: float) -> None:
        for order in self._supervisor.orders():
            self._obey(order, now)

    def _obey(self, order: WardenOrder, now: float) -> None:
        match order:
            case Begin(refused=refused):
                for text in refused:
                    self._relay.warn("limit", text)
            case Dump():
                self._ward.signal(signal.SIGUSR1)
            case Held(seconds=seconds):
                self._watchdog.forgive(seconds, now)
            case Terminate():
                self._stop(order, now)

    def _stop(self, order: Terminate, now: float) -> None:
        """Stop in order without the engine; past its grace the strategy's stack is written and it ends."""
        loading = self._conversation.phase is protocol.Phase.LOADING  # it has nothing to say goodbye to
        self._exchange.deadline = min(self._exchange.deadline, now + (0.0 if loading else order.grace))
        if loading:
            return
        if not self._intake.stopping:
            stop = CellCommand(self._spec.generation, messages.Stop(order.reason))
            self._intake.stop(topics.cell(self._spec.deployment_id), messages.encode(stop), now)


def connect(spec: CellSpec) -> CellLink:
    """Connect a cell to the engine: the feeds, the pulse, its symbols' ticks and candles, its commands.

    In this order, so that whoever hears its welcome hears everything.
    """
    wanted = [topics.FEEDS, topics.PULSE, *topics_of(spec)]
    return CellLink(spec.market_endpoint, spec.report_endpoint, spec.username, spec.token, wanted)


def topics_of(spec: CellSpec) -> list[bytes]:
    """Return the topics whose messages are numbered: of its symbols, and its commands."""
    market = [make(symbol) for symbol in spec.symbols for make in (topics.tick, topics.candle)]
    return [*market, topics.cell(spec.deployment_id)]


def introduce(ward: Ward, spec: CellSpec) -> None:
    """Give the first order: what the strategy is told of its specification, on which it loads."""
    with contextlib.suppress(EOFError, TimeoutError):  # ``Warden.run`` sees both, and tells
        ward.send(protocol.encode(protocol.setup_of(spec)), LEAVING)


def _found_at(bus: str, spec: CellSpec) -> CellSpec:
    """Return the specification with its endpoints as this process finds them: in the folder ``bus``."""
    return msgspec.structs.replace(
        spec,
        market_endpoint=f"ipc://{bus}/{spec.market_endpoint.rpartition('/')[2]}",
        report_endpoint=f"ipc://{bus}/{spec.report_endpoint.rpartition('/')[2]}",
    )


def main(
    control: int,
    cell: Spawn,
    confinement: Confinement,
    groups: Sequence[int],
    make_link: Callable[[CellSpec], Link] = connect,
) -> None:
    """Be the warden of the cell whose control channel is descriptor ``control``.

    It outlives its strategy by the time that the last reports take, and its supervisor by ``IDLE``.
    """
    born = time.monotonic()
    ward = Ward.fork(cell, confinement, groups)
    close_all(groups)
    go_on_with(control)  # one that somebody stopped sees the end of its supervisor, too
    supervisor = Supervisor(socket.socket(fileno=control))

    def limited() -> None:
        supervisor.await_begin()
        with contextlib.suppress(EOFError, TimeoutError):  # its death is told by ``Warden.run``
            ward.send(LIMITED, LEAVING)

    try:
        spec = supervisor.read_spec()
        supervisor.report_last(Born(), [ward.pidfd])
        bus = confinement.confine_warden(cell, limited)
        introduce(ward, spec)  # it loads on one processor while we connect on another
        link = make_link(_found_at(bus, spec))
    except SupervisorGone:
        ward.kill()
        return
    except OSError as error:
        print(f"stratd-warden: not confined, so not run: {error.strerror}", file=sys.stderr)  # noqa: T201
        raise SystemExit(EXIT_UNCONFINED) from None
    linger = LEAVING
    try:
        Warden(spec, ward, supervisor, link, born).run()
    except SupervisorGone:
        linger = 0.0
    finally:
        ward.kill()
        link.close(int(linger * 1000))
