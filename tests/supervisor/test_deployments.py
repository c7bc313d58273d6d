"""The durable store: what was said comes back, and a bad file is never half-read."""

from __future__ import annotations

import sqlite3
import sys

import pytest
from msgspec.structs import replace

from supervisor.life import Life, State, Wanted
from supervisor.store import deployments, schema
from supervisor.store.deployments import KEEP_DEATHS, DeploymentStore, StoreError
from supervisor.store.tables import DeathRecord, Deployment, Event, Standing

A = Deployment(
    id="a", strategy="sma", version="1.0.0", account="x", mode="paper", symbols=["EURUSD"],
    timeframes=["1m", "1h"], parameters={"fast": 5, "ratio": 0.25, "ma": "EMA", "confirm": None},
    risk={"max_position_size": 3.0}, memory=2**28, cpu=0.5, trusted_path="/s/sma", created_at=1,
    updated_at=2,
)  # fmt: skip


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'stratd.db'}"


@pytest.fixture
def store(url):
    store = DeploymentStore(url)
    assert store.open() == ""
    yield store
    store.close()


def reopened(store: DeploymentStore, url: str) -> DeploymentStore:
    store.close()
    again = DeploymentStore(url)
    again.open()
    return again


def test_everything_said_of_a_deployment_comes_back(store, url):
    standing = Standing(
        wanted=Wanted.PAUSED, state=State.QUARANTINED, generation=7, restarts=3, reason="r", actor="ann",
        begun=5, suspended="main",
    )  # fmt: skip
    store.save(A, standing)
    store.save(replace(A, id="b", created_at=9), Standing())
    store = reopened(store, url)
    assert store.load() == [(A, standing), (replace(A, id="b", created_at=9), Standing())]
    store.close()


def test_other_settings_of_what_lives_leave_how_it_stands_alone(store):
    store.save(A, Standing())
    standing = Standing(wanted=Wanted.RUNNING, state=State.STOPPED, generation=8)
    store.stand("a", standing)
    changed = replace(A, schedule={"zone": "UTC", "windows": [{"days": [0], "start": 540, "end": 1020}]})
    store.configure(changed)
    assert store.load() == [(changed, standing)]


def test_saving_again_replaces_and_standing_changes_only_itself(store):
    store.save(A, Standing())
    changed = replace(A, parameters={"fast": 9})
    store.save(changed, Standing())
    store.stand("a", Standing(wanted=Wanted.RUNNING, generation=1))
    assert store.load() == [(changed, Standing(wanted=Wanted.RUNNING, generation=1))]


def test_only_decisions_outlive_the_daemon():
    running = Life(state=State.RUNNING, wanted=Wanted.RUNNING, generation=4, instance=4, due=9.0, reason="go")
    assert Standing.of(running) == Standing(wanted=Wanted.RUNNING, state=State.STOPPED, generation=4)
    failed = Life(state=State.FAILED, wanted=Wanted.RUNNING, generation=4, reason="why", actor="daemon")
    assert Standing.of(failed).life() == failed
    assert Standing.of(Life()).state is State.REGISTERED


def death(n: int, name: str = "a") -> DeathRecord:
    return DeathRecord(deployment_id=name, generation=n, at=n, cause="hang", stack="s", log_tail=["x", "y"])


def test_the_newest_deaths_are_kept_for_each_deployment(store):
    store.add_death(death(1, "other"))
    for n in range(KEEP_DEATHS + 5):
        store.add_death(death(n))
    kept = store.deaths("a")
    assert kept == [death(n) for n in reversed(range(5, KEEP_DEATHS + 5))]
    assert store.deaths("a", 2) == kept[:2]
    assert store.deaths("other") == [death(1, "other")]


def test_a_removed_deployment_takes_its_deaths_along(store):
    store.save(A, Standing())
    store.add_death(death(1))
    store.remove("a")
    assert (store.load(), store.deaths("a")) == ([], [])


def test_events_are_read_by_number_and_pruned(store, monkeypatch):
    monkeypatch.setattr(deployments, "KEEP_EVENTS", 20)
    for first in range(1, 60, 10):
        store.add_events([Event(n, n, "kind", "a", 1, "d") for n in range(first, first + 10)])
    assert store.last_event() == 60
    assert [event.seq for event in store.newest_events(3)] == [58, 59, 60]
    assert [event.seq for event in store.events(0, 100)] == list(range(41, 61))
    assert store.events(59, 10) == [Event(60, 60, "kind", "a", 1, "d")]
    assert store.events(0, 1)[0].kind == "events_pruned", "what stands for those that went"


