"""One deployment by its own address, on a daemon as a process of its own, with real fills and real deaths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenarios.holding import hold, pump
from tests.scenarios.rig import Daemon, Feed, Site

pytestmark = pytest.mark.system

BY = "/deployments/holder"
ACCOUNTS = {
    "fund": {"live": True, "route": "gateway"},
    "default": {"capital": 1000.0, "risk": {"max_daily_loss": 100.0}},
}


@pytest.fixture(scope="module")
def holding() -> Iterator[tuple[Daemon, Feed]]:
    """One daemon for all of these, which tell one story, from a first fill to live and to a death."""
    site = Site(
        live={"enabled": True},
        accounts=ACCOUNTS,
        routes={"gateway": {"kind": "http", "url": "http://127.0.0.1:9/", "key": "secret"}},
    )
    try:
        with hold(site.with_feed()) as one:
            yield one
    finally:
        site.remove()


def post(daemon: Daemon, path: str, body: Any = None) -> tuple[int, Any]:
    answer = daemon.http.post(path, json=body) if body is not None else daemon.http.post(path)
    return answer.status_code, answer.json()


def quantity(daemon: Daemon) -> float:
    return sum(one["quantity"] for one in daemon.get("deployments/holder/positions"))


def test_a_signal_can_be_followed_to_its_fill_and_the_fill_to_the_figures(holding):
    daemon, feed = holding
    (signal,) = daemon.get("deployments/holder/signals")
    chain = daemon.get(f"signals/{signal['signal_id']}")
    assert ("accepted", "filled", 1.0) == (
        chain["signal"]["verdict"], chain["order"]["status"], chain["fills"][0]["quantity"],
    )  # fmt: skip
    assert {"kind": "pct", "value": 2.0} == chain["asked"]["stop_loss"]
    figures = daemon.get("deployments/holder/performance")
    assert (1, 0, None, True, "USD") == tuple(
        figures[name] for name in ("trades", "trips", "win_rate", "whole", "currency")
    )
    (point,) = daemon.get("deployments/holder/equity")["points"]
    assert (chain["fills"][0]["at"], 0.0, 1000.0) == (point["at"], point["profit"], point["equity"])
    pump(daemon, feed, 101.0, lambda: daemon.get("accounts/default/loss")["day_profit"] == 1.0)
    loss = daemon.get("accounts/default/loss")
    assert (1000.0, 1001.0, 0.0, 100.0) == tuple(
        loss[name] for name in ("start_equity", "peak_equity", "drawdown", "max_daily_loss")
    )
    exposure = daemon.get("accounts/default/exposure")
    assert (101.0, 101.0, 1.0) == (exposure["gross"], exposure["net"], exposure["symbols"][0]["long"])


def test_a_flatten_closes_what_is_held_also_of_what_is_stopped_and_bars_entries(holding):
    daemon, feed = holding
    status, done = post(daemon, f"{BY}/stop")
    assert (200, "stopped") == (status, done["state"])
    assert 403 == post(daemon, f"{BY}/promote", {"account": "fund"})[0], "it holds something on paper"
    status, result = post(daemon, f"{BY}/flatten", {"reason": "drill"})
    assert (200, True, "flatten") == (status, result["changed"], result["latch"]["kind"])
    pump(daemon, feed, 103.0, lambda: quantity(daemon) == 0.0)
    daemon.until(lambda: daemon.get("deployments/holder/performance")["trips"] == 1, "the fill to be posted")
    figures = daemon.get("deployments/holder/performance")
    assert (1.0, 3.0, 3.0, 0.0) == tuple(
        figures[name] for name in ("win_rate", "realised", "best", "max_drawdown")
    )
    assert (0, "holder: unlocked\n") == daemon.site.stratd("unlock", "holder")[:2]
    daemon.until(lambda: daemon.status()["latches"] == [], "nothing that bars it")


@pytest.fixture
def put_away(holding):
    """The holder stopped and flat, also where the tests before this one went to another worker."""
    daemon, feed = holding
    assert 200 == post(daemon, f"{BY}/stop")[0]
    if quantity(daemon):
        assert 200 == post(daemon, f"{BY}/flatten", {"reason": "put away"})[0]
        pump(daemon, feed, 103.0, lambda: quantity(daemon) == 0.0)
        assert 0 == daemon.site.stratd("unlock", "holder").code
        daemon.until(lambda: daemon.status()["latches"] == [], "nothing that bars it")
    return holding


def test_settings_of_what_is_stopped_are_changed_at_once_and_a_mistake_changes_nothing(put_away):
    daemon, _ = put_away
    wrong = daemon.http.patch(f"{BY}/risk", json={"max_drawdown": 500, "no_such": 1})
    assert 422 == wrong.status_code
    assert 2 == len(wrong.json()["errors"])
    tag = daemon.http.get(BY).headers["ETag"]
    patched = daemon.http.patch(f"{BY}/risk", json={"max_drawdown": 5}, headers={"If-Match": tag})
    assert (200, True) == (patched.status_code, patched.json()["changed"])
    stale = daemon.http.patch(f"{BY}/quota", json={"memory": "128M"}, headers={"If-Match": tag})
    assert 412 == stale.status_code
    assert 200 == daemon.http.patch(f"{BY}/quota", json={"memory": "128M"}).status_code
    now = daemon.get("deployments/holder")
    assert ({"max_drawdown": 5.0}, 128.0) == (now["risk"], now["quota"]["memory_mb"])


def test_real_money_takes_a_confirmation_that_is_spent_by_any_change(put_away):
    daemon, _ = put_away
    status, first = post(daemon, f"{BY}/promote", {"account": "fund"})
    assert (202, "paper", "gateway") == (status, first["deployment"]["mode"], first["route"])
    assert 200 == daemon.http.patch(f"{BY}/quota", json={"cpu": 0.75}).status_code
    late = {"account": "fund", "confirmation": first["confirmation"]}
    status, told = post(daemon, f"{BY}/promote", late)
    assert (403, "confirmation_invalid") == (status, told["rule"])
    assert 403 == post(daemon, f"{BY}/promote")[0], "its own account is none of real money"
    _, again = post(daemon, f"{BY}/promote", {"account": "fund"})
    status, done = post(daemon, f"{BY}/promote", {**late, "confirmation": again["confirmation"]})
    assert (200, True, "live", "fund") == (
        status, done["promoted"], done["deployment"]["mode"], done["deployment"]["account"],
    )  # fmt: skip
    daemon.until(lambda: daemon.events("promoted", name="holder"), "the event")
    (event,) = daemon.events("promoted", name="holder")
    assert "live for account fund" in event["detail"]
    assert 409 == post(daemon, f"{BY}/promote", {"account": "fund"})[0], "it is live already"


def test_a_death_is_an_incident_and_events_and_counters_are_its_own(holding):
    daemon, _ = holding
    daemon.start("other", "idle")
    daemon.strategy("other").kill()
    daemon.until(lambda: daemon.get("deployments/other/incidents"), "the death on record")
    (death,) = daemon.get("deployments/other/incidents")
    assert "SIGKILL" == death["signal"]
    assert {death["cause"]: 1} == daemon.get("deployments/other/metrics")["deaths"]
    assert {"other"} == {one["deployment_id"] for one in daemon.get("deployments/other/events")}
    assert 403 == daemon.http.delete("/deployments/other").status_code
    assert 200 == post(daemon, "/deployments/other/stop", {"now": True})[0]
    assert 200 == daemon.http.delete("/deployments/other").status_code
    assert 404 == daemon.http.get("/deployments/other").status_code


def test_closed_candles_come_from_the_engines_history(holding):
    daemon, feed = holding
    daemon.start("reader", "idle", timeframes=["1s"])

    def closed() -> list[dict[str, Any]]:
        return daemon.get("candles", symbol="EURUSD", timeframe="1s", n=2)

    pump(daemon, feed, 104.0, lambda: len(closed()) == 2)
    first, last = closed()
    assert first["close_time"] <= last["open_time"], "ascending"
    assert (104.0, 10**9) == (last["close"], last["close_time"] - last["open_time"])
    before = daemon.get("candles", symbol="EURUSD", timeframe="1s", before=last["open_time"], n=1)
    assert before[0]["open_time"] < last["open_time"]
    assert [] == daemon.get("candles", symbol="EURUSD", timeframe="1d"), "which nothing reads"


def test_a_resume_takes_back_a_pause_and_never_a_kill(holding):
    daemon, _ = holding
    by = "/accounts/default"
    for verb, kind in (("pause", "pause"), ("resume", None), ("resume", None), ("kill", "lock")):
        status, result = post(daemon, f"{by}/{verb}")
        assert (200, kind) == (status, result["latch"] and result["latch"]["kind"])
    status, told = post(daemon, f"{by}/resume", {"reason": "a slip"})
    assert (403, "latch_lock") == (status, told["rule"])
    barred = daemon.site.stratd("account", "pause", "default").out
    assert "already barred (lock" in barred, "the refused resume changed nothing"
    assert (200, None) == ((done := post(daemon, f"{by}/rearm"))[0], done[1]["latch"])
