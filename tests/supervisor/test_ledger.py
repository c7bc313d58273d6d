"""What people are told of accounts and positions, from pictures of an engine that is not there."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from bus.messages import CellStats, Position
from strategies.trading.latches import Latch
from supervisor.accounts import Accounts
from supervisor.control import DeploymentRow, EngineStats, SignalCounts
from supervisor.errors import NotFound, Unavailable
from supervisor.ledger import Ledger
from supervisor.life import Breached, Life, State
from supervisor.news import News
from supervisor.trading_control import AccountRow, Flooded, HoldingRow
from supervisor.views import latches


class Actor:
    def __init__(self, name: str, account: str) -> None:
        self.id, self.life = name, Life(state=State.STOPPED)
        self.deployment = SimpleNamespace(account=account)
        self.submitted: list[Any] = []

    def submit(self, event: Any) -> None:
        self.submitted.append(event)


@pytest.fixture
def daemon() -> Any:
    actors: Any = {"one": Actor("one", "fund"), "two": Actor("two", "default")}
    events = SimpleNamespace(note=lambda *_: None)
    made = SimpleNamespace(
        actors=actors,
        news=News(actors, events, {}),  # type: ignore[arg-type]  # it only notes
        engine=SimpleNamespace(tell=lambda _order: None),
        settings=SimpleNamespace(
            accounts={"fund": SimpleNamespace(live=True), "spare": SimpleNamespace(live=False)},
            live=SimpleNamespace(enabled=False),
        ),
    )
    made.accounts = Accounts(made)
    return made


def position(name: str, quantity: float, **more: Any) -> Position:
    return Position(deployment_id=name, symbol="EURUSD", quantity=quantity, average_price=1.1, **more)


def picture(*living: DeploymentRow, holdings: tuple[HoldingRow, ...] = (), **more: Any) -> EngineStats:
    return EngineStats(1, 1, 0, [], list(living), holdings=list(holdings), **more)


def lives(name: str, quantity: float) -> DeploymentRow:
    return DeploymentRow(
        deployment_id=name, generation=1, counts=SignalCounts(), stats=CellStats(),
        positions=[position(name, quantity)],
    )  # fmt: skip


def tell(daemon: Any, news: Any) -> None:
    """As the engine's channel does, which runs in the loop."""

    async def say() -> None:
        daemon.news.on_news(news)

    asyncio.run(say())


def test_one_that_was_removed_since_the_engine_told_of_it_holds_nothing(daemon):
    tell(daemon, picture(lives("one", 1.0), lives("two", 2.0)))
    daemon.news.rows.pop("one")  # as removing it does
    ledger = Ledger(daemon)
    assert [2.0] == [row.quantity for row in ledger.positions(None)]
    assert [] == ledger.positions(["one"])


def test_before_the_engine_has_told_and_after_it_is_gone_nobody_answers(daemon):
    ledger = Ledger(daemon)
    for told in (False, True):
        if told:
            tell(daemon, picture(lives("one", 1.0)))
            assert [1.0] == [row.quantity for row in ledger.positions(None)]
            assert ledger.accounts()
            daemon.news.on_engine_death(-9)
        for question in (lambda: ledger.positions(None), ledger.accounts, lambda: ledger.account("fund")):
            with pytest.raises(Unavailable):
                question()


def test_what_is_held_where_nothing_runs_is_of_now_and_not_of_its_last_instance(daemon):
    ledger = Ledger(daemon)
    tell(daemon, picture(lives("one", 1.0)))
    closed = HoldingRow(deployment_id="one", positions=[position("one", 0.0, account_id="old")])
    tell(daemon, picture(holdings=(closed,)))
    (row,) = ledger.positions(["one"])
    assert (0.0, "old") == (row.quantity, row.account)
    tell(daemon, picture())
    assert [] == ledger.positions(None), "it was removed"


def test_a_latch_where_nothing_runs_is_known_and_gone_once_it_is_taken_back(daemon):
    latch = Latch(
        scope="deployment", name="one", kind="pause", rule="operator", reason="", at=1, by="operator", seq=1
    )
    tell(daemon, picture(holdings=(HoldingRow(deployment_id="one", latch=latch),)))
    assert latch == daemon.news.rows["one"].latch
    assert [latch.name] == [row.name for row in latches(daemon.news.money)]
    tell(daemon, picture())
    assert daemon.news.rows["one"].latch is None


def test_listings_are_of_one_or_of_an_account_and_a_slip_of_the_pen_is_no_empty_list(daemon):
    ledger = Ledger(daemon)
    tell(daemon, picture(lives("one", 1.0), lives("two", 2.0)))
    assert [1.0] == [row.quantity for row in ledger.positions(ledger.owners(None, "fund"))]
    assert [2.0] == [row.quantity for row in ledger.positions(ledger.owners("two", None))]
    assert [] == ledger.positions(ledger.owners(None, "spare")), "nobody trades for it"
    for owner, account in (("onne", None), (None, "fnd")):
        with pytest.raises(NotFound, match="did you mean"):
            ledger.owners(owner, account)


def test_an_account_is_one_that_is_configured_or_traded_for_or_on_the_books(daemon):
    barred = Latch(
        scope="account", name="gone", kind="lock", rule="operator", reason="", at=1, by="operator", seq=1
    )
    tell(daemon, picture(accounts=[AccountRow(name="gone", currency="EUR", equity=5.0, latch=barred)]))
    views = {view.name: view for view in Ledger(daemon).accounts()}
    assert ["default", "fund", "gone", "spare"] == list(views)
    assert (5.0, "lock") == (views["gone"].equity, views["gone"].latch.kind)
    assert (None, None, ["one"]) == (views["fund"].equity, views["fund"].realised, views["fund"].deployments)
    assert views["fund"].live is False, "the configuration does not allow it"


def test_news_of_a_flood_reach_the_one_that_floods_and_nobody_else(daemon):
    tell(daemon, Flooded("one", 3, "refused for 10 s"))
    tell(daemon, Flooded("removed", 1, "refused for 10 s"))
    assert [Breached(3, "flood", "refused for 10 s")] == daemon.actors["one"].submitted
    assert [] == daemon.actors["two"].submitted
