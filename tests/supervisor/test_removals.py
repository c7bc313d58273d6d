"""What is still to be forgotten of removed deployments: on disk first of all, and off it in the end."""

from __future__ import annotations

import asyncio
import json

import pytest

from supervisor.errors import Failed
from supervisor.removals import NAME, Removals
from supervisor.store import whole_file
from tests.waiting import turn


def listed(folder) -> list[str]:
    return json.loads((folder / NAME).read_text())


async def recalled(folder, *known: str) -> list[str]:
    return await Removals(folder).recall(known)


def test_a_removal_is_owed_until_it_is_struck_out(tmp_path):
    async def scene():
        assert [] == await recalled(tmp_path), "there is no file yet"
        removals = Removals(tmp_path)
        for name in ("b", "a"):
            await removals.owe(name)
        assert ["a", "b"] == await recalled(tmp_path) == listed(tmp_path)
        removals.strike("a")
        removals.strike("unknown")
        await removals.close()
        assert ["b"] == await recalled(tmp_path)

    asyncio.run(scene())


def test_whose_id_has_a_deployment_is_left_alone(tmp_path):
    async def scene():
        before = Removals(tmp_path)
        for name in ("cut off", "gone"):
            await before.owe(name)
        removals = Removals(tmp_path)
        assert ["gone"] == await removals.recall({"cut off": object(), "other": object()})
        removals.strike("gone")
        await removals.close()
        assert [] == listed(tmp_path)

    asyncio.run(scene())


def test_many_are_struck_out_while_the_list_is_being_written(tmp_path):
    async def scene():
        removals = Removals(tmp_path)
        names = [f"d{number}" for number in range(20)]
        for name in names:
            await removals.owe(name)
        for name in names[1:]:
            removals.strike(name)
            await turn()
        await removals.close()
        assert names[:1] == listed(tmp_path)

    asyncio.run(scene())


def test_what_cannot_be_written_down_is_not_removed(tmp_path, monkeypatch):
    async def scene():
        removals = Removals(tmp_path)
        await removals.owe("a")
        with monkeypatch.context() as full:
            full.setattr(whole_file, "replace", no_room)
            with pytest.raises(Failed, match=r"cannot remove b: .*removed.json: No space left on device"):
                await removals.owe("b")
            removals.strike("a")
            await removals.close()
        assert ["a"] == listed(tmp_path)
        await removals.owe("c")
        assert ["c"] == listed(tmp_path), "what could not be struck out then is now"

    def no_room(_file, _content):
        raise OSError(28, "No space left on device")

    asyncio.run(scene())


def test_a_list_that_cannot_be_read_is_none(tmp_path):
    (tmp_path / NAME).write_text("{")
    assert [] == asyncio.run(recalled(tmp_path))
