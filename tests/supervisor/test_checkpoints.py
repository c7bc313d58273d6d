"""Saved states through a real daemon: shown, put back, forgotten, and set aside when they do not load."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3

import pytest

from strategies import state
from supervisor.checkpoints import Checkpoints
from supervisor.control import StateAnswer
from supervisor.errors import Failed, NotFound, Refused
from supervisor.schema import StartRequest
from tests.supervisor.rig import Rig, Scene
from tests.waiting import turn

pytestmark = pytest.mark.system

COUNTING = """
    lives = 0

    def load_state(self, state, version):
        print("loaded", state["lives"], flush=True)
        self.lives = state["lives"]

    def on_start(self, ctx, recovered):
        self.lives += 1

    def save_state(self):
        return {"lives": self.lives}
"""


def strategy(rig: Rig, name: str, methods: str) -> None:
    folder = rig.strategy(name)
    code = (folder / "strategy.py").read_text()
    (folder / "strategy.py").write_text(code + methods)


async def kept(scene: Scene, name: str, count: int) -> list:
    """Wait until that many checkpoints are kept."""

    async def there():
        found = await scene.port.checkpoints(name)
        return found if len(found) >= count else None

    return await scene.until(there, f"{count} checkpoints of {name}")


async def told(scene: Scene, kind: str) -> list[str]:
    events = [event async for event in await scene.port.events(after=0, n=10_000, follow=False)]
    return [event.detail for event in events if event.kind == kind]


async def lives(scene: Scene, name: str, seq: int | None = None) -> int:
    """What the strategy counted, out of a saved state."""
    return state.unpack(await scene.port.state(name, seq))["state"]["lives"]


async def live_once(scene: Scene, name: str = "counting") -> None:
    """Start and stop it; what it left at its end can be read."""
    await scene.start(name)
    await scene.verb("stop", name)

    async def heard_out():
        return scene.daemon.actors[name].parting.heard_out

    await scene.until(heard_out, "its last word in the journal")


async def level(scene: Scene, database: sqlite3.Connection) -> None:
    """Wait until the journal's tables hold all that is committed: what is posted later would mend them."""
    behind = "SELECT max(seq) > (SELECT value FROM meta WHERE name = 'posted') FROM log"

    async def there():
        return database.execute(behind).fetchone() == (0,)

    await scene.until(there, "the journal's tables level with its log")


def test_what_is_saved_is_listed_shown_put_back_and_forgotten(rig):
    strategy(rig, "counting", COUNTING)

    async def scenario(scene: Scene):
        await live_once(scene)
        await live_once(scene)
        found = await scene.port.checkpoints("counting")
        assert [one.newest for one in found] == [True, *[False] * (len(found) - 1)]
        assert {one.generation for one in found} == {1, 2}
        assert await lives(scene, "counting") == 2
        first = max(one.seq for one in found if one.generation == 1)
        assert await lives(scene, "counting", first) == 1

        outcome = await scene.port.restore_state("counting", first)
        assert (outcome.state, outcome.changed) == ("stopped", True)
        newest = (await scene.port.checkpoints("counting"))[0]
        assert (newest.newest, newest.generation) == (True, 1)
        assert newest.seq > found[0].seq
        assert not (await scene.port.restore_state("counting", newest.seq)).changed
        await live_once(scene)
        assert await lives(scene, "counting") == 2, "it went on from its first life"

        newest = (await scene.port.checkpoints("counting"))[0]

        async def described():  # what ps and describe say is a second old at most
            known = (await scene.port.describe("counting")).checkpoints
            return known if known.seq == newest.seq else None

        known = await scene.until(described, "the newest in describe")
        assert (known.good, known.quarantined, known.size_bytes) == (5, 0, newest.size_bytes)
        assert 0 <= (await scene.row("counting")).checkpoint_age_s < 90

        assert (await scene.port.clear_state("counting")).changed
        assert await scene.port.checkpoints("counting") == []
        assert (await scene.row("counting")).checkpoint_age_s is None
        assert not (await scene.port.clear_state("counting")).changed
        await live_once(scene)
        assert await lives(scene, "counting") == 1
        assert len(await told(scene, "state_restored")) == len(await told(scene, "state_cleared")) == 1

    rig.run(scenario)


