"""What is read of a journal for a copy, and a new journal that is filled from one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bus.messages import Checkpoint
from strategies.trading.core import Core
from strategies.trading.records import LotRing, Snapshot, Tally
from supervisor.store.journal import KEEP, Journal, JournalError, JournalReader
from supervisor.store.journal_copy import LEAP, JournalCopy, read
from tests.strategies.trading.trading_world import T0, grant, running_core, signal, tick, verdicts
from tests.supervisor.test_journal import CHECKPOINT, some_trading

EVERYTHING = 1_000_000


def copied(path, after=0, limit=EVERYTHING, since=0, known=None) -> JournalCopy:
    with JournalReader.open(path) as reader:
        return reader.copy(after, limit, since, known or {})


def recovered(path) -> Snapshot:
    with Journal.open(path) as journal:
        core = Core()
        core.restore(journal.recover())
        return core.snapshot()


def lost(tmp_path, *grants, forgotten=()):
    """Trade in a journal, and return its path and the core's state."""
    path, core = tmp_path / "lost.db", running_core(*grants)
    with Journal.open(path) as journal:
        some_trading(core, journal)
        for name in forgotten:
            journal.append(core.forget(name, T0).records)
            journal.forget(name)
    return path, core


def test_a_new_journal_is_filled_with_all_that_trading_must_know(tmp_path):
    path, core = lost(tmp_path)
    new = tmp_path / "new.db"
    with Journal.open(new) as journal:
        journal.seed_from(copied(path))
        assert journal.last_seq == core.snapshot().seq + LEAP
    # All but the orders of the last minute, which no copy has.
    assert recovered(new) == replace(core.snapshot(), seq=core.snapshot().seq + LEAP, recent=[])
    assert len(core.snapshot().orders) == 1
    with JournalReader.open(path) as old, JournalReader.open(new) as reader:
        assert reader.checkpoint("d") == CHECKPOINT
        assert reader.accepted(0, EVERYTHING) == old.accepted(0, EVERYTHING)
        assert reader.positions() == old.positions()


def test_a_filled_journal_knows_repeated_signals_and_gives_no_number_twice(tmp_path):
    path, core = lost(tmp_path)
    with Journal.open(tmp_path / "new.db") as journal:
        journal.seed_from(copied(path))
        again = Core(seed=journal.seed)
        again.restore(journal.recover())
        again.attach(grant(generation=2))
        again.running("d", 2)
        again.set_price("X", 100.0, T0)
        out = again.on_signals("d", 2, [signal(key=3), signal(key=99)], T0)
        assert verdicts(out) == ["duplicate", "accepted"]
        journal.append(out.records)
        journal.post()
        assert out.accepted[0].seq > core.snapshot().seq + LEAP
        assert [one.seq for one in journal.accepted(core.snapshot().seq, 10)] == [out.accepted[0].seq]


@pytest.mark.parametrize(
    "lots",
    [[], [(3, 4.0, 100.0)], [(10**12, 10.0, 100.0)], [(-1, 10.0, 100.0)], [(3, 6.0, 100.0), (2, 4.0, 100.0)]],
)
def test_lots_of_a_copy_that_are_not_the_position_become_one_lot_and_every_engine_starts(tmp_path, lots):
    copy = replace(bought_ten(tmp_path / "lost.db"), lots=[LotRing("d", "X", lots)])
    new = tmp_path / "new.db"
    with Journal.open(new) as journal:
        journal.seed_from(copy)
        trade(journal, signal("exit_long", key=50, quantity=4.0))
    with Journal.open(new) as journal:
        trade(journal, signal(key=51, quantity=1.0))
    assert [7.0] == [position.quantity for position in recovered(new).positions]


def test_lots_of_a_copy_without_a_position_are_left_out(tmp_path):
    new = tmp_path / "new.db"
    with Journal.open(new) as journal:
        journal.seed_from(replace(bought_ten(tmp_path / "lost.db"), positions=[]))
        trade(journal, signal(key=50, quantity=4.0))
    assert [4.0] == [position.quantity for position in recovered(new).positions]


def bought_ten(path) -> JournalCopy:
    with Journal.open(path) as journal:
        trade(journal, signal(quantity=10.0))
    return copied(path)


def trade(journal, asked) -> None:
    """Let an engine that begins with this journal have one signal filled."""
    core = Core(seed=journal.seed)
    core.restore(journal.recover())
    core.attach(grant(generation=2))
    core.running("d", 2)
    core.set_price("X", 100.0, T0)
    out = core.on_signals("d", 2, [asked], T0)
    assert verdicts(out) == ["accepted"]
    journal.append(out.records)
    journal.append(core.on_tick(tick(), T0 + 1).records)
    journal.commit()


def test_a_journal_with_anything_in_it_is_never_filled(tmp_path):
    path, core = lost(tmp_path)
    copy = JournalCopy(seq=5_000, tallies=[Tally("d", 1)])
    with Journal.open(path) as journal:
        with pytest.raises(JournalError, match="is not empty, and is not filled from a copy"):
            journal.seed_from(copy)
        journal.append(core.on_checkpoint("d", 1, CHECKPOINT, T0).records)
    assert recovered(path) == core.snapshot()
    with Journal.open(tmp_path / "new.db") as journal:
        journal.seed_from(copy)
        with pytest.raises(JournalError, match="is not empty"):
            journal.seed_from(copy)


def test_a_copy_that_contradicts_itself_fills_nothing(tmp_path):
    path, core = lost(tmp_path)
    copy = copied(path)
    twice = replace(copy, orders=copy.orders * 2)
    new = tmp_path / "new.db"
    with Journal.open(new) as journal, pytest.raises(JournalError, match="was taken back"):
        journal.seed_from(twice)
    with Journal.open(new) as journal:
        assert (journal.last_seq, list(journal.recover())) == (0, [])
        journal.seed_from(copy)
    assert recovered(new).positions == core.snapshot().positions


