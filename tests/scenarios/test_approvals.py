"""Semi-automatic trading, on a daemon as a process of its own: what waits outlives everybody."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenarios.rig import Daemon, Feed
from tests.scenarios.sink import ThreadedSink

pytestmark = pytest.mark.system

ASKS = """
def initialize(self, config):
    self.asked = 0
def on_tick(self, data):
    if self.asked < 4:
        self.asked += 1
        return buy(data, leg=str(self.asked), ttl_ms=3_600_000)
def on_signal_result(self, ack):
    print("heard", ack.number, ack.decision, ack.rule)
def save_state(self):
    return {"asked": self.asked}
def load_state(self, state, version):
    self.asked = state["asked"]
"""
MANUAL = {"approval": "manual", "approval_timeout": 3600.0}


@pytest.fixture
def told() -> Iterator[ThreadedSink]:
    """Whoever is told of what happens."""
    with ThreadedSink() as one:
        yield one


@pytest.fixture
def asking(new_site, told) -> Iterator[tuple[Daemon, Feed]]:
    """A deployment of which four entries wait."""
    target = {"kind": "webhook", "url": f"{told.url}/hook", "every": 1}
    site = new_site(restart={"checkpoint_every": 1}, notifications={"pager": target}).with_feed()
    site.strategy("asks", ASKS)
    daemon = site.daemon()
    with site.feed() as feed:
        daemon.start("asks", risk=MANUAL)
        feed.wait_for_engine()
        daemon.until(lambda: pump(feed) and len(pending(daemon)) == 4, "four entries that wait")
        yield daemon, feed


def pump(feed: Feed) -> int:
    feed.beat()
    return feed.tick(price=100.0)


def pending(daemon: Daemon) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = daemon.get("signals/pending")
    return found


def held(daemon: Daemon) -> float:
    answer = daemon.http.get("/positions")
    return sum(row["quantity"] for row in answer.json()) if answer.status_code == 200 else -1.0


def test_what_waits_outlives_engine_and_daemon_and_is_decided_once(asking, told):
    daemon, feed = asking
    stratd = daemon.site.stratd
    first, second, third, fourth = (row["signal_id"] for row in pending(daemon))
    waiting = {
        f"enter_long EURUSD: stratd approve {one}, or reject" for one in (first, second, third, fourth)
    }
    daemon.until(lambda: waiting <= told.details("approval_waiting", "asks"), "people told that they wait")
    assert_refuses_nonsense(daemon)
    listed = stratd("signals", "--pending", "asks")
    assert (0, first) == (listed.code, listed.out.split()[0])
    assert "enter_long 1 EURUSD" in listed.out

    done = stratd("approve", first, "--reason", "by phone")
    assert (0, "") == (done.code, done.err)
    assert done.out.startswith(f"{first}: approved, then accepted; order ")
    daemon.until(lambda: pump(feed) and held(daemon) == 1.0, "one unit held")
    me = pwd.getpwuid(os.geteuid()).pw_name
    again = stratd("approve", first)
    assert again.out.startswith(f"{first}: approved already, by {me}, then accepted; order ")
    assert (1, f"stratd: signal {first} waits no longer: accepted, approved by {me}\n") == (
        stratd("reject", first).code,
        stratd("reject", first).err,
    )
    chain = daemon.get(f"signals/{first}")
    assert ("pending", "accepted", "by phone", "filled") == (
        chain["waited"]["verdict"],
        chain["signal"]["verdict"],
        chain["signal"]["remark"],
        chain["order"]["status"],
    )

    engine = daemon.part("engine")
    engine.kill()
    daemon.until(lambda: not engine.alive, "the engine gone")
    daemon.part("engine")
    daemon.until(lambda: pump(feed) and held(daemon) == 1.0, "the new engine's picture")
    assert [second, third, fourth] == [row["signal_id"] for row in pending(daemon)]
    daemon.until(lambda: stratd("approve", second).code == 0, "the cell back with the new engine")
    daemon.until(lambda: pump(feed) and held(daemon) == 2.0, "two units held")

    daemon.kill()
    after = daemon.site.daemon()
    after.until_state("asks", "running")
    feed.wait_for_engine()
    after.until(lambda: pump(feed) and held(after) == 2.0, "the next daemon's picture")
    assert [third, fourth] == [row["signal_id"] for row in pending(after)]
    assert (0, f"{third}: rejected\n") == stratd("reject", third)[:2]
    late = after.http.post(f"/signals/{third}/approve", json={})
    assert 409 == late.status_code
    assert f"waits no longer: rejected by approval_denied: {me} refused it" in late.json()["title"]
    after.until(lambda: "3 rejected approval_denied" in after.site.said("asks", "heard"), "the strategy told")

    assert {"changed": True} == stratd_latch(after)
    assert [] == pending(after)
    gone = stratd("approve", fourth)
    assert (1, "") == gone[:2]
    assert "approval_withdrawn" in gone.err
    after.until(lambda: pump(feed) and held(after) == 0.0, "all of it closed")
    after.until(lambda: told.details("latched", "asks"), "people told of the latch")
    assert told.details("engine_died"), "the engine that was killed"
    numbers = list(dict.fromkeys(one["seq"] for one in told.events))
    assert sorted(numbers) == numbers, "in order, what came twice aside"


def stratd_latch(daemon: Daemon) -> dict[str, Any]:
    answer = daemon.http.post("/deployments/asks/flatten", json={"reason": "drill"})
    return {"changed": json.loads(answer.text)["changed"]}


def assert_refuses_nonsense(daemon: Daemon) -> None:
    unknown = daemon.site.stratd("approve", "nothing")
    assert (4, "") == unknown[:2]
    assert "no signal 'nothing'" in unknown.err
    assert 404 == daemon.http.post("/signals/nothing/reject", json={}).status_code
    assert 422 == daemon.http.post("/signals/nothing/reject", json={"resaon": "x"}).status_code
