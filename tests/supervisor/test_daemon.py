"""The whole daemon with real engine, zygote and cells; only the market is missing."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import time
from pathlib import Path

import msgspec
import pytest
from redis import asyncio as redis

from bus.sockets import Publisher
from sandbox.confine.survey import Survey
from supervisor import actor, parting
from supervisor import life as lf
from supervisor.daemon import Daemon
from supervisor.errors import Failed, Invalid, NotFound, Refused
from supervisor.schema import Selection, StartRequest
from supervisor.store.deployments import StoreError
from supervisor.store.journal_reader import JournalReader
from tests.supervisor.redis_server import RedisServer
from tests.supervisor.rig import Scene
from tests.waiting import pause_between, wait_until

pytestmark = pytest.mark.system


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_two_starts_at_once_make_one_instance(rig):
    async def scenario(scene: Scene):
        results = await asyncio.gather(*(scene.start("a", "idle") for _ in range(5)))
        assert {result.deployment.generation for result in results} == {1}
        assert [result.created for result in results].count(True) == 1

    rig.run(scenario)


@pytest.mark.parametrize(
    ("initialize", "cause", "code", "name"),
    [
        ("import os; os._exit(3)", "exit", 3, None),
        ("import os; os.abort()", "signal", None, "SIGABRT"),
        ("import ctypes; ctypes.string_at(0)", "signal", None, "SIGSEGV"),
    ],
)
def test_every_end_is_told_apart_and_a_crash_loop_is_given_up(rig, initialize, cause, code, name):
    rig.strategy("bad", initialize=f"print('last words', flush=True)\n{initialize}")

    async def scenario(scene: Scene):
        with pytest.raises(Failed, match="bad did not start"):
            await scene.start("bad")
        row = await scene.state("bad", "quarantined")
        assert (row.generation, row.desired, row.pid) == (4, "running", None)
        assert row.reason.startswith("crash_loop: 4 unplanned exits within 60 s")
        deaths = (await scene.port.describe("bad")).deaths
        assert len(deaths) == 4
        assert {(death.cause, death.exit_code, death.signal) for death in deaths} == {(cause, code, name)}
        assert "last words" in deaths[0].log_tail
        assert deaths[0].peak_memory_mb > 0
        outcome = (await scene.port.reset_failed(Selection(ids=["bad"]))).outcomes[0]
        assert (outcome.state, outcome.changed) == ("stopped", True)

    rig.run(scenario)


def test_what_cannot_be_loaded_is_not_tried_again(rig):
    rig.strategy("bad", head="import no_such_module")

    async def scenario(scene: Scene):
        with pytest.raises(
            Failed, match=r"^bad did not start, it is failed: load_error: .*no_such_module.*$"
        ):
            await scene.start("bad")
        detail = await scene.port.describe("bad")
        assert (detail.state, detail.generation, detail.last_death.cause) == ("failed", 1, "load_error")
        assert "\n" not in detail.last_death.detail

    rig.run(scenario)


def test_stop_is_orderly_and_stays(rig):
    rig.strategy("polite", stop="print('goodbye', flush=True)")

    async def scenario(scene: Scene):
        pid = (await scene.start("polite")).deployment.pid
        outcome = await scene.verb("stop", "polite", reason="lunch")
        assert (outcome.state, outcome.changed) == ("stopped", True)
        assert not alive(pid)
        detail = await scene.port.describe("polite")
        assert (detail.desired, detail.reason, detail.deaths[0].cause) == ("stopped", "lunch", "operator")
        lines = [line.text async for line in await scene.port.logs("polite", n=50, follow=False)]
        assert "goodbye" in lines
        assert (await scene.verb("stop", "polite")).changed is False

    rig.run(scenario)


def test_one_that_will_not_stop_is_ended_by_the_ladder_with_its_stack(rig):
    rig.strategy("stubborn", stop="while True: pass")
    rig.impatient()

    async def scenario(scene: Scene):
        pid = (await scene.start("stubborn")).deployment.pid
        stopping = asyncio.create_task(scene.verb("stop", "stubborn"))
        await scene.state("stubborn", "stopping")
        starting = asyncio.create_task(scene.start("stubborn"))
        assert (await stopping).state in ("stopped", "starting", "warming", "running")
        assert (await starting).deployment.generation == 2, "a start during a slow stop waits for its end"
        assert not alive(pid)
        death = (await scene.port.describe("stubborn")).deaths[0]
        assert "cleanup" in death.stack
        again = (await scene.row("stubborn")).pid
        outcome = await scene.verb("stop", "stubborn", now=True)
        assert outcome.state == "stopped"
        assert not alive(again)

    rig.run(scenario)


def test_a_stop_that_meets_a_start_on_its_way_waits_for_its_end(rig):
    rig.strategy("bad", initialize="raise SystemExit(3)")
    rig.settings = rig.settings.replace("delay = 0.02", "delay = 30")

    async def scenario(scene: Scene):
        await scene.start("bad", wait=False)
        await scene.state("bad", "backoff")
        bad = scene.daemon.actors["bad"]
        bad.submit(lf.Due(bad.life.timer))  # the delay is over at this instant
        outcome = await scene.verb("stop", "bad", now=True)
        assert (outcome.state, bad.life.generation) == ("stopped", 2)

    rig.run(scenario)


def test_pause_and_resume_and_what_they_refuse(rig):
    rig.impatient()  # of one that SIGSTOP holds

    async def scenario(scene: Scene):
        pid = (await scene.start("a", "idle")).deployment.pid
        assert (await scene.verb("pause", "a", reason="news")).state == "paused"
        assert (await scene.verb("pause", "a")).changed is False
        assert (await scene.verb("resume", "a")).state == "running"
        assert (await scene.row("a")).pid == pid
        await scene.verb("pause", "a")
        os.kill(pid, signal.SIGSTOP)
        assert (await scene.verb("stop", "a")).state == "stopped"
        assert not alive(pid)
        assert "stratd start a" in (await scene.verb("pause", "a")).problem.title

    rig.run(scenario)


def test_restart_of_everything_of_an_account(rig):
    async def scenario(scene: Scene):
        for name, account in (("a", "x"), ("b", "x"), ("c", "y")):
            await scene.start(name, "idle", account=account)
        result = await scene.port.restart(Selection(account="x"), reason="", now=False, wait=True)
        assert [(one.id, one.state) for one in result.outcomes] == [("a", "running"), ("b", "running")]
        assert [row.generation for row in await scene.port.deployments()] == [2, 2, 1]
        with pytest.raises(NotFound, match="no account 'xx'"):
            await scene.port.stop(Selection(account="xx"), reason="", now=False, wait=True)

    rig.run(scenario)


def test_the_one_too_many_is_refused_by_name_and_any_death_frees_the_slot(rig):
    rig.settings += "\n[limits]\nmax_concurrent = 2\nmax_per_account = 1\n"

    async def scenario(scene: Scene):
        await scene.start("a", "idle", account="x")
        with pytest.raises(Refused) as refused:
            await scene.start("b", "idle", account="x")
        assert refused.value.rule == "max_per_account"
        started = await asyncio.gather(
            *(scene.start(name, "idle", account=name) for name in "cde"), return_exceptions=True
        )
        assert sorted(type(one).__name__ for one in started) == ["Refused", "Refused", "StartResult"]
        await scene.verb("stop", "a")
        await scene.start("f", "idle", account="x")

    rig.run(scenario)


def test_every_mistake_of_a_start_is_told_at_once(rig):
    async def scenario(scene: Scene):
        with pytest.raises(Invalid) as wrong:
            await scene.start(
                "a",
                "moving_average_crossover",
                parameter_text={"fast_period": "three", "slow_perod": "20"},
                risk_text={"max_position": "1"},
            )
        text = "\n".join(wrong.value.errors)
        for word in ("symbols", "fast_period", "slow_perod", "max_position"):
            assert word in text
        with pytest.raises(NotFound, match="did you mean 'idle'"):
            await scene.start("a", "idel")
        with pytest.raises(Refused, match="live_disabled"):
            await scene.start("a", "idle", mode="live")
        assert await scene.port.deployments() == []

    rig.run(scenario)


def test_a_start_of_what_is_not_there_names_what_is_like_it_and_how_it_is_made(rig):
    async def scenario(scene: Scene):
        await scene.start("eurusd", "idle")
        with pytest.raises(NotFound) as wrong:
            await scene.port.start(StartRequest(id="eurusdd", symbols=["EURUSD"]))
        assert (wrong.value.kind, wrong.value.name, wrong.value.near) == (
            "deployment",
            "eurusdd",
            ("eurusd",),
        )
        assert str(wrong.value) == (
            "no deployment 'eurusdd'; did you mean 'eurusd'? (--strategy NAME creates a new one)"
        )
        assert [row.id for row in await scene.port.deployments()] == ["eurusd"]

    rig.run(scenario)


def test_the_same_timeframe_by_two_names_is_one_for_engine_cell_and_operator(rig):
    async def scenario(scene: Scene):
        started = await scene.start("a", "idle", timeframes=["60m", "1h", "5m"])
        assert started.deployment.timeframes == ["1h", "5m"]
        assert scene.daemon.actors["a"].instance.attach.timeframes == ["1h", "5m"]

    rig.run(scenario)


def test_other_settings_need_a_stop_and_then_hold(rig):
    async def scenario(scene: Scene):
        await scene.start("a", "idle", memory="64M")
        with pytest.raises(Failed, match="stop it before"):
            await scene.start("a", "idle", memory="128M")
        await scene.verb("stop", "a")
        assert (await scene.start("a", "idle", memory="128M")).deployment.quota.memory_mb == 128

    rig.run(scenario)


def test_everything_is_back_as_it_was_wanted_after_a_restart(rig):
    async def before(scene: Scene):
        for name in ("runs", "pauses", "stops"):
            await scene.start(name, "idle")
        await scene.verb("pause", "pauses")
        await scene.verb("stop", "stops")

    async def after(scene: Scene):
        await scene.state("runs", "running")
        await scene.state("pauses", "paused")
        rows = {row.id: row for row in await scene.port.deployments()}
        assert {name: row.state for name, row in rows.items()} == {
            "runs": "running", "pauses": "paused", "stops": "stopped",
        }  # fmt: skip
        assert {name: row.generation for name, row in rows.items()} == {"runs": 2, "pauses": 2, "stops": 1}
        assert rows["runs"].last_death.cause == "shutdown"

    rig.run(before)
    rig.run(after)


def test_a_quarantined_one_is_not_tried_again_by_the_next_daemon(rig):
    rig.strategy("bad", initialize="raise SystemExit(3)")

    async def before(scene: Scene):
        with pytest.raises(Failed):
            await scene.start("bad")
        await scene.state("bad", "quarantined")

    async def after(scene: Scene):
        row = await scene.row("bad")
        assert (row.state, row.desired, row.generation) == ("quarantined", "running", 4)

    rig.run(before)
    rig.run(after)


def test_the_engine_dies_and_the_cells_live_on(rig):
    async def scenario(scene: Scene):
        pid = (await scene.start("a", "idle")).deployment.pid
        await scene.verb("pause", "a")
        old = scene.daemon.engine.pid
        os.kill(old, signal.SIGKILL)
        await scene.event("engine_died")

        async def back():
            return scene.daemon.engine.ready

        await scene.until(back, "a second engine")
        assert scene.daemon.engine.pid != old
        assert ((await scene.row("a")).state, (await scene.row("a")).pid) == ("paused", pid)
        assert (await scene.verb("resume", "a")).state == "running"
        assert (await scene.start("b", "idle")).deployment.state == "running"
        assert (await scene.verb("stop", "a")).state == "stopped"

    rig.run(scenario)


def test_the_zygote_dies_and_the_next_cell_comes_from_another(rig):
    async def scenario(scene: Scene):
        pid = (await scene.start("a", "idle")).deployment.pid
        os.kill(scene.daemon.cells.zygote_pid, signal.SIGKILL)
        await scene.event("zygote_died")
        assert alive(pid)
        row = (await scene.start("b", "idle")).deployment
        assert (row.state, row.generation, row.last_death) == ("running", 1, None), (
            "it waited for the next one"
        )
        assert (await scene.row("a")).pid == pid
        os.kill(pid, signal.SIGKILL)

        async def reborn():
            return (await scene.row("a")).generation == 2

        await scene.until(reborn, "a cell of the first zygote noticed dead")

    rig.run(scenario)


def test_what_was_asked_of_a_zygote_that_dies_is_asked_of_the_next_and_can_be_given_up(rig):
    async def scenario(scene: Scene):
        await scene.start("warm", "idle")
        os.kill(scene.daemon.cells.zygote_pid, signal.SIGSTOP)
        starts = [asyncio.create_task(scene.start(name, "idle")) for name in "ab"]
        for name in "ab":
            await scene.state(name, "starting")
        os.kill(scene.daemon.cells.zygote_pid, signal.SIGKILL)
        for started in await asyncio.gather(*starts):
            assert (started.deployment.state, started.deployment.generation) == ("running", 1)
        assert scene.daemon.cells.zygote_starts == 2
        cells = scene.daemon.cells
        cells._delay = 3600
        os.kill(cells.zygote_pid, signal.SIGKILL)

        async def no_zygote():
            return cells.zygote_pid is None

        await scene.until(no_zygote, "no zygote")
        await scene.start("late", "idle", wait=False)
        await scene.state("late", "starting")
        assert (await scene.verb("stop", "late")).state == "stopped"

    rig.run(scenario)


def test_a_warden_that_is_killed_takes_its_strategy_along_and_is_accounted_for(rig):
    async def scenario(scene: Scene):
        pid = (await scene.start("a", "idle")).deployment.pid
        os.kill(scene.daemon.cells.warden_pid("a", 1), signal.SIGKILL)

        async def reborn():
            return (await scene.row("a")).generation == 2

        await scene.until(reborn, "a second generation")
        assert not alive(pid)
        death = (await scene.port.describe("a")).deaths[0]
        assert (death.cause, death.detail) == ("signal", "its warden was ended by SIGKILL")

    rig.run(scenario)


def test_what_a_strategy_left_behind_in_a_session_of_its_own_is_killed_with_it(rig):
    # No layer at all, as no stranger would be run: with seccomp it forks nothing, with a PID namespace the
    # kernel does what is tested here.
    rig.survey = lambda _: Survey("bare", [], "")
    rig.strategy(
        "forker",
        head="import os, signal",
        initialize="""
            if os.fork() == 0:
                os.setsid()
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                if os.fork() == 0:
                    print("left behind", os.getpid(), flush=True)
                    while True:
                        signal.pause()
                os._exit(0)
            os.wait()
        """,
    )

    async def scenario(scene: Scene):
        await scene.start("forker")

        async def told():
            lines = [line.text async for line in await scene.port.logs("forker", n=9, follow=False)]
            return next((int(text.split()[-1]) for text in lines if text.startswith("left behind")), None)

        outsider = await scene.until(told, "the pid of the grandchild")
        assert alive(outsider)
        await scene.verb("stop", "forker")
        await scene.event("orphan_killed")

        async def gone():
            return not alive(outsider)

        await scene.until(gone, "the grandchild gone")

    rig.run(scenario)


def test_memory_over_the_quota_is_ended_with_its_cause(rig):
    rig.settings += '\n[quota]\ncgroup = "off"\n'  # test_enforcers.py has what the kernel does
    rig.strategy(
        "eater",
        head="import threading, mmap",
        # Mapped files of its scratch folder: no data of the process, so RLIMIT_DATA sees none of it.
        initialize="""
            def eat():
                self.held = []
                for number in range(4):
                    with open(f"/tmp/{number}", "w+b") as file:
                        file.truncate(14 * 2**20)
                        self.held.append(mmap.mmap(file.fileno(), 14 * 2**20))
                    for at in range(0, 14 * 2**20, 4096):
                        self.held[-1][at] = 1
            threading.Timer(0.5, eat).start()
        """,
    )

    async def scenario(scene: Scene):
        await scene.start("eater", memory="24M", wait=False)  # ready before its end or not
        await scene.event("died", "eater")
        death = (await scene.port.describe("eater")).deaths[0]
        assert (death.cause, death.signal) == ("memory_quota", "SIGKILL")
        assert "over twice the quota of 24.0 MiB" in death.detail

    rig.run(scenario)


def test_cpu_over_the_quota_is_ended_with_its_cause(rig):
    rig.settings += '\n[quota]\ncpu_policy = "kill"\ncpu_window = 1\n'
    spin = """
        def spin():
            while True:
                pass
        threading.Thread(target=spin, daemon=True).start()
    """
    rig.strategy("spinner", head="import threading", initialize=spin)

    async def scenario(scene: Scene):
        # More than that it gets on a busy host, too; ready before its end or not.
        await scene.start("spinner", cpu=0.05, wait=False)
        await scene.event("died", "spinner")
        death = (await scene.port.describe("spinner")).deaths[0]
        assert death.cause == "cpu_quota"
        assert "over the quota of 5%" in death.detail

    rig.run(scenario)


def test_without_a_durable_generation_nothing_is_started_but_what_runs_can_be_stopped(rig, monkeypatch):
    monkeypatch.setattr(actor, "SAVE_AGAIN", 0.05)

    async def scenario(scene: Scene):
        await scene.start("a", "idle")
        await scene.start("b", "idle")
        await scene.verb("stop", "b")

        def full(*_args):
            raise StoreError("the disk is full")

        with monkeypatch.context() as broken:
            broken.setattr(scene.daemon.store, "stand", full)
            broken.setattr(scene.daemon.store, "add_death", full)
            with pytest.raises(Failed, match="the database takes no new generation"):
                await scene.start("b", "idle")
            assert scene.daemon.cells.pid("b", 2) is None
            assert (await scene.verb("stop", "a")).state == "stopped"
        assert (await scene.state("b", "running")).generation > 2, "tried again, and the disk has room"
        assert (await scene.port.describe("a")).deaths[0].cause == "operator"

        async def saved():
            known = {found.id: standing for found, standing in await in_database(scene.daemon.store.load)}
            return known["a"].wanted == "stopped"

        in_database = scene.daemon.in_database
        await scene.until(saved, "what was wanted of a while the disk was full")

    rig.run(scenario)


def test_a_feed_whose_calendar_cannot_be_had_is_off_and_the_others_are_not(rig):
    for name, calendar in (("good", ""), ("odd", "XNOPE")):
        rig.settings += f'\n[feeds.{name}]\nendpoint = "ipc://{{base}}/{name}"\ncalendar = "{calendar}"\n'

    def calendars(names):
        raise ValueError(f"no calendar {names[0]}")

    async def scenario(scene: Scene):
        async def told():
            return {feed.name: feed.state for feed in await scene.port.feeds() if feed.state != "unknown"}

        assert "good" in await scene.until(told, "the engine's word on its feeds")
        states = {feed.name: feed.state for feed in await scene.port.feeds()}
        assert states["odd"] == "unknown"
        status = await scene.port.status()
        assert status.state == "degraded"
        assert status.problems == ["feed odd is off: calendar 'XNOPE': no calendar XNOPE"]

    rig.run(scenario, calendars)


def test_a_second_daemon_is_refused_and_the_first_keeps_its_sockets(rig):
    async def scenario(scene: Scene):
        second = Daemon(rig.load(), calendars=lambda names: {})
        with pytest.raises(Failed, match=rf"another stratd daemon \(pid {os.getpid()}\) runs on"):
            second.premises.enter()
        second._database.shutdown()
        assert (await scene.start("a", "idle")).deployment.state == "running"

    rig.run(scenario)


def test_remove_is_for_the_stopped_and_forgets(rig):
    async def scenario(scene: Scene):
        await scene.start("a", "idle")
        selection = Selection(ids=["a", "nobody"])
        refused, unknown = (await scene.port.remove(selection)).outcomes
        assert (refused.problem.rule, unknown.problem.status) == ("not_stopped", 404)
        await scene.verb("stop", "a")
        assert (await scene.port.remove(Selection(ids=["a"]))).outcomes[0].problem is None
        assert await scene.port.deployments() == []
        assert list((rig.base / "state" / "logs").iterdir()) == []

    rig.run(scenario)


def test_a_removal_that_no_engine_heard_of_is_owed_over_a_restart(rig):
    async def removed(scene: Scene):
        await scene.start("a", "idle")
        await scene.verb("stop", "a")
        os.kill(scene.daemon.engine.pid, signal.SIGSTOP)  # and is killed before it goes on
        assert (await scene.port.remove(Selection(ids=["a"]))).outcomes[0].problem is None

    def kept() -> list[str]:
        with JournalReader.open(rig.base / "state" / "journal.db") as journal:
            return sorted(journal.summaries())

    rig.run(removed)
    assert ["a"] == kept()

    async def forgotten(scene: Scene):
        async def struck():
            return json.loads((rig.base / "state" / "removed.json").read_text()) == []

        await scene.until(struck, "an engine that has forgotten it")

    rig.run(forgotten)
    assert [] == kept()


def test_a_name_that_was_removed_is_free_at_once(rig):
    async def scenario(scene: Scene):
        for _ in range(8):
            pid = (await scene.start("a", "idle")).deployment.pid
            os.kill(pid, signal.SIGKILL)

            async def reborn():
                row = await scene.row("a")
                return row if (row.generation, row.state) == (2, "running") else None

            await scene.until(reborn, "a second instance")
            await scene.verb("stop", "a", now=True)
            assert (await scene.port.remove(Selection(ids=["a"]))).outcomes[0].problem is None
        await scene.start("a", "idle")

        async def lived():
            return (await scene.row("a")).uptime_s > 2 * parting.GOODBYE

        await scene.until(lived, "it outliving what was still to be said of its namesakes")
        events = [event async for event in await scene.port.events(after=0, n=1000, follow=False)]
        assert "report_fenced" not in {event.kind for event in events}

    rig.run(scenario)


def test_strategies_are_listed_rescanned_and_registered(rig):
    async def scenario(scene: Scene):
        rig.strategy("late")
        (rig.base / "strategies" / "broken").mkdir()
        (rig.base / "strategies" / "broken" / "config.json").write_text("{")
        changes = await scene.port.rescan()
        assert changes.added == ["late@1.0.0"]
        assert list(changes.broken) == [str(rig.base / "strategies" / "broken")]
        by_name = {view.name: view for view in await scene.port.catalogue()}
        assert (by_name["broken"].state, by_name["moving_average_crossover"].builtin) == ("broken", True)
        elsewhere = rig.base / "elsewhere"
        (rig.base / "strategies" / "late").rename(elsewhere)
        assert (await scene.port.rescan()).removed == ["late@1.0.0"]
        assert (await scene.port.register(str(elsewhere))).name == "late"
        with pytest.raises(Invalid, match="no such folder or file"):
            await scene.port.register("/nowhere/at/all")
        inside = rig.base / "state" / "mine"
        shutil.copytree(elsewhere, inside)
        with pytest.raises(Invalid, match=f"^{inside}: lies in or around a folder of the daemon's own"):
            await scene.port.register(str(inside))

    async def after(scene: Scene):
        assert "late" in {view.name for view in await scene.port.catalogue()}

    rig.run(scenario)
    rig.run(after)


def test_a_new_state_directory_is_filled_from_redis(rig, tmp_path):
    server = RedisServer(tmp_path)
    server.start()
    rig.environ = {"REDIS_URL": server.url}

    async def before(scene: Scene):
        await scene.start("runs", "idle", memory="64M")
        await scene.start("stops", "idle")
        await scene.verb("stop", "stops")

    async def after(scene: Scene):
        await scene.state("runs", "running")
        rows = {
            row.id: (row.state, row.generation, row.quota.memory_mb) for row in await scene.port.deployments()
        }
        assert rows == {"runs": ("running", 2, 64), "stops": ("stopped", 1, 256)}

        async def mirrored():
            return (await scene.port.status()).mirror.state == "ok"

        await scene.until(mirrored, "the mirror going on")

    try:
        rig.run(before)
        for path in sorted((rig.base / "state").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        rig.run(after)
    finally:
        server.stop()


def test_nothing_is_left_behind_when_the_daemon_stopped(rig):
    pids = []

    async def scenario(scene: Scene):
        pids.append((await scene.start("a", "idle")).deployment.pid)
        pids.extend((scene.daemon.engine.pid, scene.daemon.cells.zygote_pid))
        pids.append(scene.daemon.cells.warden_pid("a", 1))

    rig.run(scenario)
    wait_until(lambda: not any(map(alive, pids)), what="every process gone")


BUYER = """
    def on_tick(self, data):
        return Signal(symbol=data.symbol, intent="enter_long", quantity=1, reason="tick")
