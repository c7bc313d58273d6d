"""Checkpoints in the journal: how many are kept, what is refused or damaged, and earlier schemas."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bus.messages import Checkpoint
from strategies.trading.core import Core
from strategies.trading.records import Cleared, Refused, Saved
from supervisor.store.journal import Journal, JournalReader
from supervisor.store.journal_checkpoints import DAMAGED, KEEP_BAD, KEEP_GOOD, Summary
from tests.strategies.trading.trading_world import T0, running_core
from tests.supervisor.test_journal import before_lots, some_trading, turn_back


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


def checkpoint(number: int, size: int = 8) -> Checkpoint:
    state = number.to_bytes(4, "big") + b"\x00" * (size - 4)
    return Checkpoint(state, 2, 77, {"tick|X|": number}, number * 10, number % 2 == 0)


class Writer:
    """Appends records of every kind that matters here, numbered as they come."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def write(self, kind, **given) -> int:
        seq = self.journal.last_seq + 1
        self.journal.append([kind(seq=seq, at=T0 + seq, **{"deployment_id": "d", **given})])
        return seq

    def save(self, owner: str = "d", size: int = 8) -> int:
        kept = checkpoint(self.journal.last_seq + 1, size)
        return self.write(Saved, deployment_id=owner, generation=3, checkpoint=kept)

    def refuse(self, seq: int, owner: str = "d", why: str = "it does not load") -> int:
        return self.write(Refused, deployment_id=owner, checkpoint=seq, why=why)

    def good(self, owner: str = "d") -> list[int]:
        self.journal.post()
        with JournalReader.open(self.journal.path) as reader:
            return [kept.seq for kept in reader.checkpoints(owner) if not kept.refused]


@pytest.fixture
def journal(path):
    with Journal.open(path) as journal:
        yield journal


@pytest.fixture
def writer(journal):
    return Writer(journal)


