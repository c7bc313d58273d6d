"""Running by name, readiness, settings, draining and unregistering, on a whole daemon without a market."""

from __future__ import annotations

import asyncio
import json
import shutil

import pytest

from supervisor.errors import Failed, Invalid, NotFound, Refused, Unsupported
from supervisor.schema import Selection
from supervisor.schema.running import BacktestRequest, ExecuteRequest
from tests.supervisor.rig import Scene

pytestmark = pytest.mark.system


def ask(strategy: str = "idle", **given: object) -> ExecuteRequest:
    return ExecuteRequest(strategy_id=strategy, capital_allocation=10_000.0, **given)


def test_a_strategy_runs_by_its_name_alone_each_time_anew(rig):
    async def scenario(scene: Scene):
        assert [row.status for row in await scene.port.strategies() if row.id == "idle"] == ["registered"]
        results = await asyncio.gather(*(scene.port.execute(ask()) for _ in range(3)))
        assert sorted(one.deployment_id for one in results) == ["idle", "idle-2", "idle-3"]
        assert {(one.status, one.mode, *one.instruments, *one.timeframes) for one in results} == {
            ("active", "paper", "EURUSD", "1m")
        }
        detail = await scene.port.describe("idle-3")
        assert detail.risk == {"max_exposure": 10_000.0}
        (row,) = [row for row in await scene.port.strategies() if row.id == "idle"]
        assert (row.status, row.instruments, row.timeframe) == ("active", ["EURUSD"], "1m")

    rig.run(scenario)


def test_what_cannot_be_executed_leaves_nothing_behind(rig):
    async def scenario(scene: Scene):
        with pytest.raises(NotFound, match=r"no strategy 'idel'; did you mean 'idle'\?"):
            await scene.port.execute(ask("idel"))
        with pytest.raises(Invalid, match="was registered without any; name those that it is to trade"):
            await scene.port.execute(ask("moving_average_crossover"))
        wrong = ask(
            "moving_average_crossover", instruments=["EURUSD"], parameters={"fast_period": 1, "slow": 5}
        )
        with pytest.raises(Invalid, match=r"parameters\.slow: .*; parameters\.fast_period: "):
            await scene.port.execute(wrong)
        with pytest.raises(Refused, match="live_disabled"):
            await scene.port.execute(ask(mode="live", confirm_live=True))
        assert await scene.port.deployments() == []

    rig.run(scenario)


def test_a_backtest_is_judged_before_it_is_said_that_there_is_none(rig):
    dates = {"start_date": "2024-01-01", "end_date": "2024-06-30", "initial_capital": 1000}

    async def scenario(scene: Scene):
        with pytest.raises(Unsupported, match="runs no backtests"):
            await scene.port.backtest(BacktestRequest(strategy_id="idle", **dates))
        with pytest.raises(NotFound):
            await scene.port.backtest(BacktestRequest(strategy_id="nobody", **dates))
        wrong = BacktestRequest(
            strategy_id="moving_average_crossover", parameters={"fast_period": 1}, **dates
        )
        with pytest.raises(Invalid, match="fast_period"):
            await scene.port.backtest(wrong)

    rig.run(scenario)


def test_a_drained_daemon_starts_nothing_and_brings_all_back(rig):
    async def scenario(scene: Scene):
        for name in ("runs", "pauses", "stops"):
            await scene.start(name, "idle")
        await scene.verb("pause", "pauses")
        await scene.verb("stop", "stops", now=True)
        assert (await scene.port.readiness()).ready
        drained = await scene.port.drain(reason="upgrade", by="root")
        assert {one.id: (one.state, one.changed) for one in drained.outcomes} == {
            "runs": ("stopped", True),
            "pauses": ("stopped", True),
        }
        assert [row.desired for row in await scene.port.deployments()] == ["paused", "running", "stopped"]
        for name in ("runs", "new"):
            with pytest.raises(Refused, match="refused by drained: the daemon is drained: nothing"):
                await scene.start(name, "idle")
        assert (await scene.verb("restart", "stops")).problem.rule == "drained"
        found = await scene.port.readiness()
        assert (found.ready, [one.name for one in found.checks if not one.ok]) == (False, ["starts"])
        assert (await scene.port.status()).problems
        again = await scene.port.resume_all(reason="", by="root")
        assert {one.id: (one.state, one.changed) for one in again.outcomes} == {
            "runs": ("running", True),
            "pauses": ("paused", True),
        }
        assert (again.drained, (await scene.port.readiness()).ready) == (False, True)
        assert (await scene.row("stops")).state == "stopped"
        assert (await scene.event("drained")).detail == "by root: upgrade"
        assert (await scene.row("runs")).restarts == 0  # what an operator ended counts as no failure

    rig.run(scenario)


