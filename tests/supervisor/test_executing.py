"""What ``POST /execute`` comes to: a new id, the capital as the most that is held, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.topics import DEPLOYMENT_ID, is_deployment_id
from strategies.plugins import Found
from supervisor.errors import Invalid, Refused
from supervisor.executing import deployment_id, start_of
from supervisor.schema.running import ExecuteRequest
from tests.supervisor.fake_catalogue import CROSSOVER


def ask(**given: object) -> ExecuteRequest:
    return ExecuteRequest(**({"strategy_id": "crossover", "capital_allocation": 10_000.0} | given))


def test_what_is_allocated_is_the_most_that_it_may_hold():
    wanted = start_of(ask(parameters={"fast": 5}), CROSSOVER, {}, None)
    assert wanted.model_dump(exclude_unset=True) == {
        "id": "crossover",
        "strategy": "crossover@1.0.0",
        "symbols": None,  # those that it was registered with
        "timeframes": None,
        "parameters": {"fast": 5},
        "risk": {"max_exposure": 10_000.0},
        "account": None,
        "mode": "paper",
        "confirm_live": False,
    }


def test_instruments_and_timeframe_can_be_others_than_registered():
    wanted = start_of(ask(instruments=["XAUUSD"], timeframe="60m"), CROSSOVER, {}, None)
    assert (wanted.symbols, wanted.timeframes) == (["XAUUSD"], ["1h"])


def test_nobody_guesses_what_a_strategy_without_instruments_is_to_trade():
    bare = Found(name="bare", version="1.0.0", path="/bare", code_hash="ab")
    with pytest.raises(Invalid, match=r"instruments: bare@1\.0\.0 was registered without any; name those"):
        start_of(ask(), bare, {}, None)
    assert start_of(ask(instruments=["EURUSD"]), bare, {}, None).symbols == ["EURUSD"]


def test_more_than_the_account_has_cannot_be_allocated():
    with pytest.raises(
        Refused, match="refused by capital: capital_allocation is 10000, and its account has 9999"
    ):
        start_of(ask(), CROSSOVER, {}, 9_999.0)
    assert start_of(ask(), CROSSOVER, {}, 10_000.0).risk == {"max_exposure": 10_000.0}


def test_a_second_one_is_numbered():
    taken: set[str] = set()
    for _ in range(3):
        taken.add(deployment_id("trend", taken))
    assert taken == {"trend", "trend-2", "trend-3"}


@given(st.from_regex(DEPLOYMENT_ID, fullmatch=True), st.integers(0, 30))
def test_every_id_is_new_and_may_be_one(name, others):
    taken: set[str] = set()
    for _ in range(others):
        made = deployment_id(name, taken)
        assert (made not in taken, is_deployment_id(made)) == (True, True)
        taken.add(made)
