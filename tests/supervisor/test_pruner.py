"""The journal pruned beside its writer: the same as at a start, in pieces, and nobody waits."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from strategies.trading.core import Core
from strategies.trading.records import Noted
from supervisor.store import checkpointer, journal_pruning, pruner
from supervisor.store.checkpointer import Checkpointer
from supervisor.store.journal import Journal, JournalReader
from tests.strategies.trading.trading_world import T0, running_core
from tests.supervisor.test_journal import noted, some_trading
from tests.waiting import wait_until


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@contextlib.contextmanager
def beside(path):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        yield database


def tables(path) -> dict[str, list]:
    with beside(path) as database:
        return {
            name: database.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()  # noqa: S608
            for name in ("signals", "orders", "fills", "events", "tallies", "positions", "checkpoints")
        }


def test_pieces_leave_what_one_pruning_leaves(tmp_path):
    left = []
    for name in ("whole", "pieces"):
        path = tmp_path / f"{name}.db"
        with Journal.open(path) as journal:
            some_trading(running_core(), journal)
            if name == "whole":
                journal.prune(keep=0)
            else:
                with beside(path) as database:
                    dropped = list(pruner.pieces(database, keep=0, size=3))
                assert len(dropped) > 5
                assert max(dropped) <= 12
        left.append(tables(path))
    assert left[0] == left[1]


def test_nobody_is_pruned_by_what_another_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_pruning, "SHARE", 5)
    for name in ("whole", "pieces"):
        path = tmp_path / f"{name}.db"
        with Journal.open(path) as journal, JournalReader.open(path) as reader, beside(path) as database:
            journal.append([noted(seq, "quiet" if seq <= 7 else "noisy") for seq in range(1, 41)])
            journal.post()
            if name == "whole":
                assert 15 == journal.prune(keep=20)
                assert 0 == journal.prune(keep=20)
            else:
                assert 15 == sum(pruner.pieces(database, keep=20, size=3))
                assert [] == list(pruner.pieces(database, keep=20, size=3))
            left = [event.seq for event in reader.events(limit=100)]
        assert left == [3, 4, 5, 6, 7, *range(21, 41)]


def test_the_writer_goes_on_between_two_pieces_and_loses_nothing(path):
    core = running_core()
    with Journal.open(path) as journal, JournalReader.open(path) as reader, beside(path) as database:
        written = some_trading(core, journal)
        going = pruner.pieces(database, keep=0, size=2)
        for seq in range(journal.last_seq + 1, journal.last_seq + 11):
            next(going, None)
            journal.append([noted(seq)])
            journal.post()
        for _ in going:
            pass
        assert len(reader.events(limit=100)) >= 10, "what came after it began is not touched"
    with Journal.open(path) as journal:
        recovered = Core()
        recovered.restore(journal.recover())
        assert recovered.counts("d") == core.counts("d")
        assert recovered.snapshot().keys == core.snapshot().keys
        assert journal.last_seq == written[-1].seq + 10


def test_a_journal_that_is_short_enough_is_left_alone(path):
    with Journal.open(path) as journal, beside(path) as database:
        journal.append([noted(seq) for seq in range(1, 11)])
        journal.post()
        assert list(pruner.pieces(database, keep=10)) == []


def test_a_piece_that_cannot_be_written_is_taken_back_whole(path):
    with Journal.open(path) as journal, beside(path) as database:
        some_trading(running_core(), journal)
        before = tables(path)
        journal._execute("BEGIN IMMEDIATE")  # the writer is in the middle of something
        database.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            list(pruner.pieces(database, keep=0))
        journal._execute("ROLLBACK")
        assert tables(path) == before
        assert sum(pruner.pieces(database, keep=0)) > 20


@pytest.mark.system
def test_the_thread_prunes_a_running_journal_when_its_time_has_come(path, monkeypatch):
    monkeypatch.setattr(pruner, "EVERY", 0.0)
    monkeypatch.setattr(checkpointer, "KEEP", 10)
    monkeypatch.setattr(checkpointer, "EVERY", 0.01)
    with Journal.open(path) as journal, JournalReader.open(path) as reader:
        journal.append([noted(seq) for seq in range(1, 101)])
        journal.post()
        beside_it = Checkpointer(path)
        beside_it.start()
        try:
            wait_until(lambda: len(reader.events(limit=1000)) == 10, what="ten events left")
            journal.append([Noted(seq=101, at=T0, deployment_id="d", kind="test", detail="")])
            journal.post()
        finally:
            beside_it.close()
        assert reader.events(limit=1)[0].seq == 101


@pytest.mark.system
def test_the_thread_goes_on_though_the_journal_could_not_be_opened_at_first(path, monkeypatch):
    """Ended by that, it would neither copy the log back nor sync the tape, and nobody would know."""
    monkeypatch.setattr(pruner, "EVERY", 0.0)
    monkeypatch.setattr(checkpointer, "KEEP", 10)
    monkeypatch.setattr(checkpointer, "EVERY", 0.01)
    tried = []
    connect = sqlite3.connect

    def refuse(*arguments, **options):
        tried.append(arguments)
        if len(tried) < 3:
            raise sqlite3.OperationalError("unable to open database file")
        return connect(*arguments, **options)

    with Journal.open(path) as journal, JournalReader.open(path) as reader:
        journal.append([noted(seq) for seq in range(1, 101)])
        journal.post()
        monkeypatch.setattr(checkpointer.sqlite3, "connect", refuse)
        beside_it = Checkpointer(path)
        beside_it.start()
        try:
            wait_until(lambda: len(reader.events(limit=1000)) == 10, what="ten events left")
        finally:
            beside_it.close()
    assert len(tried) == 3
