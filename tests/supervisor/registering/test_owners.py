"""Whose registered code is: what another account sees of it is nothing, what it may do with it neither."""

from __future__ import annotations

import itertools

import pytest
import sqlalchemy as sql
from hypothesis import given
from hypothesis import strategies as st

from supervisor.errors import Failed, NotFound, Refused
from supervisor.listing import told
from supervisor.registering.checks import Registrant
from supervisor.registering.owners import changes, owner_of_next, reads, sees
from supervisor.schema import RescanResult, StrategyView
from supervisor.store.code_versions import CodeRecord
from supervisor.store.tables import CODE_VERSIONS
from tests.supervisor.registering.test_registrar import ANNE, BERT, Scene, code, play

__all__ = ["play"]
ROOT = Registrant(name="root")
ACCOUNTS = st.sampled_from(["", "a", "b"])


def record(*, account: str = "", owner: str = "", name: str = "mine") -> CodeRecord:
    return CodeRecord(
        name=name, version="0+ab", code_hash="ab", entry=name, kind="source", account=account, at=1, by="x",
        size=1, owner=owner,
    )  # fmt: skip


# ---- rules ----------------------------------------------------------------------------------------
@given(account=ACCOUNTS, owner=ACCOUNTS, who=ACCOUNTS)
def test_who_changes_code_reads_it_and_who_is_bound_to_nothing_may_all(account, owner, who):
    one = record(account=account, owner=owner)
    assert not changes(one, who) or reads(one, who)
    assert who or (sees(one, who) and reads(one, who) and changes(one, who))


@given(owner=st.sampled_from(["a", "b"]), account=ACCOUNTS, who=st.sampled_from(["a", "b"]))
def test_code_with_an_owner_is_seen_by_its_owner_alone(owner, account, who):
    assert (owner == who) == sees(record(account=account, owner=owner), who)


def test_what_was_registered_before_names_had_owners_is_run_by_all_and_read_by_one():
    old = record(account="a")
    assert (True, True) == (sees(old, "b"), sees(old, "a"))
    assert (False, True) == (reads(old, "b"), reads(old, "a"))
    assert (False, True) == (changes(old, "b"), changes(old, "a"))


def test_what_is_registered_without_an_account_is_read_by_all_and_changed_by_none_of_them():
    common = record()
    assert (True, True, False) == (sees(common, "b"), reads(common, "b"), changes(common, "b"))


def test_a_name_keeps_the_owner_that_it_had_first():
    theirs = [record(owner="a"), record(name="other", owner="b")]
    assert ["a", "a", "b", "c"] == [
        owner_of_next(theirs, "mine", ""),
        owner_of_next(theirs, "mine", "c"),
        owner_of_next(theirs, "other", ""),
        owner_of_next(theirs, "new", "c"),
    ]
    assert "" == owner_of_next([record(account="a")], "mine", "a"), "everybody's so far: so it goes on"


# ---- over a real database -------------------------------------------------------------------------
def test_to_another_account_a_registered_name_is_unknown_wherever_it_is_asked_for(play):
    async def scenario(scene: Scene):
        registrar = scene.registrar
        version = (await scene.register(code(1), ANNE)).version.version
        for reference in ("mine", f"mine@{version}", "min"):
            with pytest.raises(NotFound) as unknown:
                registrar.library.seen_by("b").look_up(reference)
            assert not any("mine" in near for near in unknown.value.near)
        names = {one.name for one in registrar.library.seen_by("b").views({})}
        assert names == {one.name for one in scene.catalogue.views({})} - {"mine"}
        assert "mine" not in [one.name for one in registrar.library.seen_by("b").current()]
        for ask in (
            lambda: registrar.content("mine", version, BERT),
            lambda: registrar.activate("mine", version, BERT),
            lambda: registrar.roll_back("mine", BERT),
            lambda: registrar.remove("mine", version, BERT),
            lambda: registrar.label("mine", version, {"title": "x"}, BERT, lambda: None),
        ):
            with pytest.raises(NotFound, match=r"^no registered strategy 'mine'$"):
                await ask()
        with pytest.raises(NotFound, match=r"^no registered strategy 'mine'$"):
            registrar.versions("mine", "b")
        for account in ("", "a"):
            assert version == registrar.library.seen_by(account).look_up("mine").version

    play(scenario)


