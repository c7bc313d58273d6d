"""Signals that wait for a person: in the journal, its copies and chains, and over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from strategies.trading.core import Core
from strategies.trading.records import Judged
from supervisor import record_views
from supervisor.api.bound import bound
from supervisor.api.caller import Caller, asking
from supervisor.client import Client, NotFound
from supervisor.client.errors import Answered
from supervisor.errors import NotFound as Unknown
from supervisor.mirror_rows import Contents, checkpoint_row, entry, read_contents, standing_rows
from supervisor.store.journal import Journal, JournalReader
from supervisor.store.journal_copy import JournalCopy
from tests.strategies.trading.trading_world import SECOND, T0, grant, running_core, signal, tick
from tests.supervisor.fake_daemon import FakeDaemon, Served, make_row
from tests.supervisor.fake_daemon import signal as a_signal

MANUAL = grant(risk={"approval": "manual"})
ALL = 1_000_000


class Desk:
    """A core that asks for approval, its journal, and a reader beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = Journal.open(path)
        self.core: Core = running_core(MANUAL, seed=self.journal.seed)
        self.reader = JournalReader.open(path)

    def keep(self, outcome: Any) -> None:
        self.journal.append(outcome.records if outcome else [])
        self.journal.post()

    def ask(self, key: int = 1, **fields: Any) -> str:
        outcome = self.core.on_signals("d", 1, [signal(key=key, ttl_ms=600_000, **fields)], T0)
        self.keep(outcome)
        return outcome.records[-1].signal_id

    def answer(self, name: str, *, approve: bool = True) -> None:
        self.keep(self.core.answer(name, approve=approve, by="alice", remark="ok", now=T0 + SECOND))

    def recovered(self) -> Core:
        core = Core()
        core.restore(self.journal.recover())
        return core

    def close(self) -> None:
        self.reader.close()
        self.journal.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    one = Desk(tmp_path / "journal.db")
    yield one
    one.close()


def names(found: list[Judged]) -> list[str]:
    return [one.signal_id for one in found]


# ---- the journal ----------------------------------------------------------------------------------
def test_what_waits_is_recovered_as_the_core_has_it(desk):
    first, second, third = (desk.ask(key) for key in (1, 2, 3))
    assert names(desk.reader.pending()) == [first, second, third]
    desk.answer(first)
    desk.answer(second, approve=False)
    assert names(desk.reader.pending()) == [third]
    assert desk.recovered().snapshot() == desk.core.snapshot()


def test_it_goes_out_to_the_world_once_and_only_when_it_was_approved(desk):
    first, second = desk.ask(1), desk.ask(2)
    assert desk.reader.accepted(0, ALL) == []
    desk.answer(first)
    desk.answer(second, approve=False)
    assert [one.signal_id for one in desk.reader.accepted(0, ALL)] == [first]


def test_pruning_and_removing_leave_what_waits_and_counts_what_was_decided(desk):
    first, second = desk.ask(1), desk.ask(2)
    desk.answer(first)
    desk.journal.prune(keep=0)
    assert desk.recovered().snapshot() == desk.core.snapshot()
    assert names(desk.reader.pending()) == [second]
    desk.core.detach("d", 1)
    desk.keep(desk.core.forget("d", T0))
    desk.journal.forget("d")
    assert desk.reader.pending() == []


def test_a_chain_has_both_verdicts_and_the_order(desk):
    approved, denied, waits = desk.ask(1), desk.ask(2), desk.ask(3)
    desk.answer(approved)
    desk.answer(denied, approve=False)
    desk.keep(desk.core.on_tick(tick(101.0, ts=T0 + 2 * SECOND), T0 + 2 * SECOND))
    chain = record_views.chain(desk.reader.chain(approved))
    assert ("pending", "accepted", "alice", "ok") == (
        chain.waited.verdict, chain.signal.verdict, chain.signal.by, chain.signal.remark,
    )  # fmt: skip
    assert (chain.order.status, [fill.price for fill in chain.fills]) == ("filled", [101.0])
    chain = record_views.chain(desk.reader.chain(denied))
    assert (chain.waited.verdict, chain.signal.rule, chain.order) == ("pending", "approval_denied", None)
    chain = record_views.chain(desk.reader.chain(waits))
    assert (chain.waited, chain.signal.verdict, chain.order) == (None, "pending", None)
    assert chain.signal.expires_at == T0 + 300 * SECOND


# ---- the mirror -----------------------------------------------------------------------------------
def mirrored(copy: JournalCopy) -> Contents:
    """Return a copy as it lies in Redis."""
    hashes = {**standing_rows(copy), "checkpoints": {}, "tallies": {}}
    for saved in copy.checkpoints:
        hashes["checkpoints"][saved.deployment_id] = checkpoint_row(saved)
    return Contents(hashes=hashes, records=[(one.seq, entry(one).record) for one in copy.accepted])


