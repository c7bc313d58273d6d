"""Backing up a state directory while somebody writes, and putting it back into an empty one."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
import tarfile
from pathlib import Path

import pytest

from supervisor.life import Wanted
from supervisor.store import backup, formats, lineage, restore, revert, snapshot, tightened_file, upgrade
from supervisor.store.backup import BackupError
from supervisor.store.deployments import DeploymentStore
from supervisor.store.formats import FORMATS, Formats, FormatsError
from supervisor.store.journal import Journal
from supervisor.store.journal_copy import LEAP
from supervisor.store.revert import RevertError
from supervisor.tightening import Tightened
from tests.supervisor import older_states

NOW = 1_800_000_000_000_000_000
VERSION = "0.2.0"


def url(state: Path) -> str:
    return f"sqlite:///{state / 'stratd.db'}"


@pytest.fixture
def state(tmp_path) -> Path:
    """A state directory of this version with six signals, as its daemon left it."""
    made = older_states.make("schema4", tmp_path / "state")
    upgrade.bring_up(made, url(made), version=VERSION, now=NOW)
    return made


def rows(path: Path, query: str) -> list:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def change(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(statement)


def make(state: Path, target: Path):
    return backup.make(state, url(state), target, version=VERSION, now=NOW)


def put_back(source: Path, state: Path, **more):
    state.mkdir(exist_ok=True)
    return restore.put_back(source, state, url(state), version=VERSION, now=NOW, **more)


BOOKS = "SELECT seq, decision, key, payload FROM signals ORDER BY seq"
DEPLOYED = "SELECT id, strategy, mode, generation FROM deployments ORDER BY id"


def test_what_was_backed_up_is_there_again_and_numbers_go_on_further(state, tmp_path):
    made = make(state, tmp_path / "b.tar")
    done = put_back(tmp_path / "b.tar", again := tmp_path / "again")
    assert made == done.manifest
    for store, query in (("journal.db", BOOKS), ("stratd.db", DEPLOYED)):
        assert rows(state / store, query) == rows(again / store, query)
    assert done.seq == made.seq + LEAP
    with Journal.open(again / "journal.db") as journal:
        assert journal.last_seq == made.seq + LEAP
        (known,) = journal.recover()
        assert [(held.symbol, held.quantity) for held in known.positions] == [("EURUSD", 5.0)]
    assert formats.read(again) == formats.ours(VERSION)
    assert {path.name for path in again.iterdir()} == {"journal.db", "stratd.db", "formats.json"}


def test_what_was_restored_knows_what_it_is_of(state, tmp_path):
    (state / "identity").write_text(f"{'a' * 32}\n")
    make(state, tmp_path / "b.tar")
    put_back(tmp_path / "b.tar", again := tmp_path / "again")
    assert lineage.Ancestor("a" * 32, NOW) == lineage.read(again)
    assert "" == lineage.identity_of(again), "it gets another at its first start"
    assert lineage.read(state) is None
    (again / lineage.NAME).write_text("{")
    assert lineage.read(again) is None


def test_limits_that_were_tightened_are_tight_again(state, tmp_path):
    books = {"fund": {"max_daily_loss": Tightened(value=500.0, by="ana", at=1, reason="thin")}}
    tightened_file.write(state / tightened_file.NAME, books)
    make(state, tmp_path / "b.tar")
    put_back(tmp_path / "b.tar", again := tmp_path / "again")
    assert tightened_file.read(again / tightened_file.NAME) == books


def test_the_event_log_says_so_beyond_every_number_that_was_given_out(state, tmp_path):
    last = rows(state / "stratd.db", "SELECT max(seq) FROM events")[0][0]
    make(state, tmp_path / "b.tar")
    put_back(tmp_path / "b.tar", again := tmp_path / "again")
    ((seq, kind, detail),) = rows(
        again / "stratd.db", "SELECT seq, kind, detail FROM events ORDER BY seq DESC LIMIT 1"
    )
    assert (seq, kind) == (last + 50_000, "restored")
    assert detail.endswith("; stopped: none")


@pytest.mark.parametrize("as_wanted", [False, True])
def test_what_trades_live_comes_back_stopped_unless_it_is_wanted_otherwise(state, tmp_path, as_wanted):
    change(state / "stratd.db", "UPDATE deployments SET mode = 'live', wanted = 'running' WHERE id = 'buyer'")
    change(state / "stratd.db", "UPDATE deployments SET wanted = 'running' WHERE id = 'idle-one'")
    make(state, tmp_path / "b.tar")
    done = put_back(tmp_path / "b.tar", again := tmp_path / "again", as_wanted=as_wanted)
    assert done.stopped == ([] if as_wanted else ["buyer"])
    store = DeploymentStore(url(again))
    store.open()
    wanted = {deployment.id: standing.wanted for deployment, standing in store.load()}
    store.close()
    live = Wanted.RUNNING if as_wanted else Wanted.STOPPED
    assert wanted == {"buyer": live, "idle-one": Wanted.RUNNING}


def test_an_archive_is_its_owners_alone_and_nothing_is_left_beside_it(state, tmp_path):
    (tmp_path / "here").mkdir()
    make(state, target := tmp_path / "here" / "b.tar")
    assert target.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in target.parent.iterdir()] == ["b.tar"]
    with tarfile.open(target) as archive:
        assert {(member.uid, member.uname, member.mode) for member in archive} == {(0, "", 0o600)}


def test_it_may_lie_on_a_file_system_without_links(state, tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(backup.os, "link", refuse)
    make(state, tmp_path / "b.tar")
    assert restore.read(tmp_path / "b.tar", VERSION).seq > 0


def test_a_backup_beside_a_writer_is_one_commit_and_the_writer_goes_on(state, tmp_path):
    with contextlib.closing(sqlite3.connect(state / "journal.db", isolation_level=None)) as writer:
        writer.execute("CREATE TABLE pairs (one INTEGER, other INTEGER)")
        writer.execute("INSERT INTO pairs VALUES (1, 1)")  # committed, and in the log only
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO pairs VALUES (2, 2)")
        make(state, tmp_path / "b.tar")
        writer.execute("COMMIT")
    with tarfile.open(tmp_path / "b.tar") as archive:
        (tmp_path / "copy.db").write_bytes(archive.extractfile("journal.db").read())
    assert rows(tmp_path / "copy.db", "SELECT * FROM pairs") == [(1, 1)]


def test_a_backup_of_an_older_directory_is_migrated_where_it_is_put_back(tmp_path):
    old = older_states.make("schema2", tmp_path / "old")
    make(old, tmp_path / "b.tar")
    assert snapshot.number(old / "journal.db") == 3, "it is only read"
    put_back(tmp_path / "b.tar", again := tmp_path / "again")
    assert snapshot.number(again / "journal.db") == FORMATS["journal"]
    assert rows(old / "stratd.db", DEPLOYED) == rows(again / "stratd.db", DEPLOYED)
    assert not (again / upgrade.FOLDER).exists()


# ---- refused --------------------------------------------------------------------------------------
def test_nothing_is_written_over(state, tmp_path):
    make(state, tmp_path / "b.tar")
    with pytest.raises(BackupError, match="is there already; nothing is written over it"):
        make(state, tmp_path / "b.tar")
    with pytest.raises(BackupError, match=r"is not empty \(before-upgrade, formats\.json, journal\.db\)"):
        put_back(tmp_path / "b.tar", state)


def test_a_folder_that_no_daemon_has_run_on_is_not_backed_up(tmp_path):
    with pytest.raises(BackupError, match=r"no state directory that a daemon has run on: it has no journal"):
        make(tmp_path, tmp_path / "b.tar")
    assert list(tmp_path.iterdir()) == []


def packed(target: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(target, "w") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return target


def members(source: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(source) as archive:
        return [(member, archive.extractfile(member).read()) for member in archive]


def with_manifest(source: Path, target: Path, **changed) -> Path:
    (first, content), *rest = members(source)
    text = json.dumps({**json.loads(content), **changed}).encode()
    return packed(target, [(first, text), *rest])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda b: b.write_bytes(b.read_bytes()[:3000]), "cut off|damaged"),
        (lambda b: b.write_bytes(b""), "no backup"),
        (lambda b: b.write_bytes(b"\0" * 10_240), "no backup of stratd"),
        (lambda b: b.write_bytes(b.read_bytes().replace(b"EURUSD", b"EURUSE")), "is not what was written"),
        (lambda b: packed(b, members(b)[1:]), "does not begin with manifest.json"),
        (lambda b: packed(b, [*members(b), (tarfile.TarInfo("../x"), b"")]), r"damaged: it holds .*\.\./x"),
        (lambda b: packed(b, members(b)[:-1]), "damaged: it holds"),
        (lambda b: with_manifest(b, b, number=9), "of format 9, made by stratd 0.2.0"),
        (lambda b: with_manifest(b, b, kind="cake"), "is a cake"),
        (lambda b: with_manifest(b, b, files="x"), "damaged: manifest.json"),
        (
            lambda b: with_manifest(b, b, said={"written_by": "9.0.0", "formats": {"journal": 99}}),
            "was written by stratd 9.0.0: its journal has format 99",
        ),
    ],
)
def test_what_is_no_good_backup_is_refused_before_anything_is_written(state, tmp_path, spoil, said):
    make(state, source := tmp_path / "b.tar")
    spoil(source)
    with pytest.raises(BackupError, match=said) as refused:
        put_back(source, again := tmp_path / "again")
    assert "\n" not in str(refused.value)
    assert list(again.iterdir()) == []


def test_a_restore_that_was_cut_off_lets_no_daemon_start_and_is_repeated(state, tmp_path, monkeypatch):
    make(state, tmp_path / "b.tar")
    again = tmp_path / "again"

    move, moved = restore.shutil.move, []

    def full(*arguments):
        if moved:
            raise OSError(28, "No space left on device")
        moved.append(move(*arguments))

    with monkeypatch.context() as patched:
        patched.setattr(restore.shutil, "move", full)
        with pytest.raises(BackupError, match="No space left on device"):
            put_back(tmp_path / "b.tar", again)
    with pytest.raises(FormatsError, match="was interrupted: repeat it"):
        formats.check(again, VERSION)
    put_back(tmp_path / "b.tar", again)
    assert formats.check(again, VERSION) == formats.ours(VERSION)
    assert rows(state / "journal.db", BOOKS) == rows(again / "journal.db", BOOKS)


def test_a_database_on_a_server_is_named_and_not_mixed_with_a_file(state, tmp_path):
    made = backup.make(state, "postgresql://db/x", tmp_path / "b.tar", version=VERSION, now=NOW)
    assert made.server
    assert sorted(made.files) == ["formats.json", "journal.db"]
    with pytest.raises(BackupError, match="set DATABASE_URL"):
        put_back(tmp_path / "b.tar", tmp_path / "again")


# ---- given back to the version before -------------------------------------------------------------
@pytest.fixture(params=older_states.NAMES)
def migrated(request, tmp_path) -> tuple[Path, Path]:
    """A directory that was just migrated, and the same as it was before."""
    before = older_states.make(request.param, tmp_path / "before")
    after = older_states.make(request.param, tmp_path / "after")
    upgrade.bring_up(after, url(after), version=VERSION, now=NOW)
    return before, after


def content(state: Path) -> dict[str, list[str]]:
    found = {}
    for name in ("journal.db", "stratd.db"):
        with contextlib.closing(sqlite3.connect(state / name)) as database:
            found[name] = [*database.iterdump(), *map(str, database.execute("PRAGMA user_version"))]
    return found


def test_a_migrated_directory_is_given_back_as_it_was(migrated):
    before, after = migrated
    told = revert.give_back(after, url(after), since=NOW)
    assert told == f"{after} was given back as the version before had left it"
    assert content(after) == content(before)
    assert not (after / formats.NAME).exists()
    assert revert.give_back(after, url(after), since=NOW) == "", "there is nothing more to undo"
    upgrade.bring_up(after, url(after), version=VERSION, now=NOW + 1)  # and a later try begins anew
    assert upgrade.copied_before(after).at == NOW + 1


def test_an_older_migration_is_left_alone(migrated):
    _, after = migrated
    was = content(after)
    assert revert.give_back(after, url(after), since=NOW + 1) == ""
    assert content(after) == was


def test_what_was_accepted_since_is_not_forgotten(migrated):
    _, after = migrated
    seq = rows(after / "journal.db", "SELECT max(seq) FROM signals")[0][0]
    with Journal.open(after / "journal.db") as journal:
        journal.leap(10)
        last = journal.last_seq
    change(after / "journal.db", f"UPDATE signals SET seq = {last} WHERE seq = {seq}")  # noqa: S608 - numbers
    was = content(after)
    with pytest.raises(RevertError, match=r"1 signals were accepted and 0 orders filled since"):
        revert.give_back(after, url(after), since=NOW)
    assert content(after) == was


def test_given_back_half_it_is_given_back_whole_by_the_next_try(migrated, monkeypatch):
    before, after = migrated

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(revert.shutil, "rmtree", full)
        with pytest.raises(RevertError, match="No space left on device"):
            revert.give_back(after, url(after), since=NOW)
    revert.give_back(after, url(after), since=NOW)
    assert content(after) == content(before)


def test_numbers_of_an_earlier_upgrade_are_put_back_too(tmp_path):
    state = older_states.make("schema2", tmp_path / "state")
    formats.write(state, Formats(written_by="0.0.9", formats={"journal": 3, "database": 2}))
    upgrade.bring_up(state, url(state), version=VERSION, now=NOW)
    assert revert.give_back(state, url(state), since=0) == f"{state} was given back as 0.0.9 had left it"
    assert formats.read(state) == Formats(written_by="0.0.9", formats={"journal": 3, "database": 2})