def test_all_are_paused_and_resumed_but_those_that_are_stopped(rig):
    async def scenario(scene: Scene):
        for name in ("a", "b", "c"):
            await scene.start(name, "idle")
        await scene.verb("stop", "c", now=True)
        paused = await scene.port.pause_all(reason="news")
        assert [(one.id, one.state) for one in paused.outcomes] == [("a", "paused"), ("b", "paused")]
        assert (await scene.port.pause_all(reason="news")).outcomes == []
        resumed = await scene.port.resume_all(reason="", by="root")
        assert [(one.id, one.state) for one in resumed.outcomes] == [("a", "running"), ("b", "running")]
        assert (await scene.row("c")).state == "stopped"

    rig.run(scenario)


def test_the_settings_are_shown_without_secrets_and_with_where_they_were_said(rig):
    rig.environ["API_KEY"] = "sesame-open-0123456789"
    rig.environ["STRATD_LIMITS__MAX_CONCURRENT"] = "7"

    async def scenario(scene: Scene):
        view = await scene.port.config()
        assert "sesame" not in view.model_dump_json()
        assert (view.settings["api"]["key"], view.settings["limits"]["max_concurrent"]) == ("**********", 7)
        assert view.origins["api.key"] == "variable API_KEY"
        assert view.origins["limits.max_concurrent"] == "variable STRATD_LIMITS__MAX_CONCURRENT"
        lines = (rig.base / "stratd.toml").read_text().splitlines()
        where, _, line = view.origins["restart.ready_timeout"].rpartition(":")
        assert (where, lines[int(line) - 1]) == (str(rig.base / "stratd.toml"), "ready_timeout = 20")
        assert "quota.memory" not in view.origins  # a default

    rig.run(scenario)


def test_the_host_and_every_instance_are_measured(rig):
    async def scenario(scene: Scene):
        await scene.start("a", "idle")

        async def sampled():
            view = await scene.port.system()
            return view if view.cells and view.cells[0].memory_mb else None

        view = await scene.until(sampled, "a sample of the instance")
        (cell,) = view.cells
        assert (cell.deployment_id, cell.state, cell.quota.memory_mb) == ("a", "running", 256.0)
        assert 0 < view.host.memory_available_mb < view.host.memory_mb
        assert view.host.cpu_percent is None or 0 <= view.host.cpu_percent <= 100
        assert {one.name for one in view.processes} == {"supervisor", "engine", "zygote"}
        assert json.loads(view.model_dump_json())["limits"]["running"] == 1

    rig.run(scenario)


def test_a_registered_path_is_taken_out_once_nobody_has_it(rig):
    async def scenario(scene: Scene):
        elsewhere = rig.base / "elsewhere"
        shutil.move(rig.strategy("mine"), elsewhere)
        await scene.port.register(str(elsewhere))
        assert (await scene.port.strategy("mine")).registered
        await scene.port.execute(ask("mine"))
        with pytest.raises(Refused, match="in_use: mine is the strategy of mine; remove those first"):
            await scene.port.unregister("mine", by="root")
        await scene.verb("stop", "mine", now=True)
        with pytest.raises(Refused, match=r"not_registered: idle was not registered: it lies in a folder"):
            await scene.port.unregister("idle", by="root")

    async def gone(scene: Scene):
        await scene.port.remove(Selection(ids=["mine"]))
        assert (await scene.port.unregister("mine", by="root")).removed == ["mine@1.0.0"]
        with pytest.raises(NotFound):
            await scene.port.strategy("mine")
        assert (rig.base / "elsewhere" / "strategy.py").exists()

    rig.run(scenario)
    rig.run(gone)


def test_the_source_of_a_strategy_is_the_copy_that_cells_run(rig):
    folder = rig.strategy("edited")
    (folder / "model.bin").write_bytes(b"\xff\x00\xfe")

    async def scenario(scene: Scene):
        before = (folder / "strategy.py").read_text()
        (folder / "strategy.py").write_text("# changed since\n")
        view = await scene.port.strategy_source("edited")
        assert {one.name: one.text for one in view.files} == {
            "config.json": (folder / "config.json").read_text(),
            "model.bin": None,
            "strategy.py": before,
        }
        shutil.rmtree(rig.base / "state" / "code" / view.code_hash)
        with pytest.raises(Failed, match="cannot be read: No such file or directory"):
            await scene.port.strategy_source("edited")

    rig.run(scenario)