def test_a_running_one_keeps_its_states_and_unknown_ones_are_named(rig):
    strategy(rig, "counting", COUNTING)

    async def scenario(scene: Scene):
        await scene.start("counting")
        (first, *_) = await kept(scene, "counting", 1)  # as soon as it runs
        for attempt in (
            scene.port.restore_state("counting", first.seq),
            scene.port.clear_state("counting"),
        ):
            with pytest.raises(Refused, match="refused by not_stopped: counting is running") as refused:
                await attempt
            assert refused.value.rule == "not_stopped"
        with pytest.raises(NotFound, match="no deployment 'countign'; did you mean 'counting'"):
            await scene.port.checkpoints("countign")
        await scene.verb("stop", "counting")
        with pytest.raises(NotFound, match="no checkpoint '999999'"):
            await scene.port.restore_state("counting", 999_999)
        with pytest.raises(NotFound, match="no checkpoint '999999'"):
            await scene.port.state("counting", 999_999)
        assert (await kept(scene, "counting", 1))[-1].seq == first.seq

    rig.run(scenario)


def test_states_outlive_the_daemon_and_are_known_before_anything_runs(rig):
    strategy(rig, "counting", COUNTING)

    async def before(scene: Scene):
        await live_once(scene)

    async def after(scene: Scene):
        async def known():
            return (await scene.row("counting")).checkpoint_age_s is not None

        await scene.until(known, "the age of what is saved")
        assert await lives(scene, "counting") == 1

    rig.run(before)
    rig.run(after)


BROKEN_LATER = """
    lives = 0

    def load_state(self, state, version):
        if state["lives"] >= 2:
            raise KeyError("seen")
        self.lives = state["lives"]

    def on_start(self, ctx, recovered):
        self.lives += 1

    def save_state(self):
        return {"lives": self.lives}
"""


def test_a_state_that_does_not_load_is_set_aside_and_the_one_before_it_starts(rig):
    strategy(rig, "counting", BROKEN_LATER)

    async def scenario(scene: Scene):
        await live_once(scene)
        await live_once(scene)  # leaves states that do not load
        bad = [one.seq for one in await scene.port.checkpoints("counting") if one.generation == 2]
        await scene.port.start(StartRequest(id="counting", wait=False))

        async def up():
            row = await scene.row("counting")
            return row if row.state == "running" and row.generation == 3 + len(bad) else None

        row = await scene.until(up, "it running from an older state")
        assert row.last_death.cause == "error"
        found = await scene.port.checkpoints("counting")
        assert {one.seq for one in found if one.quarantined} == set(bad)
        assert all("KeyError" in one.why for one in found if one.quarantined)
        details = await told(scene, "state_quarantined")
        expected = [f"checkpoint {seq} is set aside" for seq in bad]
        assert [detail.partition(" (")[0] for detail in details] == expected

        async def described():
            return (await scene.port.describe("counting")).checkpoints.quarantined == len(bad)

        await scene.until(described, "how many were set aside in describe")
        await scene.verb("stop", "counting")
        with pytest.raises(Refused, match="refused by checkpoint_refused: checkpoint"):
            await scene.port.restore_state("counting", bad[0])

    rig.run(scenario)


def test_a_state_with_a_flipped_bit_is_never_shown_to_the_strategy(rig):
    strategy(rig, "counting", COUNTING)

    async def scenario(scene: Scene):
        await live_once(scene)
        with contextlib.closing(sqlite3.connect(rig.base / "state" / "journal.db")) as database:
            await level(scene, database)
            found = await scene.port.checkpoints("counting")
            database.execute("UPDATE checkpoints SET state = CAST('x' || state AS BLOB)")
            database.commit()
        with pytest.raises(Failed, match=rf"checkpoint {found[0].seq} of counting is damaged"):
            await scene.port.state("counting", None)
        await scene.start("counting")
        lost = await scene.event("state_lost", "counting")
        assert lost.detail.startswith("no checkpoint of it is good any more")
        assert (await scene.row("counting")).last_death.cause == "operator", "it never saw them"
        assert len(await told(scene, "state_lost")) == 1
        await scene.verb("stop", "counting")

    rig.run(scenario)


# ---- an engine that does not answer ---------------------------------------------------------------
class Stopped:
    """An actor at rest."""

    id, holds_slot = "d", False

    class life:  # noqa: N801
        generation = 3

    class parting:  # noqa: N801
        @staticmethod
        async def settled() -> None:
            pass


class Deaf:
    def __init__(self) -> None:
        self.told: list[object] = []

    def tell(self, order: object) -> None:
        self.told.append(order)


class Journal:
    async def ask(self, _question: object) -> list:
        return []


def test_an_engine_that_dies_meanwhile_is_told_and_nobody_waits_for_ever():
    async def scenario():
        engine = Deaf()
        checkpoints = Checkpoints(Journal(), engine)
        asked = asyncio.ensure_future(checkpoints.clear(Stopped()))
        while len(engine.told) < 2:
            await turn()
        checkpoints.on_answer(StateAnswer(request=99))  # of another's question
        checkpoints.on_engine_death()
        with pytest.raises(Failed, match="the engine ended meanwhile; ask again"):
            await asked

    asyncio.run(scenario())
