"""The journal against the real SQLite: whole groups or nothing, through kill -9, damage and a full disk."""

import contextlib
import os
import random
import signal as signals
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from bus.messages import Checkpoint
from strategies.trading.accounts import AccountTerms
from strategies.trading.core import Core
from strategies.trading.records import LotRing, Noted, Tally
from strategies.trading.replies import ROW, accepted_signal
from strategies.trading.routing import Report
from strategies.trading.setup import Setup
from supervisor.store.journal import Journal, JournalCorrupt, JournalError, JournalReader, JournalTooNew
from supervisor.store.journal_checkpoints import KEEP_GOOD
from tests.strategies.trading.trading_world import SECOND, T0, grant, running_core, signal, tick

CHECKPOINT = Checkpoint(b"state", 1, 7, {"tick|X|": 3})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


def noted(seq, deployment_id="d"):
    return Noted(seq=seq, at=T0, deployment_id=deployment_id, kind="test", detail=f"number {seq}")


def turn_back(path, version):
    """Make of a journal what an earlier version would have left: one checkpoint a deployment, and no log."""
    with JournalReader.open(path) as reader:
        saved = reader.copy(0, 1_000_000, 0).checkpoints
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(
            "DROP TABLE standing; DROP TABLE lots; DROP TABLE ends; DROP TABLE recent; DROP INDEX orders_of"
        )
        database.executescript(
            "DROP TABLE checkpoints; CREATE TABLE checkpoints "
            "(deployment_id TEXT PRIMARY KEY, seq INTEGER NOT NULL, payload BLOB NOT NULL);"
        )
        for one in saved:
            row = (one.deployment_id, one.seq, msgspec.msgpack.encode(one))
            database.execute("INSERT INTO checkpoints VALUES (?, ?, ?)", row)
        database.commit()
        if version == 1:
            database.executescript(
                "DROP TABLE log; DELETE FROM meta WHERE name = 'posted'; INSERT INTO meta VALUES ('floor', 3)"
            )
        database.execute(f"PRAGMA user_version = {version}")


def before_lots(snapshot):
    """Return what of a snapshot comes back from before there were lots and figures: a lot a holding."""
    held = [position for position in snapshot.positions if position.quantity]
    seqs = {(ring.deployment_id, ring.symbol): ring.lots[-1][0] for ring in snapshot.lots}
    lots = [
        LotRing(
            one.deployment_id,
            one.symbol,
            [(seqs[one.deployment_id, one.symbol], one.quantity, one.average_price)],
        )
        for one in held
    ]
    return replace(snapshot, lots=lots, figures=[], recent=[])


def some_trading(core, journal, *, keys=range(7)):
    """Accept, refuse, fill, cancel and checkpoint, each turn one group; return every record."""
    written = []
    for key in keys:
        asked = [
            signal(key=key),
            signal(key=key),  # duplicate
            signal(key=key, symbol="Z"),
            signal("exit_long", key=key, leg="out", symbol="Y"),
            signal(key=key, symbol="Y", data_as_of=T0 - 60 * SECOND),
        ]
        outcomes = [core.on_signals("d", 1, asked, T0), core.on_checkpoint("d", 1, CHECKPOINT, T0)]
        if key % 3:
            outcomes += [core.on_tick(tick(100.0 + key), T0)]
        for outcome in outcomes:
            if outcome:
                journal.append(outcome.records)
                written += outcome.records
        journal.commit()
    journal.post()
    return written


# ---- what was committed comes back ----------------------------------------------------------------
def test_a_new_journal_has_nothing_to_recover(path):
    with Journal.open(path) as journal:
        assert (journal.last_seq, list(journal.recover())) == (0, [])


def test_a_core_recovers_the_state_that_it_had(path):
    core = running_core()
    with Journal.open(path) as journal:
        some_trading(core, journal)
    recovered = Core()
    with Journal.open(path) as journal:
        recovered.restore(journal.recover())
        assert recovered.snapshot() == core.snapshot()
        assert journal.last_seq == core.snapshot().seq
    snapshot = recovered.snapshot()
    assert (len(snapshot.orders), snapshot.tallies) == (1, [Tally("d", 7, 14, 7, 7)])
    assert [position.quantity for position in snapshot.positions] == [6.0]


