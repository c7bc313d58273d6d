"""Does to a world what a plan says, and takes it back when its time is over.

A fault that finds nobody (the daemon is down, no ticks are left to lose) does nothing and says so.
"""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Callable
from typing import NamedTuple

from tests.chaos.plan import Fault
from tests.chaos.processes import Process, process
from tests.chaos.world import World
from tests.waiting import wait_until

GONE_WITHIN = 3.0
"""Seconds within which everything below a supervisor that was killed has to be gone: three times what
scenario 29 wants, because here the machine is busy. How long it took is in the table."""
DEADLY = ((0.7, signal.SIGKILL), (0.85, signal.SIGSEGV), (1.0, signal.SIGABRT))
"""By which signal a strategy dies, by the fault's ``variant``."""
PIECE = 2**20


class Done(NamedTuple):
    """What came of a fault: one line, and what takes it back (None if it is over)."""

    text: str
    undo: Callable[[], None] | None = None
    hit: bool = True


def nobody(why: str) -> Done:
    """Say that a fault met nobody."""
    return Done(why, hit=False)


class Faults:
    """Carries out faults on one world. ``late`` holds what outlived its supervisor for too long."""

    def __init__(self, world: World, now: Callable[[], float]) -> None:
        self._world = world
        self._now = now
        self._redis_down = self._redis_paused = 0
        self.disk_full = 0
        self.disk_full_at = float("-inf")
        """When it was full last."""
        self.late: list[str] = []
        self.slowest_end = 0.0
        """Seconds that the processes below a killed supervisor took to be gone, the longest."""

    def do(self, fault: Fault) -> Done:
        """Carry out one fault."""
        done: Done = getattr(self, "_" + fault.kind.replace(" ", "_"))(fault)
        return done

    # ---- processes of the daemon ----------------------------------------------------------------
    def _strategy(self, fault: Fault) -> tuple[str, Process] | None:
        """Return a deployment that has a strategy process now, and that process."""
        there = {one.pid: one for one in self._world.named("strategy")}
        rows = sorted(self._world.rows().items())
        return fault.one_of([(name, there[row["pid"]]) for name, row in rows if row["pid"] in there])

    def _warden(self, fault: Fault) -> tuple[str, Process] | None:
        found = self._strategy(fault)
        wardens = {one.pid: one for one in self._world.named("warden")}
        return (found[0], wardens[found[1].parent]) if found and found[1].parent in wardens else None

    def _kill_strategy(self, fault: Fault) -> Done:
        number = next(number for share, number in DEADLY if fault.variant < share)
        return _killed(self._strategy(fault), number)

    def _kill_warden(self, fault: Fault) -> Done:
        return _killed(self._warden(fault))

    def _kill_engine(self, fault: Fault) -> Done:
        return _killed(_titled(fault.one_of(self._world.named("engine"))))

    def _kill_zygote(self, fault: Fault) -> Done:
        return _killed(_titled(fault.one_of(self._world.named("zygote"))))

    def _stop_strategy(self, fault: Fault) -> Done:
        return _stopped(self._strategy(fault))

    def _hang_strategy(self, fault: Fault) -> Done:
        return _stopped(self._strategy(fault))._replace(undo=None)  # the watchdog ends it

    def _stop_warden(self, fault: Fault) -> Done:
        return _stopped(self._warden(fault))

    def _stop_engine(self, fault: Fault) -> Done:
        return _stopped(_titled(fault.one_of(self._world.named("engine"))))

    def _kill_supervisor(self, fault: Fault) -> Done:
        world, left = self._world, self._world.tree()
        if world.supervisor is None or world.daemon is None:
            return nobody("no supervisor")
        world.daemon.kill()
        world.daemon.wait()
        began = self._now()
        with contextlib.suppress(AssertionError):
            # One that is stopped cannot go: it does when it is let go on, and is looked for in the end.
            wait_until(
                lambda: not any(one.alive and one.state != "T" for one in left), timeout=2 * GONE_WITHIN
            )
        took = self._now() - began
        self.slowest_end = max(self.slowest_end, took)
        if took > GONE_WITHIN:
            names = ", ".join(f"{one.name} {one.pid}" for one in left if _lingers(one)) or "none any more"
            self.late.append(f"{took:.2f} s after the supervisor's death some of {len(left)}: {names}")
        text = f"supervisor, {len(left)} processes with it, gone after {1000 * took:.0f} ms"
        return Done(text, self._world.start_daemon)

    # ---- its surroundings -----------------------------------------------------------------------
    def _fill_disk(self, _fault: Fault) -> Done:
        if not self._world.disk:
            return nobody("no disk to fill")
        path = self._world.state / "filler"
        self.disk_full += 1
        with path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(PIECE))
        with path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:  # the last pages, too
                file.write(bytes(512))

        def undo() -> None:
            self.disk_full -= 1
            self.disk_full_at = self._now()
            if not self.disk_full:
                path.unlink(missing_ok=True)

        return Done("the disk is full", undo)

    def _pause_redis(self, _fault: Fault) -> Done:
        if self._redis_down:
            return nobody("Redis is down")
        self._redis_paused += 1
        self._world.redis.pause()

        def undo() -> None:
            self._redis_paused -= 1
            if not self._redis_paused and not self._redis_down:
                self._world.redis.go_on()

        return Done("Redis is paused", undo)

    def _flush_redis(self, _fault: Fault) -> Done:
        if self._redis_down or self._redis_paused:
            return nobody("Redis does not answer")
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(self._world.redis.socket))
            client.sendall(b"FLUSHALL\r\n")
            return Done(f"Redis is flushed: {client.recv(64).decode().strip()}")

    def _kill_redis(self, _fault: Fault) -> Done:
        if self._redis_down:
            return nobody("Redis is down")
        self._redis_down = 1
        self._world.redis.stop()

        def undo() -> None:
            self._redis_down = 0
            self._world.redis.start()
            if self._redis_paused:
                self._world.redis.pause()

        return Done("Redis is killed, all that it had is lost", undo)

    # ---- feeds ----------------------------------------------------------------------------------
    def _feed(self, fault: Fault) -> str | None:
        """Return a feed that has ticks left and whose publisher lives."""
        world = self._world
        return fault.one_of([
            name for name, one in sorted(world.publishers.items())
            if one.poll() is None and world.sent(name) < len(world.markets[name].messages)
        ])  # fmt: skip

    def _kill_publisher(self, fault: Fault) -> Done:
        feed = self._feed(fault)
        if feed is None:
            return nobody("no publisher with ticks left")
        self._world.publishers[feed].kill()
        self._world.publishers[feed].wait()
        at = self._world.sent(feed)
        return Done(f"the publisher of {feed} at tick {at}", lambda: self._world.start_publisher(feed))

    def _stop_publisher(self, fault: Fault) -> Done:
        feed = self._feed(fault)
        if feed is None:
            return nobody("no publisher with ticks left")
        publisher = self._world.publishers[feed]
        publisher.send_signal(signal.SIGSTOP)

        def undo() -> None:
            if publisher.poll() is None:
                publisher.send_signal(signal.SIGCONT)

        return Done(f"the publisher of {feed}", undo)

    def _double_publisher(self, fault: Fault) -> Done:
        if self._feed(fault) is None or self._world.sent("fx") >= len(self._world.markets["fx"].messages):
            return nobody("no ticks left")
        self._world.start_guest("fx")
        guest = self._world.guests[-1]

        def undo() -> None:
            guest.kill()
            guest.wait()

        return Done(f"a second publisher of fx from tick {self._world.sent('fx')}", undo)


def _lingers(one: Process) -> bool:
    """Whether it lives and could go: a warden that is stopped goes later, and its strategy with it."""
    above = process(one.parent)
    return one.alive and one.state != "T" and (above is None or above.state != "T")


def _titled(one: Process | None) -> tuple[str, Process] | None:
    return None if one is None else (one.name, one)


def _killed(target: tuple[str, Process] | None, number: signal.Signals = signal.SIGKILL) -> Done:
    if target is None or not target[1].kill(number):
        return nobody("not there")
    return Done(f"{target[0]} ({target[1].name} {target[1].pid}) by {number.name}")


def _stopped(target: tuple[str, Process] | None) -> Done:
    if target is None or not target[1].kill(signal.SIGSTOP):
        return nobody("not there")
    name, one = target
    return Done(f"{name} ({one.name} {one.pid})", lambda: _continue(one))


def _continue(one: Process) -> None:
    one.kill(signal.SIGCONT)
