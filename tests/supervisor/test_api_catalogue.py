"""The catalogue, markets, running and operating over the real server, with a daemon without processes."""

from __future__ import annotations

import pytest

from tests.supervisor.fake_daemon import FakeDaemon, Served, make_row
from tests.supervisor.test_api import ask, raw

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def server():
    """One server for all of these, over a daemon that is made anew for each."""
    with Served(FakeDaemon()) as one:
        yield one


@pytest.fixture
def daemon(server):
    server.daemon.renew()
    return server.daemon


@pytest.fixture
def served(server, daemon):
    return server


def test_strategies_are_listed_in_the_shape_of_the_platform(served, daemon):
    assert ask(served, "GET", "/api/v1/strategies") == (
        200,
        {
            "strategies": [
                {
                    "id": "crossover",
                    "name": "crossover",
                    "type": "trend_following",
                    "status": "registered",
                    "instruments": ["EURUSD"],
                    "timeframe": "5m",
                }
            ]
        },
    )
    daemon.rows["a"] = make_row("a", "paused")
    _, body = ask(served, "GET", "/api/v1/strategies")
    assert body["strategies"][0]["status"] == "paused"


def test_execute_answers_with_a_deployment_and_where_it_is(served, daemon):
    body = {"strategy_id": "crossover", "capital_allocation": 10000.0, "parameters": {"fast": 5}}
    status, made = ask(served, "POST", "/api/v1/execute", body)
    assert (status, made["deployment_id"], made["status"]) == (201, "crossover", "active")
    assert ask(served, "GET", f"/api/v1/deployments/{made['deployment_id']}")[0] == 200
    assert ask(served, "POST", "/api/v1/execute", body)[1]["deployment_id"] == "crossover-2"
    assert daemon.calls[-1][1].risk == {"max_exposure": 10000.0}


@pytest.mark.parametrize(
    ("change", "status", "title"),
    [
        ({"capital_allocation": 0}, 422, "capital_allocation = '0': input should be greater than 0"),
        ({"capital_allocation": "10"}, 422, "capital_allocation = '10': input should be a valid number"),
        (
            {"capital_allocation": 60000},
            403,
            "refused by capital: capital_allocation is 60000, and",
        ),
        ({"strategy_id": "crosover"}, 404, "no strategy 'crosover'; did you mean 'crossover'?"),
        ({"leverage": 3}, 422, "leverage = '3': extra inputs are not permitted"),
        ({"mode": "live"}, 403, "refused by live_unconfirmed"),
    ],
)
def test_what_is_wrong_with_an_execution_is_one_line(served, change, status, title):
    body = {"strategy_id": "crossover", "capital_allocation": 10000.0, "parameters": {}, **change}
    answered, problem = ask(served, "POST", "/api/v1/execute", body)
    assert (answered, problem["title"][: len(title)]) == (status, title)


def test_a_sound_backtest_is_not_implemented_and_an_unsound_one_is_wrong(served):
    body = {
        "strategy_id": "crossover",
        "start_date": "2024-01-01",
        "end_date": "2024-06-30",
        "initial_capital": 100000.0,
        "parameters": {},
    }
    status, problem = ask(served, "POST", "/api/v1/backtest", body)
    assert (status, problem["type"], problem["status"]) == (501, "urn:stratd:unsupported", 501)
    status, problem = ask(served, "POST", "/api/v1/backtest", body | {"end_date": "2024-01-01"})
    assert (status, problem["errors"]) == (
        422,
        ["body: end_date (2024-01-01) must be after start_date (2024-01-01)"],
    )
    status, problem = ask(served, "POST", "/api/v1/backtest", body | {"start_date": "yesterday"})
    assert (status, problem["errors"]) == (422, ["start_date = 'yesterday': must be a day as 2024-01-31"])
    assert ask(served, "POST", "/api/v1/backtest", body | {"strategy_id": "nobody"})[0] == 404