def test_counts_are_right_when_the_copy_has_not_every_signal_or_those_of_a_removed_one(tmp_path):
    path, _ = lost(tmp_path)
    copy = copied(path)
    assert copy.tallies == [Tally("d", 7, 14, 7, 7)]
    new = tmp_path / "new.db"
    with Journal.open(new) as journal:  # the stream in Redis is cut to its newest
        journal.seed_from(replace(copy, accepted=copy.accepted[-3:]))
    assert recovered(new).tallies == [Tally("d", 7, 14, 7, 7)]
    with JournalReader.open(new) as reader:
        assert len(reader.signals("d")) == 3

    again = tmp_path / "again.db"
    with Journal.open(again) as journal:  # removed and made again: five of the seven were another one's
        journal.seed_from(replace(copy, tallies=[Tally("d", 2)]))
    assert recovered(again).tallies == [Tally("d", 2)]
    with JournalReader.open(again) as reader:
        assert [row["seq"] for row in reader.signals("d")] == [one.seq for one in copy.accepted[-2:]]
        assert len(reader.accepted(0, EVERYTHING)) == 7


def test_a_removed_deployment_leaves_its_keys_and_what_it_holds(tmp_path):
    path, core = lost(tmp_path, grant(), grant("e"), forgotten=["d"])
    new = tmp_path / "new.db"
    with Journal.open(new) as journal:
        journal.seed_from(copied(path))
    snapshot = recovered(new)
    assert snapshot == replace(core.snapshot(), seq=snapshot.seq, recent=[])
    assert [position.quantity for position in snapshot.positions] == [6.0]
    assert snapshot.tallies == []


def test_the_first_start_on_a_filled_journal_prunes_nothing_of_it(tmp_path):
    assert LEAP < KEEP
    path, _ = lost(tmp_path)
    with Journal.open(tmp_path / "new.db") as journal:
        journal.seed_from(copied(path))
        assert journal.prune() == 0


def test_a_copy_is_read_page_by_page_and_then_only_what_is_new(tmp_path):
    path, core = lost(tmp_path)
    page = copied(path, limit=4)
    assert (page.whole, len(page.accepted), page.seq) == (False, 4, page.accepted[-1].seq)
    assert (page.positions, page.tallies, page.checkpoints) == ([], [], [])
    rest = copied(path, after=page.seq, limit=4)
    assert (rest.whole, len(rest.accepted), rest.seq) == (True, 3, core.snapshot().seq)

    later = Checkpoint(b"later", 1, 7, {})
    with Journal.open(path) as journal:
        for outcome in (core.on_signals("d", 1, [signal(key=50)], T0), core.on_checkpoint("d", 1, later, T0)):
            journal.append(outcome.records)
    new = copied(path, after=rest.seq, since=rest.seq)
    assert [saved.checkpoint for saved in new.checkpoints] == [later]
    assert new.tallies == [Tally("d", 1)]
    assert len(new.accepted) == 1
    nothing = copied(path, after=new.seq, since=new.seq, known=new.heads)
    assert (nothing.checkpoints, nothing.tallies, nothing.accepted) == ([], [], [])
    assert nothing.positions == new.positions
    # A journal that ends before what is known is another one.
    assert copied(path, since=new.seq + 1).tallies == [Tally("d", 8, 14, 7, 7)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["enter", "again", "exit", "tick", "save", "forget"]), max_size=25))
def test_whatever_was_traded_a_filled_journal_recovers_the_same_state(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("journal")
    path, new, core = folder / "lost.db", folder / "new.db", running_core()
    with Journal.open(path) as journal:
        for number, step in enumerate(steps, 1):
            outcome = {
                "enter": lambda n=number: core.on_signals("d", 1, [signal(key=n)], T0),
                "again": lambda: core.on_signals("d", 1, [signal(key=1)], T0),
                "exit": lambda n=number: core.on_signals("d", 1, [signal("exit_all", key=n)], T0),
                "tick": lambda: core.on_tick(tick(), T0),
                "save": lambda: core.on_checkpoint("d", 1, CHECKPOINT, T0),
                "forget": lambda: core.forget("d", T0),
            }[step]()
            if outcome:
                journal.append(outcome.records)
            if step == "forget":
                journal.forget("d")
                core.attach(grant())
                core.running("d", 1)
        journal.post()
        expected = list(journal.recover())
    copy = copied(path)
    with Journal.open(new) as journal:
        journal.seed_from(copy)
        assert list(journal.recover()) == [
            replace(snapshot, seq=journal.last_seq, recent=[]) for snapshot in expected or [Snapshot()]
        ]
        with JournalReader.open(path) as reader:
            assert journal.checkpoint("d") == reader.checkpoint("d")
    assert copied(new) == replace(copy, seq=copy.seq + LEAP)


def test_a_copy_is_of_one_commit_even_while_the_engine_goes_on(tmp_path):
    """A fill that is committed in the middle of reading is in no part of the copy, or in all of it."""
    path, core = lost(tmp_path)
    expected = copied(path)
    with Journal.open(path) as journal, JournalReader.open(path) as reader:
        ask, asked = reader._database.execute, []

        def execute(statement, arguments=()):
            asked.append(statement)
            if len(asked) == 4:  # the numbers are read, the positions are not
                journal.append(core.on_tick(tick(), T0).records)
                journal.post()
            return ask(statement, arguments)

        assert read(execute, 0, EVERYTHING, 0) == expected
        assert len(asked) > 5
        later = reader.copy(0, EVERYTHING, 0)
    assert (later.seq, later.orders) == (expected.seq + 1, [])
