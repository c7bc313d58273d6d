"""Extra time for training belongs to the deployment: a restart goes on with what is left of it."""

from __future__ import annotations

import pytest

from tests.supervisor.rig import Rig, Scene


@pytest.mark.system
def test_a_strategy_that_crashes_does_not_get_its_extra_time_back(rig: Rig):
    """It takes 60 of 100 seconds and crashes; its next instance is refused what its first one was granted."""
    rig.settings = rig.settings.replace(
        "[budgets.cleanup]", "[budgets]\nextra = 100\nextra_refill = 0\n\n[budgets.cleanup]"
    )
    rig.strategy(
        "trainer",
        head="import os",
        initialize="""
            if self.ctx.request_time(60):
                os._exit(1)
        """,
    )

    async def scenario(scene: Scene) -> None:
        await scene.start("trainer", wait=False)
        row = await scene.state("trainer", "running")
        assert (row.generation, row.last_death.detail.partition(";")[0]) == (2, "exit code 1")
        granted = await scene.event("time_granted", "trainer")
        assert granted.detail == "initialize asked for 60 s beyond its budget: 40 s are left in its bucket"
        refused = await scene.event("time_refused", "trainer")
        assert (
            refused.detail == "initialize asked for 60 s beyond its budget: only 40 s are left in its bucket"
        )
        assert (await scene.port.describe("trainer")).extra_time_s == 40.0
        await scene.start("idle")
        assert (await scene.port.describe("idle")).extra_time_s == 100.0

    rig.run(scenario)
