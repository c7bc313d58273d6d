"""The demo's verdict finds every way in which the demo may have failed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cli.demo.plan import parts
from cli.demo.verdict import Fact, findings

SYMBOLS = ("EURUSD", "BTC-USD", "RELIANCE", "SPY")
PLAN = parts(SYMBOLS, "s")


def facts() -> list[Fact]:
    return [
        Fact(
            part=part,
            state="running" if part.behaves else "backoff",
            pid_changed=not part.behaves,
            published=400,
            delivered=400 if part.behaves else 3,
            gaps=0,
            candles=20,
            accepted=4,
            refused=0,
            traded=part.behaves,
            profit=1.0,
            deaths=0 if part.behaves else 2,
            cause="" if part.behaves else part.causes[-1],
            detail="",
        )
        for part in PLAN
    ]


def test_five_behave_and_four_do_not() -> None:
    assert (5, 4) == (sum(p.behaves for p in PLAN), sum(not p.behaves for p in PLAN))


def test_the_four_symbols_are_all_used() -> None:
    assert set(SYMBOLS) == {symbol for part in PLAN if part.behaves for symbol in part.symbols}


def test_one_symbol_is_enough() -> None:
    assert {("EURUSD",)} == {part.symbols for part in parts(("EURUSD",), "m")}


def test_all_as_it_should_be_finds_nothing() -> None:
    assert [] == findings(facts())


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"state": "backoff"}, "is backoff, not running"),
        ({"deaths": 1, "cause": "exit"}, "died (exit)"),
        ({"pid_changed": True}, "died"),
        ({"delivered": 399}, "399 ticks delivered of 400"),
        ({"published": 0, "delivered": 0}, "0 ticks delivered of 0"),
        ({"gaps": 2}, "2 gaps"),
        ({"candles": 0}, "no candle"),
    ],
)
def test_harm_to_a_well_behaved_one_is_found(wrong: dict[str, Any], says: str) -> None:
    first, *rest = facts()
    (line,) = findings([replace(first, **wrong), *rest])
    assert line.startswith("cross-fast: ")
    assert says in line


def test_a_misbehaving_one_that_lives_is_found() -> None:
    *rest, hangs = facts()
    assert ["bad-hangs: cause of death is none, expected hang"] == findings([*rest, replace(hangs, cause="")])


def test_a_demo_without_a_fill_has_failed() -> None:
    idle = [replace(fact, traded=False) for fact in facts()]
    assert ["no signal of a well-behaved strategy was filled"] == findings(idle)