def test_a_recovered_core_goes_on_in_the_same_file(path):
    with Journal.open(path) as journal:
        some_trading(running_core(), journal)
    with Journal.open(path) as journal:
        core = Core(seed=journal.seed)
        core.restore(journal.recover())
        core.attach(grant(generation=2))
        core.running("d", 2)
        core.set_price("X", 100.0, T0)
        out = core.on_signals("d", 2, [signal(key=3), signal(key=99)], T0)
        assert [record.decision for record in out.records[:2]] == ["duplicate", "accepted"]
        journal.append(out.records)
        journal.commit()
        assert journal.last_seq == core.snapshot().seq


def test_an_uncommitted_group_is_not_there_after_a_close_that_never_came(path):
    journal = Journal.open(path)
    journal.append([noted(1), noted(2)])
    journal.post()
    journal.append([noted(3)])
    with JournalReader.open(path) as reader:
        assert [event.seq for event in reader.events()] == [1, 2]
    journal._database.close()  # as if the process had died
    with Journal.open(path) as again:
        assert again.last_seq == 2


def test_a_group_that_was_committed_and_not_posted_comes_back(path):
    core = running_core()
    journal = Journal.open(path)
    some_trading(core, journal)
    for outcome in (core.on_signals("d", 1, [signal(key=50)], T0), core.on_tick(tick(120.0), T0)):
        journal.append(outcome.records)
        journal.commit()
    with JournalReader.open(path) as reader:
        assert reader.copy(0, 1000, 0).seq < reader.last_seq() == journal.last_seq
    journal._database.close()  # as if the process had died
    recovered = Core()
    with Journal.open(path) as again, JournalReader.open(path) as reader:
        assert again.last_seq == reader.last_seq() == reader.copy(0, 1000, 0).seq
        recovered.restore(again.recover())
    assert recovered.snapshot() == core.snapshot()


def test_whether_it_is_behind_is_known_until_everything_is_posted(path):
    with Journal.open(path) as journal, JournalReader.open(path) as reader:
        assert not journal.behind
        journal.append([noted(1)])
        assert not journal.behind  # nothing is committed yet
        journal.commit()
        assert (journal.behind, reader.events()) == (True, [])
        journal.post()
        assert (journal.behind, len(reader.events())) == (False, 1)
        journal.post()
        assert len(reader.events()) == 1


def test_what_the_writer_reads_is_never_behind(path):
    core = running_core()
    with Journal.open(path) as journal:
        journal.append(core.on_signals("d", 1, [signal()], T0).records)
        assert len(journal.accepted(0, 10)) == 1
        journal.append(core.on_checkpoint("d", 1, CHECKPOINT, T0).records)
        assert journal.checkpoint("d") == CHECKPOINT


def test_the_log_stays_short_and_keeps_its_newest_group(path):
    with Journal.open(path) as journal:
        for seq in range(1, 100):
            journal.append([noted(seq)])
            journal.post()
        assert journal._execute("SELECT seq FROM log").fetchall() == [(99,)]


def test_ids_of_two_journals_differ_and_those_of_one_do_not_change(path, tmp_path):
    with Journal.open(path) as one, Journal.open(tmp_path / "other.db") as other:
        seed = one.seed
        assert seed != other.seed
    with Journal.open(path) as again:
        assert again.seed == seed


def test_a_record_out_of_sequence_is_refused_and_the_group_with_it(path):
    with Journal.open(path) as journal:
        journal.append([noted(1)])
        journal.commit()
        with pytest.raises(JournalError, match="record 3 cannot follow record 1"):
            journal.append([noted(3)])
        with pytest.raises(JournalError, match="takes no more records"):
            journal.append([noted(2)])
    with Journal.open(path) as journal:
        assert journal.last_seq == 1


