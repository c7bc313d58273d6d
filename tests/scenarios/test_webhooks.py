"""Alerts from outside on a real daemon: signals like any other, once each, and no token in any record."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.ports import HOST, free_port
from tests.scenarios.rig import PATIENCE, Daemon, Feed, Site

pytestmark = pytest.mark.system


@pytest.fixture
def hooked(new_site) -> Iterator[tuple[Daemon, Feed, str]]:
    """A daemon with a deployment for alerts that runs, and the path to hand them in."""
    port = free_port()
    site: Site = new_site(api={"host": HOST, "port": port}).with_feed()
    daemon = site.daemon()
    with site.feed() as feed:
        daemon.start("alerts", "external_signals", symbols=["EURUSD"])
        feed.wait_for_engine()
        pump(feed)
        made = site.stratd("webhooks", "create", "alerts", "--name", "tradingview")
        assert 0 == made.code, made.err
        yield daemon, feed, f"http://{HOST}:{port}{made.out.strip()}"


def pump(feed: Feed) -> int:
    feed.beat()
    return feed.tick(price=100.0)


def held(daemon: Daemon) -> float:
    answer = daemon.http.get("/positions")
    return sum(row["quantity"] for row in answer.json()) if answer.status_code == 200 else -1.0


def alert(name: str, intent: str = "enter_long", **fields: Any) -> dict[str, Any]:
    return {"id": name, "symbol": "EURUSD", "intent": intent, "reason": "new high", **fields}


def post(path: str, body: Any) -> httpx.Response:
    return httpx.post(path, json=body, timeout=PATIENCE)


def test_an_alert_is_a_signal_like_any_other_and_once(hooked):
    daemon, feed, path = hooked
    answer = post(path, alert("a", quantity=2, stop_loss={"kind": "pct", "value": 5.0}))
    assert (200, "accepted", "") == (answer.status_code, answer.json()["verdict"], answer.json()["rule"])
    again = post(path, alert("a", quantity=2))
    assert (200, "duplicate") == (again.status_code, again.json()["verdict"])
    daemon.until(lambda: pump(feed) and held(daemon) == 2.0, "two units held")
    (row,) = daemon.get("positions")
    assert 95.0 == row["guard"]["stop"]
    chain = daemon.get(f"signals/{answer.json()['signal_id']}")
    assert ("alerts", "alert", "new high", "filled") == (
        chain["signal"]["deployment_id"], chain["signal"]["timeframe"], chain["signal"]["reason"],
        chain["order"]["status"],
    )  # fmt: skip

    refused = post(path, alert("b", quantity=1, reference_price=150.0))
    assert (200, "rejected", "price_collar") == (
        refused.status_code, refused.json()["verdict"], refused.json()["rule"],
    )  # fmt: skip
    engine = daemon.part("engine")
    engine.kill()
    daemon.until(lambda: not engine.alive, "the engine gone")
    daemon.part("engine")
    daemon.until(lambda: post(path, alert("a", quantity=2)).status_code == 200, "the cell back")
    assert "duplicate" == post(path, alert("a", quantity=2)).json()["verdict"]
    assert "accepted" == post(path, alert("c", "exit_all")).json()["verdict"]
    daemon.until(lambda: pump(feed) and held(daemon) == 0.0, "nothing held")
    assert_says_what_is_wrong(path)
    assert_opens_nothing_else(daemon, path)
    daemon.act("stop", "alerts", now=True)
    daemon.until_state("alerts", "stopped")
    stopped = post(path, alert("d", quantity=1))
    assert 409 == stopped.status_code
    assert "alerts does not run" in stopped.json()["title"]
    assert_is_written_down_nowhere(daemon, path)
    daemon.act("remove", "alerts")
    assert 401 == post(path, alert("e", quantity=1)).status_code
    assert [] == daemon.get("webhooks")


def assert_says_what_is_wrong(path: str) -> None:
    for body, word in (
        (alert("x", account_id="other"), "account_id"),
        (alert("x", mode="live"), "mode"),
        ({"symbol": "EURUSD", "intent": "exit_all"}, "id"),
        (alert("x", "buy"), "intent"),
        (alert("x", quantity=-1), "quantity"),
        (alert("x", quantity=float("1e300")), "quantity"),
        (alert("x", stop_loss={"kind": "pct"}), "stop_loss"),
    ):
        answer = post(path, body)
        assert 422 == answer.status_code, answer.text
        assert any(word in line for line in answer.json()["errors"])
    assert 422 == httpx.post(path, content=b"x" * 100, timeout=PATIENCE).status_code
    assert 413 == httpx.post(path, content=b" " * 2**21, timeout=PATIENCE).status_code


def assert_opens_nothing_else(daemon: Daemon, path: str) -> None:
    base, token = path.split("/api/v1/webhooks/")
    for route in ("deployments", "signals", "webhooks"):
        shown = httpx.get(f"{base}/api/v1/{route}", headers={"X-API-Key": token}, timeout=PATIENCE)
        assert 403 == shown.status_code
    assert 401 == post(path[:-1] + ("0" if path[-1] != "0" else "1"), alert("x", quantity=1)).status_code
    assert 401 == post(f"{base}/api/v1/webhooks/nonsense", alert("x", quantity=1)).status_code
    key = daemon.site.stratd("keys", "create", "--scope", "trade").out.strip()
    other = post(f"{base}/api/v1/webhooks/{key}", alert("x", quantity=1))
    assert 403 == other.status_code
    assert key[-64:] not in other.text
    unknown = daemon.site.stratd("webhooks", "create", "nobody")
    assert 4 == unknown.code
    daemon.start("idler", "idle")
    refused = daemon.site.stratd("webhooks", "create", "idler")
    assert 5 == refused.code
    assert "webhook_strategy" in refused.err


def assert_is_written_down_nowhere(daemon: Daemon, path: str) -> None:
    """The secret half of the token is in no file of the daemon's, nor in what it says of itself."""
    secret = path[-64:]
    trail = daemon.http.get("/audit", params={"limit": 1000}).text
    assert "/api/v1/webhooks/" in trail
    assert secret not in trail
    listed = daemon.site.stratd("webhooks", "list", "--json")
    assert secret not in listed.out
    assert ["alerts"] == [one["deployment_id"] for one in json.loads(listed.out)]
    assert secret not in daemon.stderr()
    for file in daemon.site.base.rglob("*"):
        with suppress(FileNotFoundError):  # one of a daemon that goes on writing
            assert not file.is_file() or secret.encode() not in file.read_bytes(), file
    assert webhook_rows(daemon.site.state) == [('["webhook:alerts"]',)]


def webhook_rows(state: Path) -> list[Any]:
    with closing(sqlite3.connect(f"file:{state / 'stratd.db'}?mode=ro", uri=True)) as database:
        return database.execute("SELECT scopes FROM api_keys WHERE scopes LIKE '%webhook%'").fetchall()
