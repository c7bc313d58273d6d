"""Both clients against the real API server: every method that moves or reads something."""

from __future__ import annotations

import pytest

from supervisor.client import Client, Invalid, NotFound, Refused
from supervisor.client.calls import records
from supervisor.schema import DeploymentRow, EventView, LogLine, SignalView
from supervisor.schema.catalogue import StrategyList
from tests.supervisor.fake_daemon import checkpoint

pytestmark = pytest.mark.system


def test_rows_and_details_are_models(served, daemon, do):
    rows = do(served.path, "deployments")
    assert rows == list(daemon.rows.values())
    assert {type(row) for row in rows} == {DeploymentRow}
    assert do(served.path, "deployment", "eurusd").parameters == {"fast": 5}
    assert do(served.path, "status").pid == 4242
    assert do(served.path, "health").status == "healthy"
    assert [feed.name for feed in do(served.path, "feeds")] == ["main"]


def test_a_start_says_what_is_given_and_nothing_else(served, daemon, do):
    result = do(
        served.path,
        "start",
        "new",
        strategy="crossover",
        symbols=["XAUUSD"],
        parameters={"fast": 3},
        memory="64M",
    )
    assert (result.created, result.deployment.symbols) == (True, ["XAUUSD"])
    (_, request) = daemon.calls[-1]
    assert request.model_fields_set == {"id", "strategy", "symbols", "parameters", "memory", "wait"}
    assert (request.parameters, request.memory) == ({"fast": 3}, 64 * 2**20)


def test_verbs_on_many_say_what_became_of_each(served, daemon, do):
    result = do(served.path, "act", "stop", ids=["eurusd", "nope"], reason="tea", now=True)
    assert [(one.id, one.state, one.problem is None) for one in result.outcomes] == [
        ("eurusd", "stopped", True),
        ("nope", None, False),
    ]
    assert daemon.calls[-1][2] == {"reason": "tea", "now": True, "wait": True}


def test_refusals_are_errors_with_all_that_the_daemon_says(served, daemon, do):
    with pytest.raises(NotFound) as unknown:
        do(served.path, "deployment", "eurus")
    assert unknown.value.near == ("eurusd",)
    with pytest.raises(Refused) as refused:
        do(served.path, "start", "x", strategy="crossover", mode="live")
    assert (refused.value.rule, refused.value.status) == ("live_unconfirmed", 403)
    with pytest.raises(Invalid) as invalid:
        do(served.path, "start", "x", strategy="crossover", parameter_text={"fsat": "1"})
    assert invalid.value.errors == (
        "fsat: no such parameter; did you mean 'fast'?",
        "slow: must be from 10 to 200",
    )


def test_lines_are_lists_of_models(served, do):
    assert {type(line) for line in do(served.path, "logs", "eurusd", n=3)} == {LogLine}
    events = do(served.path, "events", after=3)
    assert ([one.seq for one in events], {type(one) for one in events}) == ([4, 5], {EventView})
    signals = do(served.path, "signals", "gold")
    assert [(type(one), one.rule) for one in signals] == [(SignalView, "max_position")]
    assert do(served.path, "events", n=0) == []


def test_what_a_deployment_saved_comes_as_its_bytes(served, daemon, do):
    daemon.saved["gold"] = [checkpoint(8, newest=True), checkpoint(7)]
    daemon.states = {8: b"\x00\xff eight", 7: b"seven"}
    assert [one.seq for one in do(served.path, "checkpoints", "gold")] == [8, 7]
    assert do(served.path, "saved_state", "gold") == b"\x00\xff eight"
    assert do(served.path, "saved_state", "gold", seq=7) == b"seven"
    assert do(served.path, "restore_state", "gold", 7).changed
    assert do(served.path, "clear_state", "gold").changed


def test_accounts_are_barred_and_let_go(served, daemon, do):
    assert do(served.path, "pause_account", "default", reason="drill").latch.kind == "pause"
    assert do(served.path, "account", "default").latch is not None
    assert not do(served.path, "rearm", "eurusd").changed
    with pytest.raises(NotFound):
        do(served.path, "kill_account", "nobody")
    for read in ("positions", "orders", "trades"):
        assert do(served.path, read, account="default") == []


def test_the_catalogue_is_a_list_of_names_and_one_of_versions(served, do):
    assert isinstance(do(served.path, "strategies"), StrategyList)
    assert {view.name for view in do(served.path, "catalogue")} >= {"crossover", "bad"}
    assert do(served.path, "rescan").added == ["crossover@1.0.0"]


def test_one_connection_serves_many_requests(served):
    with Client(served.path) as client:
        for _ in range(3):
            client.deployments()
        assert len(client._wire._idle) == 1


def test_a_name_of_any_characters_is_one_name(served, do):
    with pytest.raises(NotFound, match="no deployment"):
        do(served.path, "deployment", "a b?c#d%e")


def test_lines_can_be_taken_as_they_come(served):
    with Client(served.path) as client:
        lines = client.lines(records.events(n=2, follow=True))
        assert [b'"seq":4' in next(lines), b'"seq":5' in next(lines)] == [True, True]
        lines.close()
