"""A real daemon on a host that could not hold a stranger's code: what starts, what does not, what is said."""

from __future__ import annotations

import pytest

from sandbox.confine import survey as verdicts
from sandbox.confine.survey import Layer, Survey
from supervisor.errors import Failed, Refused
from supervisor.survey import take
from tests.supervisor.rig import Scene

pytestmark = pytest.mark.system


def without(*off: str):
    """What the daemon is told of a host like this one, but without the layers ``off``, and no others."""

    def survey(wanted: str) -> Survey:
        real = take(wanted)
        layers = [
            Layer(layer.name, False, f"no {layer.name} here", f"get {layer.name}")
            if layer.name in off
            else Layer(layer.name, True, layer.detail)
            for layer in real.layers
        ]
        return Survey(real.setting, layers, verdicts.refusal(real.setting, layers))

    return survey


def test_a_strangers_code_is_refused_by_name_with_every_cure_and_nothing_is_made(rig):
    rig.survey = without("seccomp")

    async def scenario(scene: Scene):
        with pytest.raises(Refused) as caught:
            await scene.start("a", "idle")
        assert caught.value.rule == "sandbox"
        for told in ("seccomp (no seccomp here)", "seccomp: get seccomp", "stratd start a --trust"):
            assert told in str(caught.value)
        assert await scene.port.deployments() == []

    rig.run(scenario)


def test_the_operators_own_code_runs_and_is_told_to(rig):
    rig.survey = without("seccomp")

    async def scenario(scene: Scene):
        row = (await scene.start("a", "idle", trust=True, owner=True)).deployment
        assert (row.state, row.trusted, row.builtin) == ("running", True, False)
        detail = await scene.port.describe("a")
        assert (detail.trusted, "seccomp" in detail.without) == (True, True)
        again = await scene.verb("restart", "a")
        assert (again.state, again.problem) == ("running", None)
        (outcome,) = [await scene.verb("stop", "a")]
        assert outcome.state == "stopped"
        with pytest.raises(Refused, match="refused by sandbox"):
            await scene.start("a", "idle", trust=False)
        assert (await scene.row("a")).trusted, "what was refused changed nothing"

    rig.run(scenario)


def test_only_the_owner_can_answer_for_code(rig):
    async def scenario(scene: Scene):
        with pytest.raises(Refused) as caught:
            await scene.start("a", "idle", trust=True, owner=False)
        assert caught.value.rule == "trust"
        assert await scene.port.deployments() == []

    rig.run(scenario)


def test_trust_does_not_pass_to_other_code(rig):
    rig.survey = without("seccomp")
    rig.strategy("other")

    async def scenario(scene: Scene):
        await scene.start("a", "idle", trust=True, owner=True)
        await scene.verb("stop", "a")
        with pytest.raises(Refused, match="refused by sandbox"):
            await scene.start("a", "other")
        assert (await scene.row("a")).strategy == "idle"
        row = (await scene.start("a", "other", trust=True, owner=True)).deployment
        assert (row.strategy, row.trusted) == ("other", True)

    rig.run(scenario)


def test_what_is_shipped_runs_everywhere(rig):
    rig.survey = without("seccomp")
    shipped = {"symbols": ["EURUSD"], "timeframes": ["1m", "5m"]}

    async def scenario(scene: Scene):
        row = (await scene.start("a", "moving_average_crossover", **shipped)).deployment
        assert (row.state, row.trusted, row.builtin) == ("running", False, True)

    rig.run(scenario)


def test_after_a_move_to_a_weaker_host_a_stranger_fails_by_name_and_the_others_run(rig):
    rig.survey = without()

    async def on_the_good_host(scene: Scene):
        for name, trust in (("stranger", None), ("mine", True), ("idle", None)):
            await scene.start(name, "idle", trust=trust, owner=True)
        await scene.verb("stop", "idle")
        assert (await scene.row("stranger")).trusted is False

    async def on_the_weak_host(scene: Scene):
        row = await scene.state("stranger", "failed")
        assert row.reason.startswith("refused by sandbox: untrusted code cannot be held here")
        assert (row.generation, row.desired, row.pid) == (1, "running", None)
        assert (await scene.state("mine", "running")).generation == 2
        assert (await scene.row("idle")).state == "stopped", "what was not wanted is not judged"
        outcome = await scene.verb("restart", "stranger")
        assert outcome.problem.rule == "sandbox"
        answered = await scene.start("stranger", "idle", trust=True, owner=True)
        assert answered.deployment.state == "running"
        told = await scene.event("failed", "stranger")
        assert "stratd start stranger --trust" in told.detail

    async def on_the_good_host_again(scene: Scene):
        assert (await scene.state("stranger", "running")).trusted is True

    rig.run(on_the_good_host)
    rig.survey = without("seccomp")
    rig.run(on_the_weak_host)
    rig.survey = without()
    rig.run(on_the_good_host_again)


def test_no_way_leads_past_the_last_look_before_a_birth(rig):
    async def scenario(scene: Scene):
        scene.daemon.host.survey = without()("auto")
        await scene.start("a", "idle")
        scene.daemon.host.survey = without("seccomp")("auto")
        scene.daemon.cells.kill("a", 1, whole=False)
        row = await scene.state("a", "failed")
        assert "untrusted code cannot be held here: missing: seccomp" in row.reason

    rig.run(scenario)


def test_a_layer_that_the_configuration_demands_is_as_good_as_needed(rig):
    rig.survey = without("landlock")
    rig.settings += '\n[sandbox]\nsetting = "auto"\nrequire = ["landlock"]\n'

    async def scenario(scene: Scene):
        with pytest.raises(Refused, match="the configuration demands what is missing: landlock"):
            await scene.start("a", "idle")
        status = await scene.port.status()
        assert "landlock" in status.verdict.without
        assert "landlock: get landlock" in status.verdict.refusal
        views = {view.name: view for view in status.layers}
        assert (views["landlock"].state, views["seccomp"].state) == ("missing", "active")

    rig.run(scenario)


def test_a_running_one_is_not_given_trust(rig):
    async def scenario(scene: Scene):
        await scene.start("a", "idle")
        with pytest.raises(Failed, match="stop it before giving it other settings"):
            await scene.start("a", "idle", trust=True, owner=True)

    rig.run(scenario)
