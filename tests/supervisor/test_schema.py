"""The shapes of the API."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError

from bus.messages import CellStats, Signal
from cli import render
from strategies.trading.records import Judged, Withheld
from strategies.trading.replies import signal_row, withheld_row
from supervisor.control import FeedRow
from supervisor.errors import Failed, Invalid, NotFound, Refused, near_matches
from supervisor.problems import problem_of
from supervisor.schema import FeedView, Selection, SignalView, StartRequest
from supervisor.schema.base import Request


def test_a_signal_has_every_field_of_the_contract():
    contract = [
        "signal_id",
        "idempotency_key",
        "deployment_id",
        "account_id",
        "symbol",
        "intent",
        "quantity",
        "verdict",
        "rule",
        "detail",
        "data_as_of",
        "emitted_at",
        "decided_at",
    ]
    assert [name for name in contract if name not in SignalView.model_fields] == []


def test_every_row_of_the_journal_can_be_shown_that_of_a_flood_too():
    signal = Signal(symbol="X", intent="enter_long", quantity=2.0, reason="up")
    judged = Judged(
        seq=7, at=9, deployment_id="d", generation=1, decision="accepted", rule="", detail="",
        signal_id="id", key="ab", quantity=2.0, account_id="A", strategy="s", version="1", code_hash="h",
        trading_mode="paper", signal=signal,
    )  # fmt: skip
    flood = Withheld(seq=8, at=9, deployment_id="d", generation=1, decision="rejected", rule="rate", count=40)
    rows = [signal_row(judged), withheld_row(flood)]
    assert [SignalView.model_validate(row).model_dump() for row in rows] == rows
    assert "40 more" in render.signal(SignalView.model_validate(rows[1]))


def test_a_feed_is_shown_with_everything_the_engine_says_of_it():
    assert set(FeedView.model_fields) == set(FeedRow.__struct_fields__)


def test_a_start_that_only_names_its_deployment_changes_nothing_of_it():
    assert not StartRequest(id="a", wait=False).configures
    assert StartRequest(id="a", symbols=["EURUSD"]).configures


@pytest.mark.parametrize("memory", ["64M", 2**26])
def test_memory_is_taken_as_people_write_it(memory):
    assert StartRequest(id="a", memory=memory).memory == 2**26


def test_timeframes_are_canonical_from_the_start_on():
    assert StartRequest(id="a", timeframes=["60m", "90s", "3600s"]).timeframes == ["1h", "90s", "1h"]


@pytest.mark.parametrize(
    "wrong",
    [{"id": "-a"}, {"id": "a/b"}, {"id": ""}, {"id": "a" * 65}, {"memory": "1M"}, {"cpu": 0},
     {"cpu": float("nan")},
     {"symbols": ["a b"]}, {"timeframes": ["m5"]}, {"timeframes": ["48h"]}, {"mode": "real"}, {"unknown": 1}],
)  # fmt: skip
def test_what_a_start_may_not_hold(wrong):
    with pytest.raises(ValidationError):
        StartRequest(**{"id": "a", **wrong})


@pytest.mark.parametrize("given", [{}, {"ids": [], "all": False}, {"ids": ["a"], "account": "b"}])
def test_a_selection_is_exactly_one_of_three(given):
    with pytest.raises(ValidationError, match="exactly one of them"):
        Selection(**given)


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (NotFound("feed", "man", ["main"]), 404, "no feed 'man'; did you mean 'main'?"),
        (NotFound("strategy", "x"), 404, "no strategy 'x'"),
        (NotFound("deployment", "x", [], "do y"), 404, "no deployment 'x' (do y)"),
        (NotFound("deployment", "x", ["z"], "do y"), 404, "no deployment 'x'; did you mean 'z'? (do y)"),
        (Refused("max_concurrent", "10 run already"), 403, "refused by max_concurrent: 10 run already"),
        (Invalid(["a: wrong", "b: worse"]), 422, "a: wrong; b: worse"),
        (Failed("no zygote"), 409, "no zygote"),
    ],
)
def test_an_error_becomes_a_problem_with_its_own_line(error, status, line):
    problem = problem_of(error)
    assert (problem.status, problem.title) == (status, line)


def test_near_matches_forgive_case_and_see_beginnings():
    known = ["EURUSD", "eurusd-fast", "gold", "GOLDEN"]
    assert near_matches("eurusdd", known) == ("EURUSD", "eurusd-fast")
    assert near_matches("go", known)[0] == "gold"
    assert near_matches("silver", known) == ()


def test_the_shapes_bring_nothing_heavy_with_them():
    code = "import sys, supervisor.schema; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"fastapi", "sqlalchemy", "redis", "zmq", "numpy", "uvicorn", "pandas", "asyncio"}
    assert heavy & set(done.stdout.split()) == set()


def test_counters_of_a_cell_are_all_shown_somewhere():
    from supervisor.schema import DeploymentDetail

    shown = {"lag_ns": "lag_ms", "longest_call_ns": "longest_call_ms"}
    fields = {shown.get(name, name) for name in CellStats.__struct_fields__}
    in_metrics = {"turns"}  # a histogram: stratd_turn_seconds
    assert fields - set(DeploymentDetail.model_fields) == in_metrics


class NamedJson(Request):
    values: dict[str, JsonValue]


ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(st.recursive(ANY_TEXT, lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner)))
def test_a_body_holds_text_that_utf8_has_a_form_for_or_is_refused(value):
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        with pytest.raises(ValidationError, match="half of a surrogate pair"):
            NamedJson(values={"a": value})
    else:
        assert NamedJson(values={"a": value}).values == {"a": value}
