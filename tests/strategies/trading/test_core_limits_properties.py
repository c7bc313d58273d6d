"""Whatever strategies send, the market does and operators say, and whoever dies: no limit is broken.

Two deployments of one account, each with limits of its own. What is held and may yet come to be held is added
up here anew from the records; the core is asked for nothing but what it journals.
"""

from __future__ import annotations

from collections import defaultdict

import msgspec
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from bus.messages import Tick
from strategies.trading.accounts import AccountTerms
from strategies.trading.core import Core
from strategies.trading.latches import EFFECTS
from strategies.trading.records import (
    Amended,
    Closed,
    Executed,
    Judged,
    Latched,
    Placed,
    Rearmed,
    Record,
)
from strategies.trading.setup import Setup
from strategies.trading.terms import Terms
from tests.strategies.trading.trading_world import SECOND, T0, grant, running_core, signal

OWN = {"max_position_size": 4.0, "max_orders_per_min": 6, "max_open_positions": 2}
OF_ALL = {
    "max_position_size": 6.0,
    "max_exposure": 1_000.0,
    "max_open_positions": 3,
    "max_orders_per_day": 12,
    "max_daily_loss": 60.0,
}
CAPITAL = 1_000.0
WHO = st.sampled_from(["d", "e"])
SYMBOL = st.sampled_from(["X", "Y", "X", "Y", "X"])
PRICE = st.integers(8_000, 12_000).map(lambda cents: cents / 100)
AWAY = st.sampled_from([None, None, -2.0, 2.0])
SEND = st.tuples(
    st.just("send"),
    WHO,
    SYMBOL,
    st.sampled_from(["enter_long", "enter_short", "enter_long", "exit_all", "target", "cancel"]),
    st.sampled_from([0.5, 1.0, 1.0, 2.0, 3.0, 5.0, 50.0]),
    AWAY,
)
TICK = st.tuples(st.just("tick"), SYMBOL, PRICE, st.sampled_from([None, 1.0, 4.0]))
SELDOM = (
    st.tuples(st.just("pulse")),
    st.tuples(st.just("crash")),
    st.tuples(st.just("latch"), WHO, st.sampled_from(["pause", "exit_only", "flatten", "lock"])),
    st.tuples(st.just("rearm"), st.sampled_from([("deployment", "d"), ("account", "A")])),
    st.tuples(st.just("restart"), WHO),
)
# Mostly signals and ticks: where all is latched, nothing is proved.
STEP = st.integers(0, 24).flatmap(lambda n: SEND if n < 10 else TICK if n < 20 else SELDOM[n - 20])


class World:
    """A core, what it journalled, and the ticks as the tape has them, numbered by symbol."""

    def __init__(self, breach: str, share: float | None) -> None:
        account = AccountTerms(name="A", capital=CAPITAL, risk=OF_ALL | {"on_breach": breach})
        self.setup = Setup(paper=Terms(volume_share=share), accounts={"A": account})
        self.grants = {name: grant(name, risk=OWN) for name in ("d", "e")}
        self.core = running_core(*self.grants.values(), price=None, setup=self.setup)
        self.records: list[Record] = []
        self.tape: list[tuple[int, Tick]] = []
        self.prices: dict[str, float] = {}
        self.books = Books()

    def took(self, outcome) -> None:
        for record in () if outcome is None else outcome.records:
            self.records.append(record)
            self.books.enter(record, self.prices)

    def step(self, step, key: int, now: int) -> None:
        match step:
            case ("tick", symbol, price, size):
                number = 1 + sum(tick.symbol == symbol for _, tick in self.tape)
                tick = Tick(symbol, now, price, size)
                self.tape.append((number, tick))
                self.prices[symbol] = price
                self.took(self.core.on_tick(tick, now))
                self.books.judge_loss(self.prices)
            case ("send", who, *asked):
                self.send(who, self.made(asked, key, now), now)
            case ("pulse",):
                self.took(self.core.pulse(now))
                self.took(self.core.keep(now))
            case ("latch", who, kind):
                self.took(self.core.latch(("deployment", who), kind, "drill", "me", now))
            case ("rearm", party):
                self.took(self.core.rearm(party, "enough", "me", now))
            case ("restart", who):
                self.grants[who] = msgspec.structs.replace(
                    self.grants[who], generation=self.grants[who].generation + 1
                )
                self.attach(who)
            case ("crash",):
                self.crash()

    def made(self, asked, key: int, now: int):
        symbol, intent, size, away = asked
        price = self.prices.get(symbol, 100.0)
        fields: dict[str, object] = {"data_as_of": now, "generated_at": now, "reference_price": price}
        if intent.startswith("enter"):
            fields |= {"quantity": size}
            if away is not None:
                limit = round(price * (1 + away / 100), 2)
                fields |= {"order_type": "limit", "limit_price": limit, "time_in_force": "gtc"}
        if intent == "target":
            fields |= {"target_quantity": size - 3.0}
        return signal(intent, key, symbol, **fields)

    def send(self, who: str, asked, now: int) -> None:
        self.took(self.core.on_signals(who, self.grants[who].generation, [asked], now))

    def attach(self, who: str) -> None:
        self.core.attach(self.grants[who])
        self.core.running(who, self.grants[who].generation)

    def crash(self) -> None:
        self.core = Core(setup=self.setup)
        self.core.restore(msgspec.convert(msgspec.to_builtins(self.records), list[Record]))
        for record in self.records:
            if type(record) is Executed:
                self.core.dealt(record.fill.deployment_id, record.fill.account_id, record.fill.at)
        for number, tick in self.tape:
            self.took(self.core.see_again(tick, number, tick.ts))
        for who in self.grants:
            self.attach(who)