def test_a_second_writer_is_noticed_and_changes_nothing(path):
    with Journal.open(path) as one, Journal.open(path) as other:
        one.append([noted(1)])
        one.commit()
        one.post()
        other.append([noted(1, "intruder"), noted(2, "intruder")])
        with pytest.raises(JournalError, match="another writer has gone on from record 0"):
            other.commit()
    with JournalReader.open(path) as reader:
        assert [event.deployment_id for event in reader.events()] == ["d"]


def test_full_sync_can_be_asked_for_at_the_start_and_later(path):
    with Journal.open(path, "FULL") as journal:
        assert journal._execute("PRAGMA synchronous").fetchone() == (2,)
    with Journal.open(path) as journal:
        assert journal._execute("PRAGMA synchronous").fetchone() == (1,)
        journal.use_full_sync()
        assert journal._execute("PRAGMA synchronous").fetchone() == (2,)


@pytest.mark.parametrize("fills", [False, True])
@pytest.mark.parametrize("route", ["", "gateway"])
def test_what_is_live_is_synced_in_full_before_anybody_asks_for_it(path, route, fills):
    accounts = {"A": AccountTerms(name="A", live=True, route=route)}
    mode = "live" if route else "paper"
    core = running_core(grant(trading_mode=mode), setup=Setup(accounts=accounts, live=True))
    with Journal.open(path) as journal:
        out = core.on_signals("d", 1, [signal()], T0)
        journal.append(out.records)
        if fills and route:
            [order] = [each.order for each in out.sends]
            filled = Report(
                order_id=order.order_id, deployment_id="d", symbol="X", status="filled", filled=1.0,
                average_price=100.0,
            )  # fmt: skip
            journal.append(core.on_report(filled, T0 + 1).records)
        elif fills:
            journal.append(core.on_tick(tick(), T0 + 1).records)
    with Journal.open(path) as journal:
        journal.recover()
        assert (2 if route else 1,) == journal._execute("PRAGMA synchronous").fetchone()


# ---- reading beside the writer --------------------------------------------------------------------
def test_signals_are_listed_with_verdict_and_rule_and_in_pages(path):
    core = running_core()
    with Journal.open(path) as journal, JournalReader.open(path) as reader:
        some_trading(core, journal, keys=range(2))
        rows = reader.signals("d")
        assert all(tuple(row) == ROW for row in rows)
        first = [(row["verdict"], row["rule"]) for row in rows[:5]]
        assert first == [
            ("accepted", ""),
            ("duplicate", "duplicate"),
            ("rejected", "symbol_not_granted"),
            ("rejected", "no_position"),
            ("expired", "ttl"),
        ]
        assert reader.signals("d", limit=3) == rows[-3:]
        assert reader.signals(None, after_seq=rows[1]["seq"], limit=2) == rows[2:4]
        assert reader.signals("nobody") == []


def test_the_sum_of_a_flood_is_listed_with_its_count(path):
    core = running_core()
    with Journal.open(path) as journal, JournalReader.open(path) as reader:
        for _ in range(2):
            bad = [signal(key=k, symbol="Z") for k in range(1000)]
            journal.append(core.on_signals("d", 1, bad, T0).records)
        journal.post()
        assert sum(row["count"] for row in reader.signals("d", limit=5000)) == 2000
        core = Core()
        core.restore(journal.recover())
        assert core.counts("d") == Tally("d", rejected=2000)


def test_accepted_signals_can_be_asked_for_again_from_any_sequence(path):
    core = running_core()
    with Journal.open(path) as journal, JournalReader.open(path) as reader:
        written = some_trading(core, journal)
        sent = [accepted_signal(r) for r in written if getattr(r, "decision", "") == "accepted"]
        assert reader.accepted(0, 100) == journal.accepted(0, 100) == sent
        assert reader.accepted(sent[1].seq, 2) == sent[2:4]
        for anything in (2**64 - 2, 2**63):
            assert journal.accepted(anything, 100) == []
        assert journal.accepted(-(2**64), 100) == sent