"""


def test_signals_are_listed_followed_and_copied_to_redis(rig, tmp_path):
    server = RedisServer(tmp_path)
    server.start()
    rig.environ = {"REDIS_URL": server.url}
    rig.settings += '\n[feeds.main]\nendpoint = "ipc://{base}/feed"\n'
    folder = rig.strategy("buyer")
    code = (folder / "strategy.py").read_text()
    (folder / "strategy.py").write_text(code.replace("import IStrategy", "import IStrategy, Signal") + BUYER)

    async def scenario(scene: Scene):
        with Publisher(f"ipc://{rig.base}/feed") as publisher:
            await asyncio.to_thread(publisher.wait_for_subscriber, 60)
            await scene.start("buyer")
            following = await scene.port.signals("buyer", after=0, n=0, follow=True)
            ticks = 0

            async def publish():
                nonlocal ticks
                while True:
                    ticks += 1
                    tick = ["EURUSD", time.time_ns(), 1.1, 1.0]
                    publisher.send(b"tick.EURUSD", msgspec.msgpack.encode(tick))
                    await pause_between(0.02)

            publishing = asyncio.create_task(publish())
            try:
                seen = [await anext(following) for _ in range(5)]
            finally:
                publishing.cancel()
            assert [one.seq for one in seen] == sorted({one.seq for one in seen})
            assert {(one.deployment_id, one.intent) for one in seen} == {("buyer", "enter_long")}
            assert "accepted" in {one.verdict for one in seen}

            async def counted():
                row = await scene.row("buyer")
                return row if row.signals.accepted and row.ticks else None

            assert (await scene.until(counted, "counters of the engine")).ticks <= ticks

            async def level():
                mirror = (await scene.port.status()).mirror
                return mirror.state == "ok" and mirror.lag == 0

            await scene.until(level, "the mirror level")
            await scene.verb("stop", "buyer")  # what it was still asked is answered
            await scene.until(level, "the mirror level at the end")
            last = [one async for one in await scene.port.signals(None, after=None, n=10_000, follow=False)]
            accepted = [one.signal_id for one in last if one.verdict in ("accepted", "modified")]

            async def copied():
                async with redis.Redis.from_url(server.url) as client:
                    stream = await client.xrange("stratd:signals")
                return len(stream) >= len(accepted) and stream

            stream = await scene.until(copied, "every signal copied")
            assert [msgspec.msgpack.decode(row[b"signal"])["signal_id"] for _, row in stream] == accepted
            assert (await scene.port.describe("buyer")).positions[0].symbol == "EURUSD"

    try:
        rig.run(scenario)
    finally:
        server.stop()