def test_a_lost_journal_is_filled_with_what_waited(desk, tmp_path):
    approved, waits = desk.ask(1), desk.ask(2)
    desk.answer(approved)
    found = read_contents(mirrored(desk.reader.copy(0, ALL, 0)), desk.core.snapshot().seq)
    assert found.unreadable == []
    with Journal.open(tmp_path / "new.db") as journal:
        journal.seed_from(found.journal)
        core = Core(seed=journal.seed)
        core.restore(journal.recover())
        assert names(core.world.state.pending.everything()) == [waits]
        assert core.counts("d") == replace(core.counts("d"), accepted=0, rejected=0)
        core.attach(MANUAL)
        core.running("d", 1)
        core.set_price("X", 100.0, T0)
        again = core.on_signals("d", 1, [signal(key=2, ttl_ms=600_000)], T0)
        assert [one.decision for one in again.records] == ["duplicate"]
        journal.append(again.records)
        done = core.answer(waits, approve=True, by="alice", remark="", now=T0 + SECOND)
        assert len(done.passed) == 1
        journal.append(done.records)


def test_a_mirror_that_was_behind_brings_nothing_back_that_was_approved(desk, tmp_path):
    name = desk.ask(1)
    before = desk.reader.copy(0, ALL, 0)
    desk.answer(name)
    after = desk.reader.copy(0, ALL, 0)
    behind = mirrored(replace(before, accepted=after.accepted))
    with Journal.open(tmp_path / "new.db") as journal:
        journal.seed_from(read_contents(behind, after.seq).journal)
        core = Core()
        core.restore(journal.recover())
        assert core.world.state.pending.everything() == []


@pytest.mark.parametrize("wrong", [{"decision": "accepted"}, {"key": "no hex"}, {"until": 2**62}, {"seq": 0}])
def test_a_row_that_says_nonsense_is_left_out_and_named(desk, wrong):
    desk.ask(1)
    copy = desk.reader.copy(0, ALL, 0)
    spoiled = replace(copy, pending=[replace(copy.pending[0], **wrong)])
    found = read_contents(mirrored(spoiled), copy.seq)
    assert (found.journal.pending, [name for name, _ in found.unreadable]) == ([], ["d"])


# ---- HTTP -----------------------------------------------------------------------------------------
@pytest.fixture
def fake() -> FakeDaemon:
    fake = FakeDaemon()
    for name, account in (("eurusd", "mine"), ("gold", "theirs")):
        fake.rows[name] = make_row(name).model_copy(update={"account": account})
        waits = a_signal(7, name, "pending", "approval_needed").model_copy(
            update={"signal_id": f"of-{name}", "account_id": account, "expires_at": T0}
        )
        fake.waiting[f"of-{name}"] = waits
        fake.verdicts.append(waits)
    return fake


@pytest.mark.system
def test_the_client_lists_approves_and_rejects(fake):
    with Served(fake) as served, Client(served.path) as client:
        assert [one.signal_id for one in client.pending_signals()] == ["of-eurusd", "of-gold"]
        assert [one.signal_id for one in client.pending_signals("gold")] == ["of-gold"]
        assert [one.signal_id for one in client.pending_signals(account="mine")] == ["of-eurusd"]
        first = client.approve_signal("of-eurusd", reason="by phone")
        assert (first.changed, first.signal.verdict, first.signal.remark) == (True, "accepted", "by phone")
        assert not client.approve_signal("of-eurusd").changed
        with pytest.raises(Answered, match="waits no longer") as late:
            client.reject_signal("of-eurusd")
        assert late.value.status == 409
        assert client.reject_signal("of-gold").signal.rule == "approval_denied"
        with pytest.raises(NotFound):
            client.reject_signal("of-nobody")
    assert fake.calls[0][:3] == ("approve", "of-eurusd", "by phone")


def test_a_key_that_is_bound_to_an_account_decides_on_its_own_alone(fake):
    token = asking.set(Caller(name="m", scopes=frozenset({"read", "trade"}), account="mine", key="k"))
    try:
        port = bound(fake)
        assert [one.signal_id for one in asyncio.run(port.pending_signals(None, None))] == ["of-eurusd"]
        for word in (port.approve_signal, port.reject_signal):
            with pytest.raises(Unknown):
                asyncio.run(word("of-gold", reason="", by="m"))
        with pytest.raises(Unknown):
            asyncio.run(port.pending_signals(None, "theirs"))
        assert fake.calls == []
        assert asyncio.run(port.approve_signal("of-eurusd", reason="", by="m")).changed
    finally:
        asking.reset(token)