def test_it_stays_so_over_a_restart_and_for_a_version_that_root_adds(play):
    async def scenario(scene: Scene):
        await scene.register(code(1), ANNE)
        second = (await scene.register(code(2), ROOT)).version
        assert "a" == second.owner
        scene.registrar.library.records = {}
        await scene.rescan()
        assert ["a", "a"] == [one.owner for one in scene.registrar.versions("mine", "a").versions]
        third = (await scene.register(code(3), ANNE)).version
        assert ("a", True) == (third.owner, third.active)
        with pytest.raises(NotFound):
            scene.registrar.library.seen_by("b").look_up("mine")

    play(scenario)


def test_a_name_of_another_account_cannot_be_had_and_whose_it_is_is_not_told(play):
    async def scenario(scene: Scene):
        await scene.register(code(1), ANNE)
        with pytest.raises(Refused) as refused:
            await scene.register(code(2), BERT)
        assert "refused by name_taken: the name mine is taken; choose another" == str(refused.value)
        with pytest.raises(Refused, match="name_taken"):
            await scene.register(code(1), BERT)

    play(scenario)


def test_a_name_that_was_deleted_can_be_had_by_another_account(play):
    async def scenario(scene: Scene):
        version = (await scene.register(code(1), ANNE)).version.version
        await scene.registrar.remove("mine", version, ANNE)
        assert "b" == (await scene.register(code(1), BERT)).version.owner
        with pytest.raises(NotFound):
            scene.registrar.library.seen_by("a").look_up("mine")

    play(scenario)


def test_what_is_broken_of_another_account_is_unknown_too(play):
    async def scenario(scene: Scene):
        version = (await scene.register(code(1), ANNE)).version.version
        folder = scene.settings.state_dir / "registered" / "mine" / version / "mine"
        (folder / "config.json").chmod(0o644)
        (folder / "config.json").write_text("no JSON")
        await scene.rescan()
        with pytest.raises(Failed, match="strategy mine is broken"):
            scene.registrar.library.seen_by("a").look_up("mine")
        with pytest.raises(NotFound):
            scene.registrar.library.seen_by("b").look_up("mine")
        assert [] == [one for one in scene.registrar.library.seen_by("b").views({}) if one.state == "broken"]

    play(scenario)


def test_where_only_the_active_version_is_anothers_the_name_means_the_newest_that_is_seen(play):
    async def scenario(scene: Scene):
        versions = [(await scene.register(code(number), ANNE)).version.version for number in (1, 2)]
        everybodys = CODE_VERSIONS.update().where(CODE_VERSIONS.c.version == versions[0]).values(owner="")
        with scene.store.begin() as connection:
            connection.execute(everybodys)
        await scene.rescan()
        assert versions[0] == scene.registrar.library.seen_by("b").look_up("mine").version
        assert versions[1] == scene.registrar.library.seen_by("a").look_up("mine").version
        with pytest.raises(Refused, match="was not registered for the account 'b'"):
            scene.registrar.open_to("b", "mine", versions[0])
        assert [versions[0]] == [one.version for one in scene.registrar.versions("mine", "b").versions]

    play(scenario)


def test_the_column_is_what_decides(play):
    async def scenario(scene: Scene):
        await scene.register(code(1), ANNE)
        with scene.store.begin() as connection:
            assert ["a"] == list(connection.scalars(sql.select(CODE_VERSIONS.c.owner)))

    play(scenario)


# ---- scans ----------------------------------------------------------------------------------------
def view(name: str, *, broken: bool = False) -> StrategyView:
    return StrategyView(
        name=name, version="" if broken else "1", path=f"/{name}", state="broken" if broken else "ok"
    )


def test_of_a_scan_nobody_is_told_more_than_he_sees():
    names = ["a@1", "b@1"]
    found = RescanResult(added=names, changed=names, removed=names, broken={"/a": ["x"], "/b": ["y"]})
    for before, now in itertools.product(([], [view("a")]), ([], [view("a")], [view("a", broken=True)])):
        seen = told(found, before, now)
        assert ["a@1"] * bool(before) == seen.removed
        sound = bool(now) and now[0].state == "ok"
        assert (["a@1"] * sound, ["a@1"] * sound) == (seen.added, seen.changed)
        assert ({"/a": ["x"]} if now and not sound else {}) == seen.broken