class Books:
    """What the records come to, and that each was allowed when it came."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], float] = defaultdict(float)
        self.waiting: dict[str, object] = {}
        self.latches: dict[tuple[str, str], str] = {}
        self.entries: list[tuple[str, int]] = []
        self.cash = CAPITAL
        self.opened = 0
        self.rearmed = False

    def enter(self, record: Record, prices: dict[str, float]) -> None:
        match record:
            case Judged(decision="accepted" | "modified"):
                self.judge(record)
            case Placed(order=order):
                self.waiting[order.order_id] = order
                self.within(order, prices)
            case Amended(order=order):
                self.waiting[order.order_id] = order
            case Closed(order_id=order_id):
                self.waiting.pop(order_id, None)
            case Executed():
                self.fill(record)
            case Latched(latch=latch):
                self.latches[latch.scope, latch.name] = latch.kind
            case Rearmed():
                self.latches.pop((record.scope, record.name), None)
                self.rearmed = True  # a loss counts from there

    def judge(self, judged: Judged) -> None:
        if judged.signal.intent not in {"enter_long", "enter_short"}:
            return
        for party in (("deployment", judged.deployment_id), ("account", "A")):
            kind = self.latches.get(party)
            assert kind is None, f"an entry past {kind} of {party}"
        self.entries.append((judged.deployment_id, judged.at))
        lately = [
            at for name, at in self.entries if name == judged.deployment_id and at > judged.at - 60 * SECOND
        ]
        assert len(lately) <= OWN["max_orders_per_min"]
        assert len(self.entries) <= OF_ALL["max_orders_per_day"], "all of it is one day"

    def within(self, order, prices: dict[str, float]) -> None:
        """An order that can open something, the moment it is placed."""
        if order.reduce_only:
            return
        self.opened += 1
        for names, limits in (((order.deployment_id,), OWN), (("d", "e"), OF_ALL)):
            assert self.worst(names, order.symbol) <= limits["max_position_size"] * (1 + 1e-9)
            symbols = [symbol for name in names for symbol in ("X", "Y") if self.worst((name,), symbol)]
            assert len(symbols) <= limits["max_open_positions"]
        worth = sum(self.worst((name,), symbol) * prices[symbol] for name in ("d", "e") for symbol in prices)
        assert worth <= OF_ALL["max_exposure"] * (1 + 1e-9)

    def worst(self, names, symbol: str) -> float:
        """The most that some deployments may come to hold of a symbol together, long or short.

        What only reduces is clipped to what is held when it fills, so it leads nowhere else.
        """
        long = short = sum(self.held[name, symbol] for name in names)
        for order in self.waiting.values():
            if order.symbol == symbol and order.deployment_id in names and not order.reduce_only:
                long, short = long + max(order.left, 0.0), short + min(order.left, 0.0)
        return max(abs(long), abs(short))

    def judge_loss(self, prices: dict[str, float]) -> None:
        """After a tick: who has lost more than its limit, and still holds something, is barred."""
        worth = sum(held * prices[symbol] for (_, symbol), held in self.held.items())
        lost = CAPITAL - self.cash - worth
        if lost > OF_ALL["max_daily_loss"] * (1 + 1e-9) and any(self.held.values()) and not self.rearmed:
            assert ("account", "A") in self.latches, f"{lost:g} lost"

    def fill(self, record: Executed) -> None:
        fill = record.fill
        owner = fill.deployment_id, fill.symbol
        self.held[owner] += fill.quantity
        self.cash -= fill.quantity * fill.price
        if record.order is None:
            self.waiting.pop(record.order_id, None)
        else:
            self.waiting[record.order_id] = record.order
        assert abs(self.held[owner] - record.position.quantity) < 1e-9
        assert abs(self.held[owner]) <= OWN["max_position_size"] * (1 + 1e-9)
        together = sum(self.held[name, fill.symbol] for name in ("d", "e"))
        assert abs(together) <= OF_ALL["max_position_size"] * (1 + 1e-9)


def live(steps, breach: str, share: float | None) -> World:
    world = World(breach, share)
    for key, step in enumerate([("tick", "X", 100.0, None), ("tick", "Y", 100.0, None), *steps], 1):
        world.step(step, key, T0 + key * SECOND)
    return world


STEPS = st.lists(STEP, min_size=12, max_size=40)
BREACHES = st.sampled_from(["pause", "exit_only", "flatten", "lock"])


@settings(max_examples=200)
@given(STEPS, BREACHES, st.sampled_from([None, 0.5]))
def test_no_sequence_of_inputs_breaks_a_limit_of_a_deployment_or_of_its_account(steps, breach, share):
    event(f"{min(live(steps, breach, share).books.opened, 5)} orders that could open something")


@pytest.mark.parametrize("kind", EFFECTS)
def test_exits_are_let_through_by_what_says_so_and_what_closes_closes(kind):
    world = live([("send", "d", "X", "enter_long", 1.0, None), ("tick", "X", 100.0, None)], "pause", None)
    for key, step in enumerate(
        [("latch", "d", kind), ("send", "d", "X", "exit_all", 1.0, None), ("tick", "X", 100.0, None)], 50
    ):
        world.step(step, key, T0 + key * SECOND)
    flat = world.books.held["d", "X"] == 0.0
    assert flat == (EFFECTS[kind].closes or not EFFECTS[kind].exits)