def test_events_are_read_of_some_deployments_each_since_it_was_created(store):
    names = ("a", "b", "c", "")
    store.add_events([Event(n, n, "kind", names[n % 4], 1, "d") for n in range(1, 41)])
    since = {"a": 20, "b": 0}
    assert [event.seq for event in store.events(10, 5, since)] == [13, 17, 20, 21, 24]
    assert [event.seq for event in store.newest_events(3, since)] == [36, 37, 40]
    assert store.events(0, 9, {}) == store.newest_events(9, {}) == []


def test_registered_paths_are_kept_once(store):
    for path in ("/b", "/a", "/b"):
        store.add_path(path)
    assert store.paths() == ["/a", "/b"]


def test_a_newer_schema_is_refused_by_a_sentence_and_left_alone(store, url, tmp_path):
    store.close()
    with sqlite3.connect(tmp_path / "stratd.db") as database:
        database.execute("update stratd_revision set version_num = '0099'")
    database.close()
    with pytest.raises(StoreError, match=rf"newer stratd \(schema 99, this one knows {schema.HEAD}\)"):
        DeploymentStore(url).open()
    assert [path.name for path in tmp_path.glob("*corrupt*")] == []


def as_the_first_version_wrote_it(path) -> None:
    """Take from a database of ours what the first version did not have."""
    with sqlite3.connect(path) as database:
        for column in ("trusted_path", "begun", "suspended", "schedule"):
            database.execute(f"alter table deployments drop column {column}")
        database.execute("drop table stratd_revision")
        database.execute("delete from stratd_schema")
        database.execute("insert into stratd_schema values (1)")
    database.close()


@pytest.mark.parametrize("cut_off", [False, True], ids=["whole", "cut off before"])
def test_an_older_database_is_brought_up_and_trusts_nothing(store, url, tmp_path, cut_off):
    path = tmp_path / "stratd.db"
    store.save(A, Standing(generation=3))
    store.close()
    as_the_first_version_wrote_it(path)
    if cut_off:  # the column came, the power went, the version is still the old one
        with sqlite3.connect(path) as database:
            database.execute("alter table deployments add column trusted_path varchar default '' not null")
        database.close()
    assert store.open() == ""
    assert store.load() == [(replace(A, trusted_path=""), Standing(generation=3))]
    store.save(A, Standing())
    store = reopened(store, url)
    assert store.load() == [(A, Standing())]
    with sqlite3.connect(path) as database:
        assert database.execute("select max(version) from stratd_schema").fetchall() == [(5,)]
    database.close()
    store.close()


@pytest.mark.parametrize("damage", ["rubbish", "torn"])
def test_a_file_that_cannot_be_read_is_moved_aside(tmp_path, url, damage):
    path = tmp_path / "stratd.db"
    store = DeploymentStore(url)
    store.open()
    for n in range(200):
        store.save(replace(A, id=f"d{n}"), Standing())
    store.close()
    whole = path.read_bytes()
    path.write_bytes(
        b"not a database at all" * 99 if damage == "rubbish" else whole[:4096] + b"\xff" * (len(whole) - 4096)
    )
    sentence = store.open()
    assert "could not be read" in sentence
    assert store.load() == []
    store.save(A, Standing())
    assert len(list(tmp_path.glob("stratd.db.corrupt-*"))) == 1
    assert sentence.endswith("now")
    store.close()


def test_of_a_torn_file_what_can_be_read_of_the_deployments_is_saved(tmp_path, url):
    path = tmp_path / "stratd.db"
    store = DeploymentStore(url)
    store.open()
    for n in range(5):
        store.save(replace(A, id=f"d{n}"), Standing(wanted=Wanted.PAUSED, generation=7))
    store.add_path("/somewhere/mine.py")
    store.add_events([Event(n, n, "kind", detail="x" * 500) for n in range(1, 2000)])
    store.close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + b"\xff" * (len(whole) // 2))
    sentence = store.open()
    assert ": 5 of its deployments were saved, and it lies at " in sentence
    assert [(one.id, standing.wanted, standing.generation) for one, standing in store.load()] == [
        (f"d{n}", "paused", 7) for n in range(5)
    ]
    assert (store.paths(), store.last_event()) == (["/somewhere/mine.py"], 0)
    store.close()


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(StoreError, match="unable to open database file"):
        DeploymentStore(f"sqlite:///{tmp_path / 'absent' / 'x.db'}").open()


def test_a_password_is_never_shown():
    assert "hush" not in DeploymentStore("postgresql+psycopg://u:hush@host/db").where


def test_using_it_before_opening_is_an_error_by_name(url):
    with pytest.raises(StoreError, match="is not open"):
        DeploymentStore(url).load()


def test_a_driver_that_is_not_installed_is_named_with_the_command_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)  # as if it were not there, where it is
    with pytest.raises(StoreError, match=r"is no part of stratd; .*pip install 'psycopg\[binary\]'$"):
        DeploymentStore("postgresql://stratd:secret@127.0.0.1:1/stratd").open()
