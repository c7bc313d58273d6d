"""The daemon and an engine that dies: what the next one is told, and what the cells notice of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import zmq

from bus.sockets import Publisher
from supervisor.control import Attach, Configure, Direct, EngineOrder, Expect
from supervisor.daemon import Daemon
from supervisor.reaper import children
from supervisor.schema import Selection
from tests.ports import HOST
from tests.supervisor.rig import HANDLED, Rig, Scene, release_orphans
from tests.waiting import turn

pytestmark = pytest.mark.system

BUYER = """
    def on_tick(self, data):
        return Signal(symbol=data.symbol, intent="enter_long", quantity=1, reason="tick")
"""


@pytest.fixture
def rig():
    rig = Rig()
    rig.settings += '\n[feeds.main]\nendpoint = "ipc://{base}/feed"\n'
    code = rig.strategy("buyer") / "strategy.py"
    code.write_text(code.read_text().replace("import IStrategy", "import IStrategy, Signal") + BUYER)
    yield rig
    rig.remove()


@contextlib.asynccontextmanager
async def market(rig: Rig) -> AsyncIterator[None]:
    """Fifty ticks a second of EURUSD, from a publisher that outlives engines."""

    over = asyncio.Event()

    async def publish() -> None:
        while not over.is_set():
            tick = ["EURUSD", time.time_ns(), 1.1, 1.0]
            publisher.send(b"tick.EURUSD", msgspec.msgpack.encode(tick))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 0.02)

    with Publisher(f"ipc://{rig.base}/feed") as publisher:
        publishing = asyncio.create_task(publish())
        try:
            yield
        finally:
            over.set()
            await publishing


async def stale(scene: Scene, name: str, than: int = 0) -> bool:
    return (await scene.row(name)).stale > than


async def more_than(scene: Scene, name: str, ticks: int, accepted: int) -> None:
    async def there() -> bool:
        row = await scene.row(name)
        return row.ticks > ticks and row.signals.accepted > accepted

    await scene.until(there, f"ticks and accepted signals of {name}")


def test_after_an_engine_died_what_runs_gets_ticks_again_and_what_is_paused_stays_barred(rig, monkeypatch):
    async def scenario(scene: Scene):
        async with market(rig):
            await scene.start("runs", "buyer")
            await scene.start("pauses", "buyer")
            for name in ("runs", "pauses"):
                await more_than(scene, name, 0, 0)
            await scene.verb("pause", "pauses", reason="news")
            before = {name: await scene.row(name) for name in ("runs", "pauses")}
            told: list[EngineOrder] = []
            tell = scene.daemon.engine.tell
            monkeypatch.setattr(scene.daemon.engine, "tell", lambda order: (told.append(order), tell(order)))

            os.kill(scene.daemon.engine.pid, signal.SIGKILL)
            await scene.event("engine_died")

            # Counted on by the next engine, which recovered what the first had journalled.
            await more_than(scene, "runs", before["runs"].ticks, before["runs"].signals.accepted)
            runs, pauses = await scene.row("runs"), await scene.row("pauses")
            assert (runs.state, runs.pid, runs.generation) == ("running", before["runs"].pid, 1)
            assert (pauses.state, pauses.pid, pauses.generation) == ("paused", before["pauses"].pid, 1)
            expected = [Expect, Expect, Configure, Attach, Direct, Attach, Direct]
            assert expected == [type(order) for order in told]
            assert [order.verb for order in told if isinstance(order, Direct)] == ["resume", "pause"]

            # Once its warden has the word, not even signals to refuse come from it. Told of a second time,
            # what it did before the word is counted as well.
            await scene.until(lambda: stale(scene, "pauses"), "ticks dropped because of the pause")
            dropped = (await scene.row("pauses")).stale
            await scene.until(lambda: stale(scene, "pauses", dropped), "more of them")
            held = await scene.row("pauses")
            assert held.signals.accepted == pauses.signals.accepted
            await more_than(scene, "runs", runs.ticks + 100, runs.signals.accepted)
            later = await scene.row("pauses")
            assert (later.ticks, later.signals) == (held.ticks, held.signals)
            await scene.verb("resume", "pauses")
            await more_than(scene, "pauses", later.ticks, later.signals.accepted)

    rig.run(scenario)


def test_what_is_removed_while_there_is_no_engine_is_forgotten_by_the_next(rig):
    async def scenario(scene: Scene):
        async with market(rig):
            await scene.start("a", "buyer")
            await more_than(scene, "a", 0, 0)
            await scene.verb("stop", "a")
            may_start = asyncio.Event()
            scene.daemon.engine.before_restart = may_start.wait
            os.kill(scene.daemon.engine.pid, signal.SIGKILL)
            await scene.event("engine_died")
            [removed] = (await scene.port.remove(Selection(ids=["a"]))).outcomes
            assert removed.problem is None
            may_start.set()
            await scene.until(lambda: ready(scene), "the next engine")
            await scene.start("a", "idle")
            await more_than(scene, "a", 0, -1)
            assert 0 == (await scene.row("a")).signals.accepted, "those of its namesake"

    async def ready(scene: Scene) -> bool:
        return scene.daemon.engine.ready is not None

    rig.run(scenario)


def test_status_tells_what_each_process_of_the_daemon_uses(rig):
    async def scenario(scene: Scene):
        async def read() -> object:
            processes = (await scene.port.status()).processes
            return None not in [one.cpu_percent for one in processes] and processes

        supervisor, engine, zygote = await scene.until(read, "two readings of each process")
        assert [one.name for one in (supervisor, engine, zygote)] == ["supervisor", "engine", "zygote"]
        assert (supervisor.pid, engine.pid) == (os.getpid(), scene.daemon.engine.pid)
        assert supervisor.uptime_s > zygote.uptime_s >= engine.uptime_s > 0, "in the order of their start"
        for one in (supervisor, engine, zygote):
            assert (one.state, one.restarts, one.memory_mb > 5) == ("running", 0, True)
        os.kill(zygote.pid, signal.SIGKILL)

        async def again() -> bool:
            _, old, new = (await scene.port.status()).processes
            return new.restarts == 1 and new.uptime_s is not None and new.uptime_s < old.uptime_s

        await scene.until(again, "the next zygote, younger than the engine")

    rig.run(scenario)


def public_knowledge(pid: int) -> bytes:
    """What others may read of a process: its command line, and as the same user its environment."""
    return b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))


def test_the_way_out_is_where_the_settings_say_and_what_is_wrong_with_it_is_a_problem(rig):
    _, secret = zmq.curve_keypair()
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        out = f"tcp://{HOST}:{taken.getsockname()[1]}"
        rig.settings += f'\n[signals]\nendpoint = "{out}"\n'
        rig.environ["STRATD_SIGNALS__CURVE_SECRET_KEY"] = secret.decode()

        async def scenario(scene: Scene):
            async def status_is(endpoint: str, replay: str, problems: list[str]) -> bool:
                status = await scene.port.status()
                told = (status.signals_endpoint, status.replay_endpoint, status.problems)
                return told == (endpoint, replay, problems)

            replay = f"ipc://{rig.base}/run/signals.replay"
            problem = f"accepted signals do not leave: cannot bind {out}: Address already in use"
            await scene.until(lambda: status_is("", replay, [problem]), "the problem")
            assert (await scene.start("a", "idle")).deployment.state == "running"
            assert secret not in public_knowledge(scene.daemon.engine.pid)
            taken.close()
            await scene.until(lambda: status_is(out, replay, []), "both bound and no problem")

        rig.run(scenario)


def is_engine(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"supervisor.engine" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def test_a_daemon_whose_first_engine_is_killed_waits_for_the_next(rig):
    killed = []

    async def kill_the_first() -> None:
        while not killed:
            for pid in filter(is_engine, children()):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
            await turn()

    before = {number: signal.getsignal(number) for number in HANDLED}

    async def live() -> None:
        daemon = Daemon(rig.load(), calendars=lambda names: {})
        hunting = asyncio.create_task(kill_the_first())
        try:
            await daemon.start()
            assert killed
            assert daemon.engine.starts == 2
            assert daemon.problems == {}
        finally:
            await hunting
            await daemon.stop()
            for number, handler in before.items():
                asyncio.get_running_loop().remove_signal_handler(number)
                signal.signal(number, handler)  # a shell has its background jobs ignore SIGINT
            release_orphans()

    asyncio.run(live())
