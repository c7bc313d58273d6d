"""The exits that the engine owns, on real processes: they act once, whatever was killed before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenarios.holding import held, hold, pump
from tests.scenarios.rig import Daemon, Feed

pytestmark = pytest.mark.system


@pytest.fixture
def holding(new_site) -> Iterator[tuple[Daemon, Feed]]:
    with hold(new_site().with_feed()) as one:
        yield one


def exits(daemon: Daemon) -> list[dict[str, Any]]:
    return [trade for trade in daemon.get("trades") if trade["role"] == "stop_loss"]


def closes_once(daemon: Daemon, feed: Feed) -> None:
    """The stop acts at the next price beyond it, once, also while that price stays."""
    pump(daemon, feed, 97.0, lambda: len(exits(daemon)) > 0)
    for _ in range(20):
        feed.tick(price=96.0)
    pump(daemon, feed, 96.0, lambda: held(daemon) == 0.0)
    assert [(-1.0, 97.0)] == [(trade["quantity"], trade["price"]) for trade in exits(daemon)]
    said = [s for s in daemon.http.get("/signals", params={"n": 1000}).text.splitlines() if "stop_loss" in s]
    assert 1 == len(said)


def test_a_stop_acts_though_its_strategy_was_killed(holding):
    daemon, feed = holding
    daemon.strategy("holder").kill()
    closes_once(daemon, feed)


def test_a_stop_acts_though_its_strategy_was_stopped_and_nothing_runs(holding):
    daemon, feed = holding
    daemon.act("stop", "holder", wait=True)
    closes_once(daemon, feed)


def test_a_stop_outlives_the_engine(holding):
    daemon, feed = holding
    before = daemon.part("engine")
    before.kill()
    daemon.until(lambda: not before.alive, "the engine gone")
    daemon.part("engine")
    closes_once(daemon, feed)


def test_a_stop_outlives_the_daemon(holding):
    daemon, feed = holding
    daemon.kill()
    again = daemon.site.daemon()
    closes_once(again, feed)


def test_a_killed_account_stays_so_over_the_daemons_death_and_is_flat(holding):
    daemon, feed = holding
    done = daemon.site.stratd("account", "kill", "default", "--reason", "drill")
    assert (0, "default: locked; what it holds is being closed\n") == (done.code, done.out)
    pump(daemon, feed, 99.0, lambda: held(daemon) == 0.0)
    daemon.kill()
    again = daemon.site.daemon()
    again.until(lambda: again.http.get("/accounts").status_code == 200, "the engine to tell of accounts")
    [account] = [one for one in again.get("accounts") if one["name"] == "default"]
    assert ("lock", "operator") == (account["latch"]["kind"], account["latch"]["by"])
    done = again.site.stratd("account", "rearm", "default")
    assert (0, "default: rearmed\n") == (done.code, done.out)
