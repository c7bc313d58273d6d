"""Parameters of what runs: judged, saved, told to the strategy in its stream, refused by it."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from bus.messages import Parameters, Ticks
from supervisor import life as lf
from supervisor.control import GiveParameters
from supervisor.errors import Failed, Invalid
from supervisor.live_parameters import judge_living, told_of
from supervisor.schema import SettingsPatch
from supervisor.store.tables import Deployment
from tests.supervisor.engine_harness import EngineProcess, send_tick
from tests.supervisor.rig import Rig, Scene
from tests.waiting import wait_until

S = 1_000_000_000
KNOWN = Deployment(
    id="a", strategy="s", version="1.0.0", account="default", mode="paper", symbols=["X"], timeframes=["1m"],
    parameters={"size": 1, "fast": 5}, risk={}, memory=2**26, cpu=0.5, trusted_path="", created_at=1,
    updated_at=1,
)  # fmt: skip
UP = [lf.State.RUNNING, lf.State.PAUSED]


# ---- what may change ------------------------------------------------------------------------------
@pytest.mark.parametrize("state", UP)
def test_what_is_updatable_may_change_while_it_is_up(state):
    judge_living(replace(KNOWN, parameters={"size": 2, "fast": 5}, updated_at=2), KNOWN, state, {"size"})


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"fast": 6}, "fast cannot change while it runs, those that can: size; stop it before"),
        ({"size": 2, "fast": 6, "slow": 1}, "fast, slow cannot change while it runs"),
    ],
)
def test_what_is_not_updatable_is_named_and_nothing_changes(changes, why):
    wanted = replace(KNOWN, parameters={**KNOWN.parameters, **changes})
    with pytest.raises(Failed, match=f"^a is running: {why}"):
        judge_living(wanted, KNOWN, lf.State.RUNNING, {"size"})


def test_of_a_strategy_with_nothing_updatable_that_is_said():
    wanted = replace(KNOWN, parameters={"size": 2, "fast": 5})
    with pytest.raises(Failed, match="size cannot change while it runs, none of its parameters can;"):
        judge_living(wanted, KNOWN, lf.State.RUNNING, ())


@pytest.mark.parametrize("state", sorted(lf.LIVING - set(UP)))
def test_on_its_way_up_or_down_nothing_changes(state):
    wanted = replace(KNOWN, parameters={"size": 2, "fast": 5})
    with pytest.raises(Failed, match=f"^a is {state}: stop it before giving it other settings$"):
        judge_living(wanted, KNOWN, state, {"size"})


def test_other_settings_need_a_stop_whatever_else_changes():
    wanted = replace(KNOWN, parameters={"size": 2, "fast": 5}, memory=2**27)
    with pytest.raises(Failed, match=r"^a is running: stop it before"):
        judge_living(wanted, KNOWN, lf.State.RUNNING, {"size"})


def test_an_event_says_what_changed():
    assert "size: 1 -> 2" == told_of(KNOWN, replace(KNOWN, parameters={"size": 2, "fast": 5}))


# ---- in the stream --------------------------------------------------------------------------------
@pytest.mark.system
def test_parameters_have_their_place_in_the_stream_of_their_own_instance(engine: EngineProcess):
    publisher = engine.feed()
    cell = engine.attach(generation=2)
    try:
        cell.run()
        send_tick(publisher, "X", 1_700_000_000 * S, 100.0, 1)
        wait_until(lambda: len(cell.ticks()) == 1, what="the first tick")
        engine.tell(GiveParameters("one", 1, {"size": 8}))  # of the instance before
        engine.tell(GiveParameters("one", 2, {"size": 2}))
        assert {"size": 2} == cell.wait_heard(Parameters).parameters
        send_tick(publisher, "X", 1_700_000_001 * S, 101.0, 2)
        wait_until(lambda: len(cell.ticks()) == 2, what="the second tick")
        kinds = (Ticks, Parameters)
        live = [type(one) for one in cell.heard if isinstance(one, kinds)]
        found, _ = cell.missed()
        bodies = [getattr(message, "body", message) for _, message in found]
        assert [Ticks, Parameters, Ticks] == live
        assert live == [type(one) for one in bodies if isinstance(one, kinds)]
    finally:
        cell.close()
        publisher.close()


# ---- in a daemon ----------------------------------------------------------------------------------
CODE = """
from strategies import IStrategy


class Strategy(IStrategy):
    def initialize(self, config):
        self.ctx.log.info("begins with %s", config.parameters["size"])

    def on_candle_complete(self, timeframe, candle, data):
        return None

    def on_parameters_updated(self, old, new):
        if new["size"] == 13:
            raise ValueError("not thirteen")
        self.ctx.log.info("goes on with %s", self.ctx.params["size"])
"""
PARAMETERS = [
    {"name": "size", "type": "integer", "default": 1, "updatable": True, "max": 20},
    {"name": "fast", "type": "integer", "default": 5},
]


def sized(rig: Rig) -> None:
    folder = rig.strategy("sized")
    facts = {"name": "sized", "version": "1.0.0", "timeframes": ["1m"], "symbols": ["EURUSD"]}
    (folder / "config.json").write_text(json.dumps({**facts, "parameters": PARAMETERS}))
    (folder / "strategy.py").write_text(CODE)


async def logged(scene: Scene, name: str, text: str) -> None:
    async def there() -> bool:
        lines = [line.text async for line in await scene.port.logs(name, n=100, follow=False)]
        return any(text in line for line in lines)

    await scene.until(there, f"the log line {text!r}")


@pytest.mark.system
def test_a_running_strategy_takes_new_parameters_or_refuses_them(rig):
    sized(rig)

    async def scenario(scene: Scene):
        await scene.start("a", "sized")

        async def change(**values):
            return await scene.port.change("a", SettingsPatch(parameters=values))

        assert (await change(size=2)).changed
        await logged(scene, "a", "goes on with 2")
        assert "size: 1 -> 2" == (await scene.event("parameters_updated", "a")).detail
        assert not (await change(size=2)).changed
        with pytest.raises(Failed, match="fast cannot change while it runs, those that can: size"):
            await change(size=3, fast=4)
        with pytest.raises(Invalid, match=r"parameters\.size: 21"):
            await change(size=21)
        assert {"size": 2, "fast": 5} == (await scene.port.describe("a")).parameters
        await change(size=13)
        assert "ValueError: not thirteen" in (await scene.event("parameters_refused", "a")).detail
        await scene.start("a", "sized", parameter_text={"size": "7"})  # as `stratd start a --param size=7`
        await logged(scene, "a", "goes on with 7")
        assert "running" == (await scene.row("a")).state
        await scene.verb("restart", "a")
        await logged(scene, "a", "begins with 7")

    rig.run(scenario)