def test_one_strategy_its_schema_its_source_and_a_dry_run(served):
    strategy = "/api/v1/strategies/crossover"
    _, detail = ask(served, "GET", strategy)
    assert (detail["version"], detail["versions"], detail["deployments"]) == ("1.0.0", ["1.0.0"], [])
    assert ask(served, "GET", f"{strategy}@1.0.0")[1] == detail
    assert ask(served, "GET", f"{strategy}/schema")[1]["properties"]["fast"]["maximum"] == 50
    assert [one["name"] for one in ask(served, "GET", f"{strategy}/source")[1]["files"]] == [
        "strategy.py",
        "m",
    ]
    assert ask(served, "POST", f"{strategy}/validate", {"parameters": {"fast": 7}})[1] == {
        "ok": True,
        "effective": {"fast": 7, "slow": 20},
        "errors": [],
    }
    _, wrong = ask(served, "POST", f"{strategy}/validate", {"parameters": {"fast": 99, "slwo": 1}})
    assert (wrong["ok"], len(wrong["errors"])) == (False, 2)
    assert ask(served, "GET", "/api/v1/strategies/bad")[0] == 409


def test_a_new_strategy_of_any_type_has_files_that_work(served):
    _, types = ask(served, "GET", "/api/v1/strategy-types")
    for kind in types["types"]:
        _, made = ask(served, "GET", f"/api/v1/strategies/template?type={kind}&name=mine")
        assert [one["name"] for one in made["files"]] == ["config.json", "strategy.py", "test_strategy.py"]
        assert f'"type": "{kind}"' in made["files"][0]["text"]
    assert ask(served, "GET", "/api/v1/strategies/template?name=../x")[0] == 422
    assert ask(served, "GET", "/api/v1/strategies/template?type=lucky")[0] == 422


def test_a_registered_strategy_is_deleted_once_nobody_has_it(served, daemon):
    daemon.rows["a"] = make_row("a", "stopped")
    status, problem = ask(served, "DELETE", "/api/v1/strategies/crossover")
    assert (status, problem["rule"]) == (403, "in_use")
    daemon.rows.clear()
    assert ask(served, "DELETE", "/api/v1/strategies/crossover")[1]["removed"] == ["crossover@1.0.0"]


def test_markets_are_described(served, daemon):
    daemon.rows["a"] = make_row("a", symbols=["XAUUSD"])
    _, symbols = ask(served, "GET", "/api/v1/symbols")
    known = {one["symbol"]: one for one in symbols}
    assert (known["EURUSD"]["tick_size"], known["EURUSD"]["base"]) == (0.00001, "EUR")
    assert (known["XAUUSD"]["configured"], known["XAUUSD"]["deployments"]) == (False, ["a"])
    assert "multiplier" in known["ES"]["problem"]
    _, calendar = ask(served, "GET", "/api/v1/calendar/FX?days=3")
    assert (calendar["zone"], len(calendar["days"])) == ("America/New_York", 3)
    assert ask(served, "GET", "/api/v1/calendar/24x7@Europe/London")[0] == 404
    _, made = ask(served, "GET", "/api/v1/indicators")
    assert {"name": "fast", "type": "int", "default": 12.0} in next(
        one["arguments"] for one in made["indicators"] if one["name"] == "MACD"
    )


def test_probes_answer_and_say_what_is_missing(served, daemon):
    assert ask(served, "GET", "/livez") == (200, {"status": "alive"})
    assert ask(served, "GET", "/readyz")[0] == 200
    daemon.engine_is_up = False
    status, body = ask(served, "GET", "/readyz")
    assert (status, body["ready"]) == (503, False)
    assert [one["detail"] for one in body["checks"] if not one["ok"]] == [
        "there is none; it is being started"
    ]


def test_all_deployments_at_once(served, daemon):
    daemon.rows["a"] = make_row("a")
    assert ask(served, "POST", "/api/v1/system/pause-all", {})[1]["outcomes"][0]["state"] == "paused"
    assert ask(served, "POST", "/api/v1/system/drain", {"reason": "upgrade"})[1]["drained"] is True
    assert ask(served, "GET", "/readyz")[0] == 503
    assert ask(served, "POST", "/api/v1/system/resume-all", {})[1]["drained"] is False
    assert daemon.calls[-2][:2] == ("drain", "upgrade")


def test_the_documentation_is_served_without_a_word_to_anybody_else(served):
    page = raw(served, b"GET /docs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert page.startswith(b"HTTP/1.1 200")
    assert b"content-security-policy: default-src 'none'; script-src 'self'" in page
    for name in (b"docs.js", b"vendor/swagger-ui-bundle-5.35.0.js", b"vendor/swagger-ui-5.35.0.css"):
        assert raw(
            served, b"GET /docs/" + name + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        ).startswith(b"HTTP/1.1 200"), name
    assert raw(served, b"GET /docs/../app.py HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").startswith(
        b"HTTP/1.1 404"
    )
