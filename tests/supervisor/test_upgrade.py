"""A state directory of an earlier version: migrated whole or refused by a sentence, never half read."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
import sqlalchemy as sql
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from strategies.trading.records import Snapshot
from supervisor.checkup import state as checkup
from supervisor.store import formats, journal_file, schema, snapshot, tables, upgrade
from supervisor.store.code_versions import CodeVersionStore
from supervisor.store.deployments import DeploymentStore, StoreError
from supervisor.store.formats import FORMATS, Formats, FormatsError
from supervisor.store.journal import Journal, JournalReader
from supervisor.store.keys import KeyStore
from tests.supervisor import older_states

NOW = 1_800_000_000_000_000_000


@pytest.fixture(params=older_states.NAMES)
def state(request, tmp_path) -> Path:
    return older_states.make(request.param, tmp_path / "state")


def url(state: Path) -> str:
    return f"sqlite:///{state / 'stratd.db'}"


def bring_up(state: Path, *, version: str = "0.2.0", **more) -> str:
    return upgrade.bring_up(state, url(state), version=version, now=NOW, **more)


def rows(path: Path, query: str) -> list:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def as_it_was(state: Path) -> dict:
    """Return what an old directory holds, by its own tables: nothing of ours reads it."""
    decode = msgspec.msgpack.decode
    journal, database = state / "journal.db", state / "stratd.db"
    return {
        "deployments": rows(database, "SELECT id, strategy, wanted, generation FROM deployments ORDER BY id"),
        "deaths": rows(database, "SELECT deployment_id, generation, cause FROM deaths ORDER BY number"),
        "events": rows(database, "SELECT seq, kind, detail FROM events ORDER BY seq"),
        "signals": rows(journal, "SELECT seq, decision, key FROM signals ORDER BY seq"),
        "fills": rows(journal, "SELECT seq FROM fills ORDER BY seq"),
        "holdings": [
            tuple(decode(payload)[:4]) for (payload,) in rows(journal, "SELECT payload FROM positions")
        ],
        "checkpoints": rows(journal, "SELECT seq, deployment_id, state FROM checkpoints ORDER BY seq"),
    }


def as_we_read_it(state: Path) -> dict:
    """Return the same by the stores of this version."""
    store = DeploymentStore(url(state))
    assert store.open() == ""
    loaded = store.load()
    deaths = [death for deployment, _ in loaded for death in reversed(store.deaths(deployment.id))]
    with Journal.open(state / "journal.db") as journal:
        (known,) = journal.recover()
    assert isinstance(known, Snapshot)
    with JournalReader.open(state / "journal.db") as reader:
        saved = [reader.saved(d.id, kept.seq) for d, _ in loaded for kept in reader.checkpoints(d.id)]
        found = {
            "deployments": sorted((d.id, d.strategy, s.wanted.value, s.generation) for d, s in loaded),
            "deaths": sorted((d.deployment_id, d.generation, d.cause) for d in deaths),
            "events": [(event.seq, event.kind, event.detail) for event in store.events(0, 1000)],
            "signals": [(row["seq"], row["verdict"]) for row in reader.signals(limit=1000)],
            "fills": len(reader.fills(limit=1000)),
            "holdings": [(p.deployment_id, p.symbol, p.quantity, p.average_price) for p in known.positions],
            "checkpoints": sorted((s.seq, s.deployment_id, s.checkpoint.state) for s in saved),
        }
    store.close()
    return found


def test_books_signals_deployments_and_checkpoints_are_what_they_were(state):
    was = as_it_was(state)
    assert len(was["signals"]) == 6
    assert was["holdings"]
    told = bring_up(state)
    assert told.startswith(f"{state} of an older version was migrated (database ")
    is_now = as_we_read_it(state)
    assert was["deployments"] == is_now["deployments"]
    assert sorted(was["deaths"]) == is_now["deaths"]
    assert was["events"] == is_now["events"]
    assert [row[:2] for row in was["signals"]] == is_now["signals"]
    assert len(was["fills"]) == is_now["fills"]
    assert was["holdings"] == is_now["holdings"]
    assert was["checkpoints"] == is_now["checkpoints"]
    assert formats.read(state) == Formats(written_by="0.2.0", formats=dict(FORMATS))


def test_the_copy_is_what_was_there_and_a_second_start_has_nothing_to_do(state):
    was = as_it_was(state)
    bring_up(state)
    assert as_it_was(state / upgrade.FOLDER) == was
    assert upgrade.copied_before(state).seq == max(seq for seq, *_ in was["checkpoints"] + was["signals"])
    before = (state / upgrade.FOLDER / upgrade.MANIFEST).read_bytes()
    begun = []
    assert bring_up(state, version="0.3.0", begin=lambda: begun.append(1)) == ""
    assert begun == []
    assert (state / upgrade.FOLDER / upgrade.MANIFEST).read_bytes() == before
    assert formats.read(state).written_by == "0.3.0"


def test_a_new_directory_gets_its_numbers_and_no_copy(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    assert bring_up(state) == ""
    assert formats.read(state).formats == FORMATS
    assert not (state / upgrade.FOLDER).exists()


def test_keys_and_code_have_their_tables_after_it(state):
    bring_up(state)
    store = DeploymentStore(url(state))
    store.open()
    assert KeyStore(store).load() == []
    store.close()


# ---- the schema -----------------------------------------------------------------------------------
def engine_at(path: Path) -> sql.Engine:
    return sql.create_engine(f"sqlite:///{path}")


def shape(path: Path) -> dict:
    """Return tables with columns, keys and indexes, as the database tells them; no names of keys."""
    looked = sql.inspect(engine := engine_at(path))
    found = {}
    for table in sorted(looked.get_table_names()):
        columns = {
            c["name"]: (str(c["type"]), c["nullable"], c["default"]) for c in looked.get_columns(table)
        }
        key = looked.get_pk_constraint(table)["constrained_columns"]
        indexes = sorted((one["name"], tuple(one["column_names"])) for one in looked.get_indexes(table))
        found[table] = (columns, key, indexes)
    engine.dispose()
    return found


def from_nothing(path: Path) -> None:
    """Make a database by every migration, from the first on."""
    with (engine := engine_at(path)).begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        schema.REVISION.create(connection)
        schema.migrate(connection)
    engine.dispose()


def test_the_migrations_end_where_a_new_database_begins(tmp_path):
    made, migrated = tmp_path / "made.db", tmp_path / "migrated.db"
    store = DeploymentStore(f"sqlite:///{made}")
    store.open()
    store.close()
    from_nothing(migrated)
    assert shape(made) == shape(migrated)
    assert rows(made, "SELECT * FROM stratd_revision") == rows(migrated, "SELECT * FROM stratd_revision")
    assert rows(made, "SELECT * FROM stratd_schema") == rows(migrated, "SELECT * FROM stratd_schema")


def test_code_that_was_registered_before_it_had_an_owner_is_everybodys(tmp_path, monkeypatch):
    monkeypatch.setattr(schema, "HEAD", 5)
    from_nothing(tmp_path / "stratd.db")
    with (engine := engine_at(tmp_path / "stratd.db")).begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO code_versions VALUES "
            "('mine', '0+ab', 'ab', 'mine', 'source', 'a', 1, 'anne', '', 2, x'')"
        )
    engine.dispose()
    monkeypatch.undo()
    store = DeploymentStore(f"sqlite:///{tmp_path / 'stratd.db'}")
    store.open()
    (record,) = CodeVersionStore(store).records()
    store.close()
    assert ("a", "") == (record.account, record.owner)


def test_no_table_was_changed_without_a_migration(tmp_path):
    from_nothing(tmp_path / "stratd.db")
    with (engine := engine_at(tmp_path / "stratd.db")).connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _: kind != "table" or name in tables.META.tables},
        )
        assert [] == compare_metadata(context, tables.META)
    engine.dispose()


def test_a_version_before_alembic_finds_a_number_that_it_refuses(state):
    bring_up(state)
    assert rows(state / "stratd.db", "SELECT max(version) FROM stratd_schema") == [(5,)]


def test_a_migrated_journal_has_the_tables_of_a_new_one(state, tmp_path):
    bring_up(state)
    Journal.open(tmp_path / "journal.db").close()
    wanted = shape(tmp_path / "journal.db")
    assert wanted == shape(state / "journal.db")


# ---- refused --------------------------------------------------------------------------------------
def everything(state: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(state)): path.read_bytes()
        for path in sorted(state.rglob("*"))
        if path.is_file() and not path.name.endswith(("-shm", "-wal"))
    }


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"tape": 2}, "its tape has format 2, and this stratd, 0.2.0, knows up to 1"),
        ({"journal": 99}, "its journal has format 99, and this stratd, 0.2.0, knows up to 5"),
        ({"ledger": 1}, "its ledger has format 1, and this stratd, 0.2.0, does not know it"),
    ],
)
def test_a_directory_of_a_later_version_is_refused_with_both_versions_and_left_alone(state, numbers, said):
    formats.write(state, Formats(written_by="7.1.0", formats={**FORMATS, **numbers}))
    before = everything(state)
    with pytest.raises(FormatsError) as refused:
        bring_up(state)
    assert str(refused.value) == (
        f"{state} was written by stratd 7.1.0: {said}; start that version, or restore a backup of this one"
    )
    assert everything(state) == before


@pytest.mark.parametrize("content", [b"", b"{", b'{"written_by": 3}', b"\0" * 100])
def test_numbers_that_cannot_be_read_are_refused_and_nothing_is_guessed(state, content):
    (state / formats.NAME).write_bytes(content)
    before = everything(state)
    with pytest.raises(FormatsError, match=r"formats\.json is damaged .* nobody can say which version"):
        bring_up(state)
    assert everything(state) == before


def test_a_journal_of_a_later_version_is_refused_before_the_database_is_touched(state):
    with contextlib.closing(sqlite3.connect(state / "journal.db")) as journal:
        journal.execute("PRAGMA user_version = 99")
    before = as_it_was(state)
    with pytest.raises(FormatsError, match=r"the journal \S+ has schema 99, this stratd knows up to 5"):
        bring_up(state)
    assert as_it_was(state) == before
    assert not (state / upgrade.FOLDER).exists()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE stratd_revision SET version_num = '0099'", "was written by a newer stratd (schema 99"),
        ("UPDATE stratd_revision SET version_num = 'ae1027a6acf'", "has the stamp 'ae1027a6acf'"),
        ("DELETE FROM stratd_revision", "has the stamp 'none'"),
    ],
)
def test_a_database_with_a_stamp_that_is_not_ours_is_refused_by_a_sentence(state, statement, said):
    bring_up(state)
    with contextlib.closing(sqlite3.connect(state / "stratd.db", isolation_level=None)) as database:
        database.execute(statement)
    before = as_it_was(state)
    assert bring_up(state) == ""  # not older: the store itself says what is wrong
    with pytest.raises(StoreError) as refused:
        DeploymentStore(url(state)).open()
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert as_it_was(state) == before


def test_tables_of_the_same_names_that_are_not_ours_are_left_alone(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "stratd.db")) as database:
        database.execute("CREATE TABLE events (what TEXT)")
    with pytest.raises(StoreError, match="has a table 'events' and no stamp of stratd"):
        DeploymentStore(f"sqlite:///{tmp_path / 'stratd.db'}").open()
    assert rows(tmp_path / "stratd.db", "SELECT name FROM sqlite_master") == [("events",)]


def test_a_torn_database_is_not_migrated_but_told_and_nothing_is_changed(state):
    path = state / "stratd.db"
    rows(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    ((page,),) = rows(path, "SELECT rootpage FROM sqlite_master WHERE name = 'events'")
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    before = path.read_bytes()
    with pytest.raises(FormatsError, match=r"cannot be copied before: \S+stratd\.db is damaged"):
        bring_up(state)
    assert path.read_bytes() == before
    assert not (state / upgrade.FOLDER).exists()


def test_without_room_for_the_copy_nothing_is_migrated(state, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    before = as_it_was(state)
    with pytest.raises(FormatsError, match=r"cannot be copied before: it takes \d+ MiB, and 0 MiB are free"):
        bring_up(state)
    assert as_it_was(state) == before


# ---- interrupted ----------------------------------------------------------------------------------
KILLED = """
import os, signal, shutil, sys
from pathlib import Path
import sqlalchemy as sql
import alembic.command, alembic.config
from supervisor.store import upgrade

