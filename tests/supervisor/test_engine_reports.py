"""What the engine makes of reports, without an engine around it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from bus.messages import Hello, Welcome
from supervisor.control import Attach
from supervisor.engine.reports import Reports
from supervisor.engine.roster import Member

TAPE = 7


def reports() -> tuple[Reports, list[Any]]:
    """Reports of an engine that says down what it commands."""
    said: list[Any] = []
    engine: Any = SimpleNamespace(
        epoch=1,
        event_now=lambda _: 0,
        publication=SimpleNamespace(tape=SimpleNamespace(identity=TAPE)),
        channel=SimpleNamespace(tell=lambda _: None),
        command=lambda *command: said.append(command),
    )
    return Reports(engine), said


def member(generation: int) -> Member:
    return Member(
        Attach(
            deployment_id="one", generation=generation, token="t", strategy="s", version="1", code_hash="0",
            account_id="a", trading_mode="paper", symbols=["X"], timeframes=[], warmup=0, risk={},
            signals_per_s=1,
        )
    )  # fmt: skip


def test_hellos_that_waited_together_are_answered_once() -> None:
    handle, said = reports()
    first, second = member(1), member(2)
    for turn in range(1, 4):
        handle.begin()
        for _ in range(50):
            handle.take(first, Hello(TAPE))
        handle.take(second, Hello(TAPE))
        assert [("one", 1, Welcome), ("one", 2, Welcome)] * turn == [
            (owner, generation, type(body)) for owner, generation, body in said
        ]
