"""Words beside a registered version: kept over a restart, of one version, never over somebody else's."""

from __future__ import annotations

import asyncio

import pytest

from supervisor.errors import NotFound, Refused, Stale
from supervisor.registering.labels import Label, labelled
from tests.supervisor.registering.test_registrar import ANNE, BERT, Scene, code, play

__all__ = ["play"]


def title(scene: Scene, reference: str = "mine") -> str:
    return scene.catalogue.look_up(reference).title


async def label(scene: Scene, version: str, words: dict[str, str | None], who=ANNE) -> None:
    await scene.registrar.label("mine", version, words, who, lambda: None)


def test_a_label_changes_words_and_nothing_that_is_run(play):
    async def scenario(scene: Scene):
        version = (await scene.register(code(1), ANNE)).version.version
        before = scene.catalogue.look_up("mine")
        await label(scene, version, {"title": "Night shift", "type": "momentum", "description": "Sleeps."})
        after = scene.catalogue.look_up("mine")
        assert ("Night shift", "momentum", "Sleeps.") == (after.title, after.type, after.description)
        assert labelled(before, scene.catalogue.labels["mine", version]) == after
        assert (before.code_hash, before.schema, before.symbols) == (
            after.code_hash,
            after.schema,
            after.symbols,
        )
        [view] = [one for one in scene.catalogue.views({}) if one.name == "mine"]
        assert ("momentum", "Sleeps.") == (view.type, view.description)
        assert scene.notes == ["code_registered", "code_labelled"]

    play(scenario)


def test_words_outlive_the_daemon_and_not_their_version(play):
    async def scenario(scene: Scene):
        first = (await scene.register(code(1), ANNE)).version.version
        await label(scene, first, {"title": "Night shift"})
        scene.catalogue.labels = {}
        await scene.rescan()
        assert "Night shift" == title(scene)
        await scene.register(code(2), ANNE)
        assert ("", "Night shift") == (title(scene), title(scene, f"mine@{first}"))
        await scene.registrar.remove("mine", first, ANNE)
        assert {} == scene.catalogue.labels
        await scene.register(code(1), ANNE)
        assert "" == title(scene)

    play(scenario)


def test_what_is_taken_back_is_its_authors_and_what_is_not_named_stays(play):
    async def scenario(scene: Scene):
        version = (await scene.register(code(1), ANNE)).version.version
        await label(scene, version, {"title": "Night shift", "type": "momentum"})
        await label(scene, version, {"title": None})
        found = scene.catalogue.look_up("mine")
        assert ("", "momentum") == (found.title, found.type)

    play(scenario)


def test_the_same_words_again_are_no_event(play):
    async def scenario(scene: Scene):
        version = (await scene.register(code(1), ANNE)).version.version
        for _ in range(2):
            await label(scene, version, {"title": "Night shift"})
        await label(scene, version, {})
        assert scene.notes == ["code_registered", "code_labelled"]

    play(scenario)


def test_who_may_not_change_code_may_not_change_its_words(play):
    async def scenario(scene: Scene):
        version = (await scene.register(code(1), ANNE)).version.version
        with pytest.raises((Refused, NotFound)):
            await label(scene, version, {"title": "Bert's"}, BERT)
        with pytest.raises(NotFound, match="no version"):
            await label(scene, "0+none", {"title": "x"})
        assert "" == title(scene)

    play(scenario)


def test_of_two_who_read_the_same_and_change_it_at_once_one_is_told(play):
    async def scenario(scene: Scene):
        version = (await scene.register(code(1), ANNE)).version.version
        read = scene.catalogue.labels

        def agreed() -> None:
            if scene.catalogue.labels != read:
                raise Stale('"now"')

        done = await asyncio.gather(
            *(scene.registrar.label("mine", version, {"title": word}, ANNE, agreed) for word in ("a", "b")),
            return_exceptions=True,
        )
        assert [type(None), Stale] == [type(one) for one in done]
        assert "a" == title(scene)

    play(scenario)


def test_a_new_version_is_not_kept_if_another_came_while_it_was_tried(play):
    async def scenario(scene: Scene):
        await scene.register(code(1), ANNE)
        read = scene.registrar.library.active["mine"]

        def agreed() -> None:
            if scene.registrar.library.active["mine"] != read:
                raise Stale('"now"')

        async def put(number: int):
            steps = await scene.registrar.register(code(number), ANNE, agreed)
            return [one async for one in steps][-1].registration

        found = await scene.both(put(2), put(3))
        assert 1 == sum(isinstance(one, Stale) for one in found)
        assert 2 == len(scene.registrar.versions("mine").versions)
        with pytest.raises(Stale):
            await scene.registrar.register(code(4), ANNE, agreed)

    play(scenario)


def test_a_label_without_words_says_nothing():
    assert {} == Label(name="a", version="1", at=1, by="me").words