original, place = Path(sys.argv[1]), Path(sys.argv[2])
left = [0]

def step(*_):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def statement(connection, cursor, statement, *_):
    if not statement.lstrip().startswith(("PRAGMA", "SELECT")):  # what only looks changes nothing
        step()

def audit(event, arguments):
    if event in ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "sqlite3.connect"):
        step()

def bring_up(state):
    return upgrade.bring_up(state, f"sqlite:///{state / 'stratd.db'}", version="0.2.0", now=1)

count = 0
while True:
    count += 1
    state = place / str(count)
    shutil.copytree(original, state)
    child = os.fork()
    if child == 0:
        left[0] = count
        sys.addaudithook(audit)
        sql.event.listen(sql.Engine, "before_cursor_execute", statement)
        bring_up(state)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
print(count)
"""


@pytest.mark.system
def test_killed_anywhere_it_leaves_old_or_new_and_the_next_start_goes_on(tmp_path):
    state = older_states.make("schema2", tmp_path / "state")
    was = as_it_was(state)
    (tmp_path / "killed").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", KILLED, state, tmp_path / "killed"], capture_output=True, text=True, check=True
    )
    kills = int(done.stdout) - 1
    assert kills > 20, "it was killed at every folder, name and statement"
    now = (journal_file.VERSION, schema.HEAD)
    numbers = set()
    for place in (tmp_path / "killed").iterdir():
        found = (snapshot.number(place / "journal.db"), schema_of(place))
        numbers.add(found)
        assert as_it_was(place) == was
        bring_up(place)
        assert now == (snapshot.number(place / "journal.db"), schema_of(place))
        assert as_it_was(place / upgrade.FOLDER) == was, "the copy is of before, wherever it was killed"
        assert [one.name for one in place.glob(".*.new")] == []
    old = (rows_number(state), schema_of(state))
    assert old in numbers
    assert numbers <= {old, (now[0], old[1]), now}, "never anything between the old and the new one"


def rows_number(state: Path) -> int | None:
    return snapshot.number(state / "journal.db")


def schema_of(state: Path) -> int | None:
    with (engine := engine_at(state / "stratd.db")).connect() as connection:
        found = schema.find(connection)
    engine.dispose()
    return found


# ---- doctor ---------------------------------------------------------------------------------------
def test_doctor_tells_which_version_wrote_what(state):
    assert checkup.look(state, "0.2.0").detail.endswith("migrated at the next start")
    bring_up(state)
    view = checkup.look(state, "0.2.0")
    told = ", ".join(f"{name} {number}" for name, number in sorted(FORMATS.items()))
    assert ("active", f"{told} by stratd 0.2.0") == (view.state, view.detail)
    text = json.loads((state / formats.NAME).read_text())
    (state / formats.NAME).write_text(json.dumps({**text, "formats": {**text["formats"], "journal": 3}}))
    assert checkup.look(state, "0.2.0").detail.endswith("; migrated at the next start")
    formats.write(state, Formats(written_by="9.0.0", formats={"journal": 9}))
    assert checkup.look(state, "0.2.0").state == "missing"
