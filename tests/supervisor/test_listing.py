"""One row a strategy, as the platform's other services read it."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.manifest import TYPES
from strategies.plugins import Found
from supervisor import listing
from supervisor.life import State
from supervisor.listing import Used, status_of
from supervisor.schema.catalogue import StrategyStatus, StrategyType


def found(name: str = "trend", **given: object) -> Found:
    return Found(**({"name": name, "version": "1.0.0", "path": f"/{name}", "code_hash": "ab"} | given))


def used(state: State, *, strategy: str = "trend", symbols: str = "EURUSD", timeframes: str = "5m") -> Used:
    return Used("one", strategy, "1.0.0", state, symbols.split(), timeframes.split())


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ([], "registered"),
        ([State.REGISTERED], "registered"),
        ([State.STOPPED, State.REGISTERED], "stopped"),
        ([State.STOPPED, State.QUARANTINED], "failed"),
        ([State.FAILED, State.PAUSED], "paused"),
        ([State.PAUSED, State.RUNNING], "active"),
        ([State.BACKOFF], "active"),
    ],
)
def test_what_counts_most_of_its_deployments_is_the_status_of_a_strategy(states, status):
    assert status_of(states) == status


@given(st.sets(st.sampled_from(State)), st.sampled_from(State))
def test_one_deployment_more_never_makes_a_status_count_for_less(states, another):
    order = ["active", "paused", "failed", "stopped", "registered"]
    assert order.index(status_of(states | {another})) <= order.index(status_of(states))


@given(st.sets(st.sampled_from(State)))
def test_every_status_is_one_that_other_services_know(states):
    assert status_of(states) in get_args(StrategyStatus)


def test_the_types_of_the_api_are_those_of_manifests():
    assert get_args(StrategyType) == TYPES


def test_instruments_and_timeframe_are_those_of_its_manifest():
    (row,) = listing.rows([found(symbols=("GBPUSD",), timeframes=("1h", "4h"))], [used(State.RUNNING)])
    assert (row.instruments, row.timeframe) == (["GBPUSD"], "1h")


def test_instruments_and_timeframe_else_are_what_its_deployments_read():
    deployments = [
        used(State.STOPPED, symbols="EURUSD GBPUSD", timeframes=""),
        used(State.RUNNING, symbols="EURUSD XAUUSD", timeframes="1m"),
        used(State.RUNNING, strategy="other", symbols="BTCUSDT"),
    ]
    (row,) = listing.rows([found()], deployments)
    assert (row.instruments, row.timeframe) == (["EURUSD", "GBPUSD", "XAUUSD"], "1m")


def test_of_a_strategy_that_nobody_runs_no_timeframe_is_made_up():
    (row,) = listing.rows([found()], [])
    assert row.model_dump() == {
        "id": "trend", "name": "trend", "type": "custom", "status": "registered", "instruments": [],
        "timeframe": "",
    }  # fmt: skip


def test_a_title_is_what_a_strategy_is_called_and_its_name_is_the_id():
    (row,) = listing.rows([found(title="Trend, with care")], [])
    assert ("trend", "Trend, with care") == (row.id, row.name)
