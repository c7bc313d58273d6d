"""Whoever dies between a signal that waits, a person's word and the order: what is journalled is the same.

A real journal in a file, a core that is restored from it, cells and operators that say again what they have
no answer to. Each run with a crash is held against the same run without one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from bus.messages import Tick
from strategies.trading.core import Core, Outcome
from strategies.trading.exits import ENGINE
from strategies.trading.records import Closed, Executed, Guarded, Judged, Latched, Placed, Record
from supervisor.store.journal import Journal
from tests.strategies.trading.trading_world import SECOND, T0, grant, signal

RISK = {"approval": "manual", "approval_timeout": 60.0, "max_position_size": 4.0, "stop_loss_percentage": 5.0}
SEND = st.tuples(
    st.just("send"),
    st.sampled_from(["enter_long"] * 6 + ["enter_short", "target", "exit_all", "cancel"]),
    st.sampled_from([1.0, 2.0, 3.0]),
    st.sampled_from([0, 0, 2]),
)
WORD = st.tuples(st.just("word"), st.sampled_from([True, True, False]), st.integers(0, 3))
TICK = st.tuples(st.just("tick"), st.sampled_from([100.0, 99.0, 101.0, 100.0, 94.0]))
SELDOM = st.sampled_from([("wait",), ("latch", "exit_only"), ("latch", "flatten"), ("rearm",), ("restart",)])
STEPS = st.lists(
    st.integers(0, 9).flatmap(lambda n: (SEND, WORD, TICK, SELDOM)[(0, 1, 2, 0, 1, 2, 0, 1, 1, 3)[n]]),
    min_size=4,
    max_size=16,
)


class Host:
    """A core over a journal in a file; ``lost`` says that a crash comes before the commit, else after it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[Record] = []
        self.tape: list[Tick] = []
        self.generation = 1
        self.now = T0
        self.begin()

    def begin(self) -> None:
        self.journal = Journal.open(self.path)
        self.core = Core(seed=self.journal.seed)
        self.core.restore(self.journal.recover())
        self.attach()

    def attach(self) -> None:
        self.core.attach(grant(generation=self.generation, risk=RISK))
        self.core.running("d", self.generation)

    def keep(self, outcome: Outcome | None) -> None:
        records = [] if outcome is None else outcome.records
        self.journal.append(records)
        self.journal.commit()
        self.records += records

    def step(self, number: int, step: Any, *, crash: bool, lost: bool) -> None:
        if step[0] == "wait":
            self.now += 61 * SECOND
        self.now += SECOND
        if step[0] == "tick":
            self.tape.append(Tick("X", self.now, step[1]))
        outcome = self.act(number, step)
        if not (crash and lost):
            self.keep(outcome)
        if crash:
            self.die()
            if step[0] != "tick":  # which is on the tape
                self.keep(self.act(number, step))

    def act(self, number: int, step: Any) -> Outcome | None:
        core = self.core
        match step:
            case ("send", intent, size, away):
                return core.on_signals(
                    "d", self.generation, [self.made(number, intent, size, away)], self.now
                )
            case ("word", approve, which):
                return core.answer(self.asked(which), approve=approve, by="a", remark="", now=self.now)
            case ("tick", _):
                return core.on_tick(self.tape[-1], self.now)
            case ("latch", kind):
                return core.latch(("deployment", "d"), kind, "drill", "me", self.now)
            case ("rearm",):
                return core.rearm(("deployment", "d"), "enough", "me", self.now)
            case ("restart",):
                self.generation += 1
                self.attach()
                return None
            case _:
                return self.lapse()

    def made(self, number: int, intent: str, size: float, away: int) -> Any:
        price = self.tape[-1].last or 0.0
        fields: dict[str, Any] = {
            "data_as_of": self.now, "generated_at": self.now, "reference_price": price, "ttl_ms": 600_000,
        }  # fmt: skip
        if intent.startswith("enter"):
            fields |= {"quantity": size}
            if away:
                limit = price + (-away if intent == "enter_long" else away)
                fields |= {"order_type": "limit", "limit_price": limit, "time_in_force": "gtc"}
        if intent == "target":
            fields |= {"target_quantity": size - 2.0}
        return signal(intent, number + 1, **fields)

    def asked(self, which: int) -> str:
        """Return the id of the ``which``-th newest signal that ever waited."""
        ids = [one.signal_id for one in self.records if type(one) is Judged and one.decision == "pending"]
        return ids[-1 - which] if which < len(ids) else ""

    def lapse(self) -> Outcome | None:
        for pending in self.core.world.state.pending.everything():
            self.keep(self.core.answer(pending.signal_id, approve=False, by="", remark="", now=self.now))
        return None

    def die(self) -> None:
        """Begin again from the file: as the engine does, with the ticks of the tape seen again."""
        self.journal._database.close()  # kill -9: nothing is committed or posted on the way out
        self.begin()
        for number, tick in enumerate(self.tape, 1):
            self.keep(self.core.see_again(tick, number, tick.ts))

    def close(self) -> None:
        self.journal.close()


