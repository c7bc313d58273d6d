"""Who comes to have a name, and what becomes of two who want the same at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sandbox.confine.survey import Survey
from supervisor.catalogue import Catalogue
from supervisor.errors import NotFound, Refused
from supervisor.registering.checks import Checks, Registrant
from supervisor.registering.registrar import Registrar
from supervisor.registering.submission import Submission, of_request
from supervisor.schema import CheckStep, CodeRequest, Registration
from supervisor.store.deployments import DeploymentStore
from tests.waiting import until

ANNE = Registrant(name="anne", account="a")
BERT = Registrant(name="bert", account="b")
SOUND = Survey("root", [], "")


def code(number: int) -> Submission:
    return of_request(CodeRequest(name="mine", code=f"# {number}\n"), python="3.12.1")


class Scene:
    """A registrar over a real database and real folders; each check ends when ``gate`` is open."""

    def __init__(self, folder: Path) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.trying = 0
        self.notes: list[str] = []
        self.settings = SimpleNamespace(state_dir=folder, strategies=SimpleNamespace(register_code=True))
        self.store = DeploymentStore(f"sqlite:///{folder}/stratd.db")
        self.catalogue = Catalogue([])
        self.actors: dict[str, Any] = {}
        self.host = SimpleNamespace(survey=SOUND, require=())
        self.events = SimpleNamespace(note=lambda kind, detail: self.notes.append(kind))
        self.registrar = Registrar(cast(Any, self))

    async def in_database(self, call: Callable[[], Any]) -> Any:
        return call()

    async def rescan(self) -> Any:
        return self.catalogue.scan(self.registrar.paths())

    async def steps(self, *_: object) -> AsyncIterator[CheckStep]:
        self.trying += 1
        await self.gate.wait()
        yield CheckStep(name="smoke run", ok=True)

    async def register(self, one: Submission, who: Registrant) -> Registration:
        found = [progress.registration async for progress in await self.registrar.register(one, who)]
        assert found[-1] is not None
        return found[-1]

    async def both(self, *calls: Awaitable[Registration]) -> list[Registration | Refused]:
        """Let all be tried at once, the checks of none ending before those of the others have begun."""
        self.gate.clear()
        tasks = [asyncio.ensure_future(call) for call in calls]
        await until(self.begun(len(calls)), what="all to be tried")
        self.gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)  # type: ignore[return-value]  # checked

    def begun(self, count: int) -> Callable[[], Awaitable[bool]]:
        before = self.trying

        async def all_of_them() -> bool:
            return self.trying == before + count

        return all_of_them


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Scene], Any]], None]:
    """Return what lives through a scenario with a registrar in which every check passes."""

    def run(scenario: Callable[[Scene], Any]) -> None:
        async def live() -> None:
            scene = Scene(tmp_path)
            monkeypatch.setattr(Checks, "steps", scene.steps)
            scene.store.open()
            try:
                await scene.rescan()
                await scenario(scene)
            finally:
                scene.store.close()

        asyncio.run(live())

    return run


def test_of_two_accounts_that_want_a_name_at_once_one_has_it_and_the_other_is_told(play):
    async def scenario(scene: Scene):
        found = await scene.both(scene.register(code(1), ANNE), scene.register(code(2), BERT))
        (lost,) = [one for one in found if isinstance(one, Refused)]
        assert lost.rule == "name_taken"
        assert {one.account for one in scene.registrar.library.records.values()} in ({"a"}, {"b"})
        assert scene.notes == ["code_registered"]

    play(scenario)


def test_the_same_content_twice_at_once_is_one_version_and_one_registering(play):
    async def scenario(scene: Scene):
        found = await scene.both(scene.register(code(1), ANNE), scene.register(code(1), ANNE))
        assert sorted(one.created for one in found if isinstance(one, Registration)) == [False, True]
        assert scene.notes == ["code_registered"]

    play(scenario)


def test_many_at_once_do_not_pass_the_bound_on_versions(play, monkeypatch):
    monkeypatch.setattr("supervisor.registering.registrar.MOST_VERSIONS", 2)

    async def scenario(scene: Scene):
        await scene.register(code(1), ANNE)
        found = await scene.both(scene.register(code(2), ANNE), scene.register(code(3), ANNE))
        assert [one.rule for one in found if isinstance(one, Refused)] == ["registered_limit"]
        assert len(scene.registrar.versions("mine").versions) == 2

    play(scenario)


def test_what_was_deleted_while_somebody_waited_to_activate_it_is_not_activated(play):
    async def scenario(scene: Scene):
        version = (await scene.register(code(1), ANNE)).version.version
        await scene.register(code(2), ANNE)
        done = await asyncio.gather(
            scene.registrar.remove("mine", version, ANNE),
            scene.registrar.activate("mine", version, ANNE),
            return_exceptions=True,
        )
        assert [type(one) for one in done] == [type(None), NotFound]
        assert scene.registrar.versions("mine").active != version

    play(scenario)


def test_of_who_else_runs_what_is_everybodys_an_account_learns_nothing(play):
    async def scenario(scene: Scene):
        root = Registrant(name="root", origin="10.0.0.7")
        version = (await scene.register(code(1), root)).version.version
        theirs = SimpleNamespace(strategy="mine", version=version, account="b")
        scene.actors["of-bert"] = SimpleNamespace(deployment=theirs)
        [hers] = scene.registrar.versions("mine", "a").versions
        assert ("", "", 0) == (hers.registered_by, hers.origin, hers.deployments)
        [his] = scene.registrar.versions("mine", "b").versions
        assert ("", "", 1) == (his.registered_by, his.origin, his.deployments)
        [whole] = scene.registrar.versions("mine").versions
        assert ("root", "10.0.0.7", 1) == (whole.registered_by, whole.origin, whole.deployments)

    play(scenario)


def test_who_runs_a_version_of_an_account_is_not_named_to_it(play):
    async def scenario(scene: Scene):
        version = (await scene.register(code(1), ANNE)).version.version
        theirs = SimpleNamespace(strategy="mine", version=version, account="b")
        scene.actors["of-bert"] = SimpleNamespace(deployment=theirs)
        with pytest.raises(Refused, match="is what a deployment of another account has") as refused:
            await scene.registrar.remove("mine", version, ANNE)
        assert "of-bert" not in str(refused.value)

    play(scenario)
