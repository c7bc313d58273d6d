"""One signal and what followed from it, in a real journal that a real core wrote."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.trading.accounts import AccountTerms
from strategies.trading.core import Core
from strategies.trading.identity import SEQS, seq_of, uuid7
from strategies.trading.setup import Setup
from supervisor import record_views
from supervisor.store import journal_chain
from supervisor.store.journal import Journal, JournalReader
from tests.strategies.trading.trading_world import SECOND, T0, grant, running_core, signal, tick


class Desk:
    """A core, its journal, and a reader beside it."""

    def __init__(self, path: Path, **terms: Any) -> None:
        self.journal = Journal.open(path)
        self.core: Core = running_core(setup=Setup(accounts={"A": AccountTerms(name="A", **terms)}))
        self.core.restore(self.journal.recover())
        self.core.attach(grant())
        self.core.running("d", 1)
        self.reader = JournalReader.open(path)

    def keep(self, outcome: Any) -> list[Any]:
        records = outcome.records if outcome else []
        self.journal.append(records)
        self.journal.commit()
        self.journal.post()
        return records

    def ask(self, *signals: Any, now: int = T0) -> list[str]:
        """Let the core judge signals; return their ids."""
        outcome = self.core.on_signals("d", 1, list(signals), now)
        return [one.signal_id for one in self.keep(outcome) if hasattr(one, "signal")]

    def see(self, price: float, ts: int) -> None:
        self.keep(self.core.on_tick(tick(price, ts=ts), ts))

    def close(self) -> None:
        self.reader.close()
        self.journal.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    one = Desk(tmp_path / "journal.db")
    yield one
    one.close()


def test_a_market_order_is_followed_to_its_fill(desk):
    (entry,) = desk.ask(signal())
    desk.see(101.0, T0 + SECOND)
    (exit_,) = desk.ask(signal("exit_long", key=2), now=T0 + SECOND)
    desk.see(105.0, T0 + 2 * SECOND)
    for name, quantity, price, profit in ((entry, 1.0, 101.0, None), (exit_, -1.0, 105.0, 4.0)):
        chain = record_views.chain(desk.reader.chain(name))
        assert (name, "accepted") == (chain.signal.signal_id, chain.signal.verdict)
        assert ("filled", quantity) == (chain.order.status, chain.order.quantity)
        (fill,) = chain.fills
        assert (quantity, price, profit, chain.order.order_id) == (
            fill.quantity, fill.price, fill.profit, fill.order_id,
        )  # fmt: skip
        assert (None, None, True) == (chain.end, chain.report, chain.whole)


def test_what_was_refused_has_a_rule_and_no_order(desk):
    (name,) = desk.ask(signal("enter_long", symbol="Z"))
    chain = record_views.chain(desk.reader.chain(name))
    assert ("rejected", "symbol_not_granted") == (chain.signal.verdict, chain.signal.rule)
    assert (None, []) == (chain.order, chain.fills)
    assert "Z" == chain.asked["symbol"]


def test_an_order_that_waits_and_then_is_cancelled_says_so(desk):
    (name,) = desk.ask(signal(order_type="limit", limit_price=90.0, time_in_force="gtc"))
    waits = record_views.chain(desk.reader.chain(name))
    assert ("waiting", [], None) == (waits.order.status, waits.fills, waits.end)
    desk.ask(signal("cancel", key=2))
    ended = record_views.chain(desk.reader.chain(name))
    assert ("cancelled", "the strategy cancelled it") == (ended.end.reason, ended.end.detail)
    assert ended.whole


def test_of_two_signals_of_one_callback_each_has_its_own_order(desk):
    names = desk.ask(signal(symbol="X"), signal(symbol="Y"))
    orders = [desk.reader.chain(name).order.order for name in names]
    assert (["X", "Y"], names) == ([one.symbol for one in orders], [one.signal_id for one in orders])


def test_a_name_that_is_none_or_of_another_journal_finds_nothing(desk):
    (name,) = desk.ask(signal())
    other = name[:-4] + ("0000" if name[-4:] != "0000" else "1111")
    for wrong in ("", "s1", "x" * 64, other, name.upper(), uuid7(T0, 999)):
        assert desk.reader.chain(wrong) is None


def test_more_fills_than_are_looked_through_are_not_taken_for_all(desk, monkeypatch):
    monkeypatch.setattr(journal_chain, "FAR", 2)
    (slow,) = desk.ask(signal(order_type="limit", limit_price=90.0, time_in_force="gtc", symbol="Y"))
    for turn in range(2, 5):
        desk.ask(signal("enter_long" if turn % 2 == 0 else "exit_long", key=turn), now=T0 + turn * SECOND)
        desk.see(100.0, T0 + turn * SECOND)
    assert desk.reader.chain(slow).whole is False


def test_verdicts_are_found_by_deployment_decision_and_rule_in_pages(desk):
    desk.ask(signal(), signal(), signal(symbol="Z"), signal(key=4))

    def found(owners=None, verdict=None, rule=None, after=None, limit=10):  # fmt: skip
        rows = desk.reader.verdicts(owners, verdict=verdict, rule=rule, after=after, limit=limit)
        return [row["rule"] or row["verdict"] for row in rows]

    assert ["accepted", "duplicate", "symbol_not_granted", "accepted"] == found()
    assert ["symbol_not_granted"] == found(verdict="rejected") == found(rule="symbol_not_granted")
    assert ["accepted"] == found(verdict="accepted", limit=1)
    assert [] == found(["nobody"]) == found([])
    seqs = [row["seq"] for row in desk.reader.verdicts(["d"], verdict=None, rule=None, after=None, limit=9)]
    assert sorted(seqs) == seqs
    rest = desk.reader.verdicts(None, verdict=None, rule=None, after=seqs[0], limit=2)
    assert seqs[1:3] == [row["seq"] for row in rest]


def test_the_last_so_many_fills_begin_where_it_says(desk):
    for turn in range(1, 8):
        desk.ask(signal("enter_long" if turn % 2 else "exit_long", key=turn), now=T0 + turn)
        desk.see(100.0 + turn, T0 + turn)
    whole = desk.reader.trades(None, after=0, limit=100)
    assert len(whole) > 3, "some to choose from"
    for most in range(1, len(whole) + 2):
        first = desk.reader.fills_from("d", most)
        assert whole[-most:] == desk.reader.trades(["d"], after=first - 1, limit=100)
    assert 0 == desk.reader.fills_from("nobody", 3)


def test_a_damaged_journal_is_an_error_and_not_an_unknown_signal(desk):
    (name,) = desk.ask(signal())
    with sqlite3.connect(desk.reader.path) as database:
        database.execute("UPDATE signals SET payload = x'00'")
    with pytest.raises(Exception, match="cannot be read"):
        desk.reader.chain(name)


@given(st.integers(0, 2**60), st.integers(0, 2**40), st.integers(0, 2**40))
def test_a_name_tells_the_number_that_it_was_made_of(now, seq, seed):
    assert seq % SEQS == seq_of(uuid7(now, seq, seed))


@given(st.text(max_size=40) | st.uuids(version=4).map(str))
def test_other_names_tell_nothing(text):
    assert seq_of(text) is None