def told(records: list[Record]) -> list[Any]:
    """Return what happened, without numbers, ids, and repetitions that were answered as such."""
    found: list[Any] = []
    for one in records:
        match one:
            case Judged():
                if one.decision != "duplicate":
                    # The engine's own exits are named after a record, which repetitions move.
                    key = "" if one.signal.timeframe == ENGINE else one.key
                    row = (key, one.decision, one.rule, one.quantity, one.by)
                    # What is refused at once keeps no key: said again, it is refused again.
                    if one.pending or one.decision != "rejected" or row not in found:
                        found.append(row)
            case Placed():
                found.append(("placed", one.order.quantity, one.order.role, one.order.limit_price))
            case Executed():
                found.append(("filled", one.fill.quantity, one.fill.price, one.position.quantity))
            case Closed():
                found.append(("ended", one.reason))
            case Guarded() | Latched():
                found.append(type(one).__name__)
            case _:
                pass
    return found


def run(folder: Path, steps: list[Any], crash_at: int | None, *, lost: bool) -> Host:
    host = Host(Path(tempfile.mkdtemp(dir=folder)) / "journal.db")
    host.step(-1, ("tick", 100.0), crash=False, lost=False)
    for number, step in enumerate(steps):
        host.step(number, step, crash=number == crash_at, lost=lost)
    host.close()
    return host


APPROVED = [("send", "enter_long", 2.0, 0), ("word", True, 0), ("tick", 100.0), ("tick", 94.0)]


COURSES = {
    "approved": APPROVED,
    "said_twice": [*APPROVED[:2], ("word", True, 0), ("word", False, 0), ("restart",), ("tick", 100.0)],
    "latched": [APPROVED[0], ("latch", "exit_only"), ("word", True, 0), ("rearm",), ("word", True, 0)],
    "lapsed": [APPROVED[0], ("wait",), ("word", True, 0), ("send", "enter_long", 1.0, 2), ("word", True, 0)],
}


@pytest.mark.parametrize("course", COURSES)
def test_a_crash_at_every_point_gives_the_same_journal(course, tmp_path):
    steps = COURSES[course]
    for crash_at in range(len(steps)):
        for lost in (True, False):
            agree(tmp_path, steps, crash_at, lost=lost)


@settings(max_examples=40, deadline=None)
@given(steps=STEPS, share=st.floats(0, 0.999), lost=st.booleans())
def test_a_crash_anywhere_gives_the_same_journal(steps, share, lost):
    with tempfile.TemporaryDirectory() as folder:
        note(agree(Path(folder), steps, int(len(steps) * share), lost=lost))


def agree(folder: Path, steps: list[Any], crash_at: int, *, lost: bool) -> list[Any]:
    whole = run(folder, steps, None, lost=False)
    again = run(folder, steps, crash_at, lost=lost)
    only_once(whole.records)
    only_once(again.records)
    assert told(again.records) == told(whole.records)
    assert held(again.core) == held(whole.core)
    return told(whole.records)


def held(core: Core) -> Any:
    state = core.world.state
    waiting = [(one.key, one.until) for one in state.pending.everything()]
    return state.books.held("d", "X"), waiting, core.counts("d").accepted


def only_once(records: list[Record]) -> None:
    """No signal that waited was answered twice, or has two orders, or has one without a person's word."""
    judged = [one for one in records if type(one) is Judged]
    waited = [one.signal_id for one in judged if one.decision == "pending"]
    answers = [one.signal_id for one in judged if one.pending]
    assert len(answers) == len(set(answers)) == len(set(answers) & set(waited))
    ordered = [one.order.signal_id for one in records if type(one) is Placed]
    assert len(ordered) == len(set(ordered))
    approved = {one.signal_id for one in judged if one.pending and one.decision == "accepted" and one.by}
    assert set(ordered) & set(waited) == approved


def note(happened: list[Any]) -> None:
    for word in ("accepted", "approval_denied", "approval_lapsed", "approval_withdrawn", "max_position_size"):
        if any(word in one for one in happened):
            event(word)