def test_fills_positions_and_checkpoints_are_read_as_the_core_has_them(path):
    core = running_core()
    with Journal.open(path) as journal, JournalReader.open(path) as reader:
        some_trading(core, journal)
        held = core.snapshot().positions
        assert reader.positions("d") == reader.positions() == held
        fills = reader.fills("d", limit=1000)
        assert sum(fill.quantity for fill in fills) == held[0].quantity
        assert reader.executions(0, 1000)[-1].position == held[0]
        assert reader.checkpoint("d") == journal.checkpoint("d") == CHECKPOINT
        assert [kept.refused for kept in reader.checkpoints("d")] == [""] * KEEP_GOOD
        assert (reader.checkpoint("nobody"), reader.positions("nobody")) == (None, [])


def test_a_reader_that_lingers_never_stops_the_writer(path):
    with Journal.open(path) as journal, JournalReader.open(path) as reader:
        journal.append([noted(1)])
        journal.post()
        cursor = reader._database.execute("SELECT * FROM events")  # a read that is left open
        journal.append([noted(2)])
        journal.post()
        assert len(cursor.fetchall()) == 1
        assert len(reader.events()) == 2


def test_reading_where_no_journal_is_says_so(tmp_path):
    with pytest.raises(JournalError, match=r"nothing\.db cannot be read"):
        JournalReader.open(tmp_path / "nothing.db")


# ---- forgetting and pruning -----------------------------------------------------------------------
def test_a_removed_deployment_is_forgotten_but_its_keys_and_what_it_holds(path):
    core = running_core(grant(), grant("e"))
    with Journal.open(path) as journal, JournalReader.open(path) as reader:
        some_trading(core, journal)
        journal.append(core.on_signals("e", 1, [signal()], T0).records)
        journal.append(core.forget("d", T0).records)
        journal.forget("d")
        journal.commit()
        assert (reader.signals("d"), reader.fills("d"), reader.checkpoint("d")) == ([], [], None)
        assert [position.quantity for position in reader.positions("d")] == [6.0]
        assert len(reader.signals("e")) == 1
        last = journal.last_seq
    with Journal.open(path) as journal:
        recovered = Core()
        recovered.restore(journal.recover())
        assert recovered.snapshot() == core.snapshot()
        assert journal.last_seq == last


@pytest.mark.parametrize("posted_before", [True, False])
def test_an_engine_that_dies_while_it_forgets_counts_no_money_twice(path, posted_before):
    core = running_core()
    with Journal.open(path) as journal:
        for number, intent in enumerate(["enter_long", "exit_all"], start=1):
            now = T0 + number * SECOND
            journal.append(core.on_signals("d", 1, [signal(intent, number, data_as_of=now)], now).records)
            journal.append(core.on_tick(tick(100.0 + number, ts=now), now).records)
        if posted_before:
            journal.post()
        journal.append(core.forget("d", T0 + 9 * SECOND).records)
        journal.commit()  # and dies here, before journal.forget
    assert [1.0] == [settled.realised for settled in core.snapshot().settled]
    with Journal.open(path) as journal:
        recovered = Core()
        recovered.restore(journal.recover())
        assert replace(recovered.snapshot(), tallies=[]) == replace(core.snapshot(), tallies=[])


def test_numbers_are_never_given_twice_even_when_the_newest_rows_are_dropped(path):
    core = running_core()
    with Journal.open(path) as journal:
        journal.append(core.on_checkpoint("d", 1, CHECKPOINT, T0).records)
        journal.forget("d")
    with Journal.open(path) as journal:
        assert journal.last_seq == 1


def test_pruning_changes_nothing_that_a_core_recovers(path):
    core = running_core()
    with Journal.open(path) as journal, JournalReader.open(path) as reader:
        some_trading(core, journal)
        before = list(journal.recover())
        dropped = journal.prune(keep=0)
        assert dropped > 20
        assert list(journal.recover()) == before
        assert reader.fills("d") == []
        # Accepted ones stay while their keys matter.
        assert {row["verdict"] for row in reader.signals("d", limit=1000)} == {"accepted"}
        assert journal.prune(keep=0) == 0