def flip(path, seq: int, column: str) -> None:
    """Flip one bit of one checkpoint behind the back of everybody."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        query = f"SELECT {column} FROM checkpoints WHERE seq = ?"  # noqa: S608 - constants only
        (value,) = database.execute(query, (seq,)).fetchone()
        broken = bytes([value[0], value[1] ^ 1, *value[2:]])
        change = f"UPDATE checkpoints SET {column} = ? WHERE seq = ?"  # noqa: S608 - constants only
        database.execute(change, (broken, seq))
        database.commit()


# ---- what is kept ---------------------------------------------------------------------------------
def test_the_last_five_of_each_deployment_are_kept_with_all_that_is_known_of_them(path, writer):
    mine = [writer.save() for _ in range(KEEP_GOOD + 2)]
    other = writer.save("other", size=100)
    assert writer.good() == mine[:1:-1]
    with JournalReader.open(path) as reader:
        newest = reader.checkpoints("d")[0]
        (theirs,) = reader.checkpoints("other")
    assert (newest.seq, newest.at, newest.generation) == (mine[-1], T0 + mine[-1], 3)
    assert (newest.state_version, newest.size, newest.epoch) == (2, 8, 77)
    assert (newest.offset, newest.position) == (mine[-1] * 10, {"tick|X|": mine[-1]})
    assert (newest.paused, newest.refused) == (mine[-1] % 2 == 0, "")
    assert (theirs.seq, theirs.size) == (other, 100)


def test_a_checkpoint_comes_back_as_it_was_written(journal, writer):
    seq = writer.save()
    assert journal.checkpoint("d") == checkpoint(seq)
    assert journal.good("d", seq) == journal.newest("d").saved
    assert (journal.checkpoint("nobody"), journal.good("nobody", seq)) == (None, None)


def test_one_that_is_refused_is_kept_and_never_loaded_again(path, journal, writer):
    first, second = writer.save(), writer.save()
    writer.refuse(second, why="load_state raised KeyError")
    assert journal.newest("d").saved.seq == first
    assert journal.good("d", second) is None
    with JournalReader.open(path) as reader:
        assert [kept.refused for kept in reader.checkpoints("d")] == ["load_state raised KeyError", ""]
        assert reader.saved("d", second).checkpoint == checkpoint(second), "it can be looked at"
        assert reader.checkpoint("d") == checkpoint(first)


def test_with_every_one_refused_there_is_none_to_start_from(journal, writer):
    for seq in [writer.save() for _ in range(3)]:
        writer.refuse(seq)
    assert (journal.newest("d").saved, journal.checkpoint("d")) == (None, None)


def test_bad_ones_are_bounded_too_and_do_not_cost_a_good_one_its_place(journal, writer):
    bad = [writer.save() for _ in range(KEEP_GOOD)]
    for seq in bad:
        writer.refuse(seq)
    good = [writer.save() for _ in range(KEEP_GOOD)]
    assert writer.good() == good[::-1]
    with JournalReader.open(journal.path) as reader:
        assert [kept.seq for kept in reader.checkpoints("d") if kept.refused] == bad[: -KEEP_BAD - 1 : -1]


def test_a_refusal_reaches_only_the_deployment_that_it_names(journal, writer):
    seq = writer.save("other")
    writer.refuse(seq, owner="d")
    assert journal.checkpoint("other") == checkpoint(seq)


def test_what_is_cleared_is_gone_and_what_comes_later_is_not(journal, writer):
    writer.refuse(writer.save())
    writer.save()
    other = writer.save("other")
    writer.write(Cleared)
    later = writer.save()
    assert writer.good() == [later]
    assert journal.checkpoint("other") == checkpoint(other)
    with JournalReader.open(journal.path) as reader:
        assert [kept.seq for kept in reader.checkpoints("d")] == [later]


def test_a_removed_deployment_leaves_none(journal, writer):
    writer.refuse(writer.save())
    writer.save()
    journal.forget("d")
    with JournalReader.open(journal.path) as reader:
        assert (reader.checkpoints("d"), reader.summaries()) == ([], {})


def test_a_sum_for_each_deployment_tells_the_newest_and_how_many(path, journal, writer):
    good = [writer.save() for _ in range(2)]
    writer.refuse(writer.save())
    writer.refuse(writer.save("lost"), owner="lost")
    journal.post()
    with JournalReader.open(path) as reader:
        assert reader.summaries() == {
            "d": Summary(seq=good[-1], at=T0 + good[-1], size=8, good=2, refused=1),
            "lost": Summary(refused=1),
        }


def test_refusals_and_clearings_outlive_the_process(path):
    journal = Journal.open(path)
    writer = Writer(journal)
    first = writer.save()
    writer.refuse(writer.save())
    writer.save("other")
    writer.write(Cleared, deployment_id="other")
    journal.commit()
    journal._database.close()  # as if the process had died before it posted
    with Journal.open(path) as again:
        assert again.newest("d").saved.seq == first
        assert again.newest("other").saved is None
        core = Core()
        core.restore(again.recover())
        assert core.snapshot().seq == again.last_seq


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("srcp"), st.integers(0, 12), st.sampled_from("de")), max_size=40))
def test_what_is_kept_follows_from_what_happened(tmp_path_factory, steps):
    """Against a model: lists of what was saved, refused and cleared, whatever was posted together."""
    path = tmp_path_factory.mktemp("model") / "journal.db"
    good: dict[str, list[int]] = {"d": [], "e": []}
    bad: dict[str, list[int]] = {"d": [], "e": []}
    with Journal.open(path) as journal, JournalReader.open(path) as reader:
        writer = Writer(journal)
        for what, which, owner in steps:
            mine = good[owner]
            if what == "s":
                mine.append(writer.save(owner))
            elif what == "r" and mine:
                seq = mine[max(-KEEP_GOOD, -1 - which)] if which < len(mine) else mine[-1]
                writer.refuse(seq, owner)
                mine.remove(seq)
                bad[owner].append(seq)
            elif what == "c":
                writer.write(Cleared, deployment_id=owner)
                mine.clear()
                bad[owner].clear()
            journal.post()
            for name in ("d", "e"):
                good[name] = good[name][-KEEP_GOOD:]
                bad[name] = sorted(bad[name])[-KEEP_BAD:]
                kept = reader.checkpoints(name)
                assert [one.seq for one in kept if not one.refused] == good[name][::-1]
                assert [one.seq for one in kept if one.refused] == bad[name][::-1]


# ---- damage ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("column", ["state", "saved"])
def test_a_flipped_bit_is_noticed_and_the_one_before_it_is_taken(path, journal, writer, column):
    first, second = writer.save(), writer.save()
    journal.post()
    flip(path, second, column)
    newest = journal.newest("d")
    assert (newest.saved.seq, newest.damaged) == (first, [second])
    assert journal.good("d", second) is None
    with JournalReader.open(path) as reader:
        assert reader.saved("d", second) is None
        assert [kept.seq for kept in reader.checkpoints("d")] == [second, first]
    writer.refuse(second, why=DAMAGED)
    assert journal.newest("d").damaged == []


@pytest.mark.parametrize("value", ["'text'", "7", "x''", "CAST(x'80ff' AS TEXT)"])
def test_a_value_of_another_type_is_damage_and_no_error(path, journal, writer, value):
    first, second = writer.save(), writer.save()
    journal.post()
    with contextlib.closing(sqlite3.connect(path)) as database:
        for column in ("state", "saved"):
            database.execute(f"UPDATE checkpoints SET {column} = {value} WHERE seq = {second}")  # noqa: S608
        database.commit()
    assert (journal.newest("d").saved.seq, journal.newest("d").damaged) == (first, [second])
    with JournalReader.open(path) as reader:
        assert reader.saved("d", second) is None
        assert reader.checkpoints("d")[0].refused == DAMAGED


def test_with_every_one_damaged_there_is_none(path, journal, writer):
    both = [writer.save(), writer.save()]
    journal.post()
    for seq in both:
        flip(path, seq, "state")
    newest = journal.newest("d")
    assert (newest.saved, newest.damaged) == (None, both[::-1])


# ---- a copy ---------------------------------------------------------------------------------------
def test_a_copy_is_told_of_a_newer_one_of_one_refused_and_of_none_left(path, journal, writer):
    first, other = writer.save(), writer.save("other")
    journal.post()
    with JournalReader.open(path) as reader:

        def told(known):
            copy = reader.copy(0, 1000, 0, known)
            return [saved.seq for saved in copy.checkpoints], copy.heads

        assert told({}) == ([first, other], {"d": first, "other": other})
        second = writer.save()
        journal.post()
        assert told({"d": first, "other": other}) == ([second], {"d": second, "other": other})
        writer.refuse(second)
        journal.post()
        assert told({"d": second, "other": other}) == ([first], {"d": first, "other": other})
        writer.write(Cleared)
        journal.post()
        assert told({"d": first, "other": other}) == ([], {"other": other})


# ---- earlier versions -----------------------------------------------------------------------------
@pytest.mark.parametrize("version", [1, 2])
def test_a_checkpoint_of_an_earlier_schema_is_there_and_checked_from_then_on(path, version):
    core = running_core()
    with Journal.open(path) as journal:
        some_trading(core, journal)
        seq = Writer(journal).save("other", size=200_000)
    turn_back(path, version)
    with Journal.open(path) as journal:
        assert journal.last_seq == seq
        assert journal.checkpoint("other") == checkpoint(seq, 200_000)
        recovered = Core()
        recovered.restore(journal.recover())
        assert recovered.snapshot() == before_lots(replace(core.snapshot(), seq=seq))
        assert Writer(journal).good("other") == [seq]
    flip(path, seq, "state")
    with Journal.open(path) as journal:
        assert journal.newest("other").damaged == [seq]


def test_one_that_was_damaged_before_it_was_brought_up_to_date_is_told_as_such(path):
    with Journal.open(path) as journal:
        first = Writer(journal).save()
        Writer(journal).save("other")
    turn_back(path, 2)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE checkpoints SET payload = x'c1' WHERE deployment_id = 'd'")
        database.commit()
    with Journal.open(path) as journal, JournalReader.open(path) as reader:
        assert (journal.newest("d").saved, journal.newest("d").damaged) == (None, [first])
        assert journal.newest("other").damaged == []
        assert [kept.refused for kept in reader.checkpoints("d")] == [DAMAGED]
