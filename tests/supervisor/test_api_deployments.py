"""One deployment by its own address, over the real server: what the daemon is asked, and the answers."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from supervisor.errors import Unavailable
from tests.supervisor.fake_daemon import AT, FakeDaemon, Served, make_row
from tests.supervisor.fake_deployment import CONFIRMATION
from tests.supervisor.fake_money import latch

pytestmark = pytest.mark.system

BY = "/api/v1/deployments/eurusd"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """One server for all of these, over a daemon that is made anew for each."""
    with Served(FakeDaemon()) as one:
        yield one


@pytest.fixture
def served(server: Served, daemon: FakeDaemon) -> Served:
    return server


@pytest.fixture
def daemon(server: Served) -> FakeDaemon:
    fake = server.daemon
    fake.renew()
    for name, state, account, mode in (
        ("eurusd", "running", "default", "paper"),
        ("gold", "stopped", "fund", "live"),
        ("silver", "failed", "fund", "paper"),
    ):
        fake.rows[name] = make_row(name, state).model_copy(update={"account": account, "mode": mode})
    return fake


class Unix(http.client.HTTPConnection):
    def __init__(self, served: Served) -> None:
        super().__init__("localhost", timeout=60)
        self._path = str(served.path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self._path)


def ask(
    served: Served, method: str, target: str, body: object = None, **headers: str
) -> tuple[int, Any, http.client.HTTPMessage]:
    connection = Unix(served)
    try:
        given = {"Content-Type": "application/json"} if body is not None else {}
        payload = None if body is None else json.dumps(body)
        connection.request(method, target, payload, {**given, **headers})
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None, response.headers
    finally:
        connection.close()


def ids(served: Served, query: str) -> list[str]:
    return [row["id"] for row in ask(served, "GET", f"/api/v1/deployments?{query}")[1]]


# ---- the list ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["eurusd", "gold", "silver"]),
        ("account=fund", ["gold", "silver"]),
        ("account=fund&mode=live", ["gold"]),
        ("state=failed", ["silver"]),
        ("strategy=crossover", ["eurusd", "gold", "silver"]),
        ("strategy=crossover@1.0.0&state=running", ["eurusd"]),
        ("strategy=crossover@2.0.0", []),
    ],
)
def test_the_list_holds_what_was_asked_for(served, query, expected):
    assert ids(served, query) == expected


def test_a_state_that_there_is_not_is_one_line_with_those_that_there_are(served):
    status, problem, _ = ask(served, "GET", "/api/v1/deployments?state=runing")
    assert (status, len(problem["errors"])) == (422, 1)
    assert "runing" in problem["title"]
    assert "quarantined" in problem["title"]


def test_the_list_comes_in_pages_that_name_the_next_one(served):
    status, rows, headers = ask(served, "GET", "/api/v1/deployments?account=fund&limit=1")
    assert (status, [row["id"] for row in rows]) == (200, ["gold"])
    target = headers["Link"].partition("<")[2].partition(">")[0]
    status, rows, headers = ask(served, "GET", target)
    assert ([row["id"] for row in rows], headers["Link"]) == (["silver"], None)


# ---- verbs ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("verb", "state"),
    [("stop", "stopped"), ("pause", "paused"), ("resume", "running"), ("restart", "running")],
)
def test_a_verb_needs_no_body_and_takes_a_reason(served, daemon, verb, state):
    assert ask(served, "POST", f"{BY}/{verb}")[:2] == (
        200,
        {"id": "eurusd", "state": state, "changed": state != "running", "problem": None},
    )
    ask(served, "POST", f"{BY}/{verb}", {"reason": "news", "now": True, "wait": False})
    called, selection, how = daemon.calls[-1]
    assert (called, selection.ids, how) == (verb, ["eurusd"], {"reason": "news", "now": True, "wait": False})


def test_reset_and_delete_are_for_one(served, daemon):
    assert ask(served, "POST", "/api/v1/deployments/silver/reset-failed")[1]["state"] == "stopped"
    assert ask(served, "DELETE", "/api/v1/deployments/gold")[1]["changed"] is True
    assert sorted(daemon.rows) == ["eurusd", "silver"]


def test_what_a_verb_refuses_for_the_one_is_the_answer_itself(served):
    status, problem, headers = ask(served, "DELETE", BY)
    assert (status, problem["rule"]) == (403, "not_stopped")
    assert headers["content-type"] == "application/problem+json"
    assert problem["instance"] == BY


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", verb) for verb in ("start", "stop", "pause", "restart", "flatten", "lock", "promote")]
    + [("GET", what) for what in ("events", "signals", "performance", "equity", "incidents", "metrics")]
    + [("DELETE", "")],
)
def test_an_unknown_one_is_404_with_near_names_and_nothing_is_made(served, daemon, method, path):
    status, problem, _ = ask(served, method, f"/api/v1/deployments/eurusdd/{path}".rstrip("/"))
    assert (status, problem["near"]) == (404, ["eurusd"])
    assert sorted(daemon.rows) == ["eurusd", "gold", "silver"]


def test_a_start_is_of_what_is_known(served, daemon):
    status, result, _ = ask(served, "POST", "/api/v1/deployments/gold/start", {"wait": False})
    assert (status, result["created"], result["deployment"]["state"]) == (200, False, "running")
    assert daemon.calls[-1][1].wait is False


def test_a_misspelt_field_of_a_verb_is_refused(served):
    assert ask(served, "POST", f"{BY}/stop", {"reson": "news"})[0] == 422


# ---- latches ----------------------------------------------------------------------------------------
def test_flatten_and_lock_set_latches_by_the_callers_name_and_unlock_takes_them_back(served, daemon):
    for verb in ("flatten", "lock"):
        status, result, _ = ask(served, "POST", f"{BY}/{verb}", {"reason": "drill"})
        assert (status, result["scope"], result["latch"]["kind"]) == (200, "deployment", verb)
        assert daemon.calls[-1][:3] == (verb, "eurusd", "drill")
    ask(served, "POST", f"{BY}/unlock")
    assert daemon.calls[-1][:2] == ("rearm deployment", "eurusd")


def test_an_account_is_resumed_from_a_pause_and_not_from_a_kill(served, daemon):
    by = "/api/v1/accounts/default"
    ask(served, "POST", f"{by}/pause", {"reason": "lunch"})
    status, result, _ = ask(served, "POST", f"{by}/resume", {})
    assert (status, result["changed"], result["latch"]) == (200, True, None)
    daemon.books["default"] = daemon.books["default"].model_copy(update={"latch": latch("default")})
    status, problem, _ = ask(served, "POST", f"{by}/resume", {})
    assert (status, problem["rule"]) == (403, "latch_lock")


def test_limits_of_an_account_are_read_and_tightened_here(served, daemon):
    by = "/api/v1/accounts/default"
    for what in ("limits", "exposure", "loss"):
        status, view, _ = ask(served, "GET", f"{by}/{what}")
        assert (status, view["name"], view["currency"]) == (200, "default", "USD")
    for method, whole in (("PATCH", False), ("PUT", True)):
        body = {"limits": {"max_drawdown": 5, "max_notional": None}, "reason": "thin"}
        assert ask(served, method, f"{by}/limits", body)[0] == 200
        verb, name, limits, reason, all_of_them, may_loosen, _ = daemon.calls[-1]
        assert (verb, name, limits) == ("limits", "default", {"max_drawdown": 5, "max_notional": None})
        assert (reason, all_of_them, may_loosen) == ("thin", whole, True)
    status, problem, _ = ask(served, "PATCH", f"{by}/limits", {"limits": {"max_drawdown": "5"}})
    assert (status, "max_drawdown" in problem["title"]) == (422, True)


# ---- settings ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("what", "body", "expected"),
    [
        ("parameters", {"fast": 7}, {"parameters": {"fast": 7}}),
        (
            "risk",
            {"max_drawdown": 5, "max_notional": None},
            {"risk": {"max_drawdown": 5, "max_notional": None}},
        ),
        ("quota", {"memory": "64M"}, {"memory": 64 * 2**20}),
        ("quota", {"cpu": 0.25, "memory": 2**26}, {"cpu": 0.25, "memory": 2**26}),
    ],
)
def test_settings_are_changed_by_name_and_the_rest_is_left_alone(served, daemon, what, body, expected):
    status, result, headers = ask(served, "PATCH", f"/api/v1/deployments/gold/{what}", body)
    assert (status, result["changed"], result["deployment"]["id"]) == (200, True, "gold")
    assert ("change", "gold", expected) == daemon.calls[-1]
    assert headers["ETag"].startswith('"')


def test_what_runs_is_not_changed_and_says_so(served):
    status, problem, _ = ask(served, "PATCH", f"{BY}/risk", {"max_drawdown": 5})
    assert (status, "stop it before" in problem["title"]) == (409, True)


@pytest.mark.parametrize(
    ("what", "body"), [("parameters", {}), ("risk", []), ("quota", {}), ("quota", {"cpu": -1})]
)
def test_a_change_that_says_nothing_or_nonsense_is_422(served, what, body):
    assert ask(served, "PATCH", f"/api/v1/deployments/gold/{what}", body)[0] == 422


def test_who_read_an_older_one_changes_nothing(served, daemon):
    by = "/api/v1/deployments/gold"
    tag = ask(served, "GET", by)[2]["ETag"]
    assert ask(served, "PATCH", f"{by}/quota", {"cpu": 1}, **{"If-Match": tag})[0] == 200
    daemon.rows["gold"] = daemon.rows["gold"].model_copy(update={"account": "spare"})
    before = list(daemon.calls)
    for method, path, body in (("PATCH", "/quota", {"cpu": 1}), ("DELETE", "", None)):
        assert ask(served, method, by + path, body, **{"If-Match": tag})[0] == 412
    assert daemon.calls == before
    assert "gold" in daemon.rows


# ---- schedules --------------------------------------------------------------------------------------
OFFICE = {
    "zone": "Europe/London",
    "windows": [{"days": ["mon", "fri"], "start": "09:00", "end": "17:30"}],
    "calendar": "XLON",
}


def test_a_schedule_is_put_whole_and_taken_away_by_who_read_the_last_one(served, daemon):
    status, none, headers = ask(served, "GET", f"{BY}/schedule")
    assert (status, none["schedule"], none["inside"]) == (200, None, True)
    status, view, _ = ask(served, "PUT", f"{BY}/schedule", OFFICE, **{"If-Match": headers["ETag"]})
    assert (status, view["schedule"]["windows"], view["inside"]) == (200, OFFICE["windows"], False)
    before = list(daemon.calls)
    for method, body in (("PUT", OFFICE), ("DELETE", None)):
        assert ask(served, method, f"{BY}/schedule", body, **{"If-Match": headers["ETag"]})[0] == 412
    assert daemon.calls == before
    tag = ask(served, "GET", f"{BY}/schedule")[2]["ETag"]
    # That it opens meanwhile is nobody's change.
    daemon.schedules["eurusd"] = daemon.schedules["eurusd"].model_copy(
        update={"inside": True, "until": 1, "says": "inside"}
    )
    status, view, _ = ask(served, "DELETE", f"{BY}/schedule", **{"If-Match": tag})
    assert (status, view["schedule"]) == (200, None)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({**OFFICE, "zone": "Europe/Londn"}, "zone = 'Europe/Londn': is no IANA time zone"),
        ({**OFFICE, "windows": []}, "windows: "),
        ({**OFFICE, "windows": OFFICE["windows"] * 21}, "windows: "),
        ({**OFFICE, "wnidows": []}, "wnidows: "),
        ({"zone": "UTC"}, "windows: "),
    ],
)
def test_a_schedule_with_a_mistake_is_refused_by_its_name(served, daemon, body, line):
    status, problem, _ = ask(served, "PUT", f"{BY}/schedule", body)
    assert status == 422
    assert any(error.startswith(line) for error in problem["errors"])
    assert daemon.calls == []


# ---- real money -------------------------------------------------------------------------------------
def test_promotion_takes_two_steps(served, daemon):
    status, first, _ = ask(served, "POST", "/api/v1/deployments/silver/promote", {"account": "fund"})
    assert (status, first["promoted"], first["route"]) == (202, False, "gateway")
    assert first["expires_in_s"] == 300
    again = {"account": "fund", "confirmation": first["confirmation"]}
    status, second, _ = ask(served, "POST", "/api/v1/deployments/silver/promote", again)
    assert (status, second["promoted"], second["deployment"]["mode"]) == (200, True, "live")
    assert first["confirmation"] == CONFIRMATION


def test_a_made_up_confirmation_is_refused(served):
    status, problem, _ = ask(served, "POST", f"{BY}/promote", {"confirmation": "please"})
    assert (status, problem["rule"]) == (403, "confirmation_invalid")


# ---- what is on record ------------------------------------------------------------------------------
def test_events_are_its_own_and_in_pages(served, daemon):
    daemon.journal.append(daemon.journal[0].model_copy(update={"seq": 6, "deployment_id": "gold"}))
    numbers = lambda query: [one["seq"] for one in ask(served, "GET", f"{BY}/events?{query}")[1]]  # noqa: E731
    assert (numbers("limit=2"), numbers("after=2&limit=2"), numbers("after=5")) == ([4, 5], [3, 4], [])


def test_money_of_one_is_asked_for_by_its_id(served, daemon):
    for what, call in (
        ("positions", ("positions", "eurusd", None)),
        ("orders?ended=true&limit=7", ("orders", "eurusd", None, True, 7)),
        ("trades?after=3&limit=5", ("trades", "eurusd", None, 3, 5)),
    ):
        assert ask(served, "GET", f"{BY}/{what}")[:2] == (200, [])
        assert daemon.calls[-1] == call


def test_figures_that_are_unknown_are_null(served):
    _, view, _ = ask(served, "GET", f"{BY}/performance")
    assert (view["trades"], view["win_rate"], view["max_drawdown"], view["equity"]) == (3, None, None, None)


def test_a_curve_is_bounded(served):
    assert [one["profit"] for one in ask(served, "GET", f"{BY}/equity")[1]["points"]] == [1.0, 2.0, 3.0]
    assert ask(served, "GET", f"{BY}/equity?n=3")[0] == 422


def test_deaths_have_their_stack_and_counters_their_quota(served):
    assert ask(served, "GET", f"{BY}/incidents")[1][0]["stack"] == 'File "x.py", line 3'
    assert ask(served, "GET", f"{BY}/metrics")[1]["quota"] == {"memory_mb": 256.0, "cpu": 0.5}


def test_what_cannot_be_read_is_503_and_never_zero(served, daemon):
    daemon.fail = Unavailable("the journal cannot be read")
    for what in ("performance", "equity", "events", "signals"):
        assert ask(served, "GET", f"{BY}/{what}")[0] == 503


# ---- signals and candles ----------------------------------------------------------------------------
def lines(served: Served, query: str) -> list[str]:
    connection = Unix(served)
    connection.request("GET", f"/api/v1/signals?{query}")
    response = connection.getresponse()
    assert (response.status, response.headers["content-type"]) == (200, "application/x-ndjson")
    found = [json.loads(line)["signal_id"] for line in response.read().splitlines()]
    connection.close()
    return found


def test_signals_are_found_by_what_became_of_them(served):
    assert lines(served, "verdict=rejected") == ["s2"]
    assert lines(served, "rule=max_position") == ["s2"]
    assert lines(served, "account=default&n=1") == ["s2"]
    assert lines(served, "verdict=accepted&after=1") == []


def test_only_all_or_one_deployments_signals_are_followed(served):
    status, problem, _ = ask(served, "GET", "/api/v1/signals?rule=ttl&follow=true")
    assert (status, "follow" in problem["title"]) == (422, True)
    assert ask(served, "GET", "/api/v1/signals?verdict=perhaps")[0] == 422


def test_one_signal_comes_with_what_followed_and_an_unknown_one_is_404(served):
    status, chain, _ = ask(served, "GET", "/api/v1/signals/s1")
    assert (status, chain["signal"]["verdict"], chain["fills"], chain["order"]) == (200, "accepted", [], None)
    assert ask(served, "GET", "/api/v1/signals/s9")[0] == 404


def test_candles_are_asked_for_by_the_canonical_timeframe(served, daemon):
    status, found, _ = ask(served, "GET", "/api/v1/candles?symbol=EURUSD&timeframe=60s&n=2&before=180")
    assert (status, [one["open_time"] for one in found]) == (200, [60, 120])
    assert daemon.calls[-1] == ("candles", "EURUSD", "1m", 180, 2)


@pytest.mark.parametrize("query", ["symbol=EURUSD", "symbol=!!&timeframe=1m", "symbol=A&timeframe=1m&n=0"])
def test_a_series_needs_a_symbol_a_timeframe_and_a_count(served, query):
    assert ask(served, "GET", f"/api/v1/candles?{query}")[0] == 422


def test_instants_are_whole_nanoseconds(served):
    assert ask(served, "GET", f"{BY}/events?limit=1")[1][0]["at"] == AT