def test_pruning_drops_accepted_signals_once_their_keys_are_too_old_and_still_counts_them(path):
    core = running_core()
    day = 86_400 * SECOND
    with Journal.open(path) as journal:
        for index in range(3):
            now = T0 + index * day * 2
            core.set_price("X", 100.0, now)
            journal.append(core.on_signals("d", 1, [signal(key=index, data_as_of=now)], now).records)
            journal.append(core.on_tick(tick(100.0, ts=now), now).records)
        journal.prune(keep=0)
        assert len(journal.accepted(0, 10)) == 1
        recovered = Core()
        recovered.restore(journal.recover())
        assert recovered.snapshot() == core.snapshot()
        assert recovered.counts("d").accepted == 3


def test_pruning_leaves_as_many_as_asked(path):
    with Journal.open(path) as journal, JournalReader.open(path) as reader:
        journal.append([noted(seq) for seq in range(1, 101)])
        assert journal.prune(keep=10) == 90
        assert [event.seq for event in reader.events(limit=1000)] == list(range(91, 101))


# ---- what can go wrong with the file --------------------------------------------------------------
def test_a_full_disk_takes_the_whole_group_back_and_says_so(path):
    with Journal.open(path) as journal:
        journal.append([noted(1)])
        journal.commit()
        (pages,) = journal._execute("PRAGMA page_count").fetchone()
        journal._execute(f"PRAGMA max_page_count = {pages}")  # SQLITE_FULL, as from a full disk
        big = [msgspec.structs.replace(noted(seq), detail="x" * 2000) for seq in range(2, 50)]
        journal.append(big)
        with pytest.raises(JournalError, match=r"cannot be written: database or disk is full"):
            journal.commit()
        with pytest.raises(JournalError, match="takes no more records"):
            journal.append([noted(2)])
        assert not journal._database.in_transaction
    with Journal.open(path) as journal, JournalReader.open(path) as reader:
        assert [event.seq for event in reader.events()] == [1]
        journal.append([noted(2)])  # opened again, it goes on
        journal.commit()


def test_a_disk_that_is_full_when_it_posts_loses_nothing_that_was_committed(path):
    with Journal.open(path) as journal:
        big = [msgspec.structs.replace(noted(seq), detail="x" * 2000) for seq in range(1, 50)]
        journal.append(big)
        journal.commit()
        (pages,) = journal._execute("PRAGMA page_count").fetchone()
        journal._execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(JournalError, match=r"cannot be written: database or disk is full"):
            journal.post()
    with Journal.open(path) as journal, JournalReader.open(path) as reader:
        assert (journal.last_seq, len(reader.events(limit=1000))) == (49, 49)


@pytest.mark.parametrize("where", ["header", "pages"])
def test_a_damaged_file_is_moved_aside_named_and_never_half_read(path, where):
    with Journal.open(path) as journal:
        journal.append([msgspec.structs.replace(noted(seq), detail="x" * 500) for seq in range(1, 200)])
    content = bytearray(path.read_bytes())
    start = 0 if where == "header" else 4096
    content[start:] = b"\xa5" * (len(content) - start)
    path.write_bytes(content)
    with pytest.raises(JournalCorrupt, match=r"journal\.db is damaged .*corrupt-1") as caught:
        Journal.open(path)
    assert "\n" not in str(caught.value)
    moved = path.with_name("journal.db.corrupt-1")
    assert caught.value.moved_to == moved
    assert moved.read_bytes() == content
    assert not path.exists()
    with Journal.open(path) as fresh:
        assert fresh.last_seq == 0


def test_a_second_damaged_file_does_not_overwrite_the_first(path):
    for number in (1, 2):
        path.write_bytes(b"no database, but long enough to be one" * 200)
        with pytest.raises(JournalCorrupt):
            Journal.open(path)
        assert path.with_name(f"journal.db.corrupt-{number}").exists()


