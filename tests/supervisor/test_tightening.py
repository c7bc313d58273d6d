"""Limits of an account that are tightened while it trades: never above the file, durable, told of."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.trading.accounts import AccountTerms
from strategies.trading.limits import Limits
from supervisor.account_limits import AccountLimits
from supervisor.errors import Failed, Invalid, Refused
from supervisor.store import tightened_file
from supervisor.tightening import LOWER_IS_STRICTER, Tightened, binding, changed, check, loosened, told
from supervisor.trading_control import TradingSpec

FILE = {"max_daily_loss": 2000, "max_orders_per_day": 200, "on_breach": "flatten", "max_drawdown": 10}
amounts = st.dictionaries(st.sampled_from(LOWER_IS_STRICTER), st.integers(1, 100).map(float))


def tightened(**values: float) -> dict[str, Tightened]:
    return {name: Tightened(value=value, by="ana", at=1) for name, value in values.items()}


@given(amounts, amounts)
def test_what_binds_is_never_above_the_file_nor_above_what_was_tightened(file, wanted):
    found = binding(file, tightened(**wanted))
    assert {*file, *wanted} == set(found)
    for name, value in found.items():
        assert value == min(one[name] for one in (file, wanted) if name in one)
    assert () == Limits.of(found).invalid, "what binds can be read by the gate, counts as whole numbers"


def test_what_cannot_be_lower_is_as_the_file_has_it():
    assert "flatten" == binding(FILE, tightened(max_daily_loss=1))["on_breach"]
    assert {"on_breach": "x"} == binding({"on_breach": "x"}, {})


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (
            {"max_daily_los": 1.0},
            "max_daily_los is no limit that can be tightened; did you mean 'max_daily_l",
        ),
        ({"on_breach": 1.0}, "on_breach is no limit that can be tightened: one of daily_profit_lock, max_"),
        ({"stop_loss_percentage": 1.0}, "stop_loss_percentage is no limit that can be tightened"),
        ({"max_orders_per_day": 1.5}, "max_orders_per_day is 1.5, not a whole number"),
        ({"max_drawdown": 0.0}, "max_drawdown is 0.0, not a percentage above 0, at most 100"),
        ({"nothing": None}, "nothing is no limit"),
    ],
)
def test_what_is_no_limit_is_told(wanted, said):
    with pytest.raises(Invalid) as wrong:
        check("fund", FILE, wanted)
    assert said in str(wrong.value)


def test_a_limit_looser_than_the_file_is_refused_and_says_where_it_is_loosened():
    check("fund", FILE, {"max_daily_loss": 2000.0, "max_exposure": 1e9})
    with pytest.raises(Refused, match=r"2001 is looser than the 2000 of \[accounts\.fund\] risk") as no:
        check("fund", FILE, {"max_daily_loss": 2001.0})
    assert "limit_looser" == no.value.rule


def test_a_change_keeps_what_is_not_named_and_who_set_what_is_the_same():
    before = tightened(max_daily_loss=500, max_exposure=9)
    said = {"by": "ben", "at": 2, "reason": "thin"}
    after = changed(before, {"max_daily_loss": 500, "max_drawdown": 3}, whole=False, **said)
    assert before["max_daily_loss"] is after["max_daily_loss"]
    assert Tightened(value=3.0, by="ben", at=2, reason="thin") == after["max_drawdown"]
    assert "max_drawdown as configured -> 3" == told(before, after)
    whole = changed(after, {"max_daily_loss": 400}, whole=True, **said)
    assert {"max_daily_loss"} == set(whole)
    assert ["max_exposure", "max_drawdown"] == loosened(after, whole)
    assert {} == changed(whole, {"max_daily_loss": None}, whole=False, **said)


# ---- kept, and told --------------------------------------------------------------------------------
class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.noted: list[tuple[str, str]] = []
        self.kept_when_told: list[dict[str, Any]] = []
        self.again()

    def again(self) -> None:
        events: Any = SimpleNamespace(note=lambda kind, detail: self.noted.append((kind, detail)))
        self.limits = AccountLimits(self.folder, events, self.tell)
        self.limits.load()

    async def tell(self) -> None:
        self.kept_when_told.append(json.loads((self.folder / tightened_file.NAME).read_text()))

    def change(self, may_loosen: bool = False, whole: bool = False, **wanted: float | None) -> None:
        asyncio.run(
            self.limits.change(
                "fund", FILE, wanted, whole=whole, may_loosen=may_loosen, by="ana", reason="thin market"
            )
        )

    def risk(self, **accounts: AccountTerms) -> dict[str, dict[str, Any]]:
        spec = self.limits.applied(TradingSpec(accounts=accounts))
        return {name: dict(terms.risk) for name, terms in spec.accounts.items()}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_limit_is_kept_before_the_engine_is_told_and_outlives_the_daemon(world):
    world.change(max_daily_loss=500)
    assert 500 == world.kept_when_told[0]["fund"]["max_daily_loss"]["value"]
    line = "account fund: max_daily_loss as configured -> 500 (by ana: thin market)"
    assert [("limits_changed", line)] == world.noted
    world.again()
    fund = AccountTerms(name="fund", risk=FILE)
    assert {"fund": {**FILE, "max_daily_loss": 500}} == world.risk(fund=fund)
    assert {"fund": {**FILE, "max_daily_loss": 300}} == world.risk(
        fund=AccountTerms(name="fund", risk={**FILE, "max_daily_loss": 300})
    ), "a file that became stricter binds"


def test_an_account_that_is_not_configured_is_bound_too(world):
    world.change(max_exposure=100)
    assert {"fund": {"max_exposure": 100}} == world.risk()


def test_who_may_trade_tightens_and_does_not_loosen(world):
    world.change(max_daily_loss=500)
    world.change(max_daily_loss=400)
    for wanted in ({"max_daily_loss": 450}, {"max_daily_loss": None}):
        with pytest.raises(Refused, match="to loosen max_daily_loss needs the scope 'admin'"):
            world.change(**wanted)
    with pytest.raises(Refused):
        world.change(whole=True)
    assert 400 == world.limits.of("fund")["max_daily_loss"].value
    world.change(may_loosen=True, whole=True)
    assert {} == world.limits.of("fund")
    assert {} == tightened_file.read(world.folder / tightened_file.NAME)


def test_what_is_so_already_is_not_done_again(world):
    world.change(max_daily_loss=500)
    world.change(max_daily_loss=500)
    assert (1, 1) == (len(world.noted), len(world.kept_when_told))


def test_a_limit_that_cannot_be_kept_changes_nothing(world, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tightened_file, "write", full)
    with pytest.raises(Failed, match=r"nothing was changed: .*No space left"):
        world.change(max_daily_loss=500)
    assert ({}, []) == (world.limits.of("fund"), world.kept_when_told)


@pytest.mark.parametrize("text", ["", "{", '{"fund": {"max_daily_loss": 5}}'])
def test_a_file_that_cannot_be_read_ends_the_start(world, text):
    (world.folder / tightened_file.NAME).write_text(text)
    with pytest.raises(Failed, match=r"tightened\.json: limits .* cannot be read .*: mend it"):
        world.limits.load()