def test_a_record_that_does_not_decode_is_damage_too(path):
    with Journal.open(path) as journal:
        some_trading(running_core(), journal)
        journal._execute("UPDATE positions SET payload = x'c1'")
    with Journal.open(path) as journal, pytest.raises(JournalCorrupt):
        journal.recover()
    assert path.with_name("journal.db.corrupt-1").exists()


def test_a_group_of_the_log_that_does_not_decode_is_damage_too(path):
    with Journal.open(path) as journal:
        some_trading(running_core(), journal)
        journal._execute("UPDATE log SET seq = seq + 1, records = x'c1'")
    with pytest.raises(JournalCorrupt, match="is damaged"):
        Journal.open(path)
    assert path.with_name("journal.db.corrupt-1").exists()


def test_a_journal_of_the_first_schema_is_brought_up_to_date_and_goes_on(path):
    core = running_core()
    with Journal.open(path) as journal:
        some_trading(core, journal)
        last = journal.last_seq
    turn_back(path, 1)
    with Journal.open(path) as journal:
        assert journal.last_seq == last
        recovered = Core()
        recovered.restore(journal.recover())
        assert recovered.snapshot() == before_lots(core.snapshot())
        journal.append([noted(last + 1)])
    with Journal.open(path) as journal:
        assert journal.last_seq == last + 1


def test_a_journal_of_a_later_version_is_refused_and_left_alone(path):
    Journal.open(path).close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    for attempt in (Journal.open, JournalReader.open):
        with pytest.raises(JournalTooNew, match="has schema 99, this stratd knows up to 5"):
            attempt(path)
    assert path.read_bytes() == before


def test_a_database_of_somebody_else_is_refused_and_left_alone(path):
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE theirs (a)")
        database.commit()
    before = path.read_bytes()
    with pytest.raises(JournalError, match="no journal of stratd"):
        Journal.open(path)
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(JournalError, match=r"journal\.db cannot be opened"):
        Journal.open(tmp_path / "absent" / "journal.db")


def test_closing_twice_is_fine_and_nothing_is_taken_afterwards(path):
    journal = Journal.open(path)
    journal.append([noted(1)])
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="it is closed"):
        journal.append([noted(2)])
    with Journal.open(path) as again:
        assert again.last_seq == 1


# ---- kill -9 --------------------------------------------------------------------------------------
@pytest.mark.system
def test_after_kill_9_of_the_writer_the_committed_prefix_is_there_and_nothing_else(path):
    group = 6  # records a commit of journal_writer.py
    root = Path(__file__).resolve().parents[2]
    chance, last = random.Random(7), 0
    for _ in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-m", "tests.supervisor.journal_writer", str(path)],
            stdout=subprocess.PIPE, cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
        )  # fmt: skip
        with writer, writer.stdout as commits:
            # In the middle of its work: a random number of commits, and then wherever it happens to be.
            told = [int(commits.readline()) for _ in range(chance.randrange(5, 400))][-1]
            writer.send_signal(signals.SIGKILL)
            told = int((commits.read().split(b"\n")[:-1] or [str(told)])[-1])
        assert writer.returncode == -signals.SIGKILL
        with Journal.open(path) as journal:
            assert journal.last_seq >= told > last
            assert journal.last_seq % group == 0  # no group in part
            rows = journal._execute(
                "SELECT seq FROM signals UNION ALL SELECT seq FROM orders "
                "UNION ALL SELECT seq FROM fills ORDER BY 1"
            ).fetchall()
            assert [seq for (seq,) in rows] == list(range(1, journal.last_seq + 1))  # nothing missing
            core = Core()
            core.restore(journal.recover())
            snapshot = core.snapshot()
            assert (snapshot.orders, [p.quantity for p in snapshot.positions]) == ([], [0.0])
            assert len(snapshot.keys[0].keys) == snapshot.tallies[0].accepted == journal.last_seq // 3
            last = journal.last_seq
