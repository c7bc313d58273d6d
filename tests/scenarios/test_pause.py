"""Scenarios 48 to 50 of supervision.md: pausing, and what comes after."""

from __future__ import annotations

import signal
import time

import pytest

from tests.scenarios.rig import IMPATIENT, Daemon, Feed, Process, Site, stat_of
from tests.waiting import until_due

pytestmark = pytest.mark.system

BUYER = """
def on_tick(self, data):
    print("tick", data.tick.seq, data.tick.ts)
    return buy(data)

def on_candle_complete(self, timeframe, candle, data):
    print("candle", candle.open_time)
"""


def processor_ticks(one: Process) -> int:
    """Return the clock ticks of processor time that a process has used (proc(5): utime and stime)."""
    found = stat_of(one.pid)
    assert found is not None
    return int(found[11]) + int(found[12])


def flow(daemon: Daemon, feed: Feed, seconds: float, every: float = 0.02) -> None:
    """Publish a tick every so often, for so long."""
    begin = time.monotonic()
    for number in range(int(seconds / every)):
        feed.tick()
        until_due(begin + number * every)


def more_ticks(daemon: Daemon, feed: Feed, name: str, than: int) -> None:
    daemon.until(lambda: feed.tick() and daemon.row(name)["ticks"] > than, f"ticks of {name}")


def left_out(daemon: Daemon, feed: Feed, than: int) -> int:
    """Publish until the warden of ``buyer`` is known to have dropped more ticks; return how many."""

    def more() -> int:
        feed.tick()
        dropped: int = daemon.row("buyer")["stale"]
        return dropped if dropped > than else 0

    found: int = daemon.until(more, "its warden dropping ticks")
    return found


def test_s48_paused_uses_no_processor_sends_no_signal_and_is_not_taken_for_hung(new_site):
    """The pause lasts twice the budget after which a strategy that says nothing is a hang (TEST-38)."""
    site: Site = new_site(budgets={"tick": {"soft": 0.5, "hard": 2}}).with_feed()
    site.strategy("buyer", BUYER)
    daemon = site.daemon()
    with site.feed() as feed:
        feed.wait_for_engine()
        row = daemon.start("buyer")
        more_ticks(daemon, feed, "buyer", 5)
        assert daemon.act("pause", "buyer")["changed"] is True
        assert daemon.act("pause", "buyer")["changed"] is False, "twice is once"
        strategy = daemon.strategy("buyer")
        dropped = daemon.until(
            lambda: feed.tick() and daemon.row("buyer")["stale"], "its warden dropping ticks"
        )
        # Told of a second time, what it did before the pause is counted as well.
        daemon.until(lambda: feed.tick() and daemon.row("buyer")["stale"] > dropped, "more of them")
        signals, used = daemon.row("buyer")["signals"], processor_ticks(strategy)
        flow(daemon, feed, 4.0)
        assert processor_ticks(strategy) - used <= 1, "none, or the end of a slice that had begun"
        paused = daemon.row("buyer")
        assert paused["signals"] == signals
        assert (paused["state"], paused["pid"], paused["restarts"]) == ("paused", row["pid"], 0)
        assert daemon.act("resume", "buyer")["state"] == "running"
        more_ticks(daemon, feed, "buyer", paused["ticks"])


def test_s48_frozen_by_somebody_else_while_paused_is_no_hang_either(new_site):
    daemon: Daemon = new_site(restart=IMPATIENT).daemon()
    daemon.start("a", "idle")
    daemon.act("pause", "a")
    strategy = daemon.strategy("a")
    strategy.kill(signal.SIGSTOP)
    daemon.until(lambda: strategy.state == "T", "stopped")
    assert daemon.act("stop", "a")["state"] == "stopped"
    assert not strategy.alive


def test_s49_after_a_resume_the_first_tick_is_new_and_what_was_left_out_is_told(daemon: Daemon):
    """Circus and others hand on a backlog instead: 1,048 stale ticks, measured."""
    site = daemon.site
    site.strategy("buyer", BUYER)
    assert site.stratd("strategies", "--rescan").code == 0
    with site.feed() as feed:
        feed.wait_for_engine()
        daemon.start("buyer")
        more_ticks(daemon, feed, "buyer", 5)
        daemon.act("pause", "buyer")
        daemon.until(lambda: feed.tick() and daemon.row("buyer")["stale"], "its warden dropping ticks")
        before = len(site.said("buyer", "tick"))
        flow(daemon, feed, 1.0)
        last = feed.seq["EURUSD"]
        resumed_at = time.time_ns()
        daemon.act("resume", "buyer")
        daemon.until(
            lambda: feed.tick() and len(site.said("buyer", "tick")) > before, "a tick after the resume"
        )
        seq, ts = map(int, site.said("buyer", "tick")[before].split())
        assert (seq > last, ts > resumed_at) == (True, True)
        missed = seq - int(site.said("buyer", "tick")[before - 1].split()[0]) - 1
        daemon.until(lambda: daemon.row("buyer")["stale"] == missed, f"{missed} ticks counted as left out")


def test_s50_a_daemon_restarted_while_paused_keeps_it_paused(site: Site):
    site.with_feed().strategy("buyer", BUYER)
    with site.feed() as feed:
        first = site.daemon()
        feed.wait_for_engine()
        first.start("buyer")
        more_ticks(first, feed, "buyer", 5)
        first.act("pause", "buyer", reason="news")
        for end in ("terminate", "kill"):
            getattr(first, end)()
            second = site.daemon()
            row = second.until_state("buyer", "paused")
            assert row["desired"] == "paused"
            before = len(site.said("buyer", "tick"))
            # Dropped by its warden, so the ticks came as far as that.
            second.until(lambda now=second: feed.tick() and now.row("buyer")["stale"], "ticks left out")
            assert len(site.said("buyer", "tick")) == before
            assert second.row("buyer")["signals"]["accepted"] >= 1, "those of before"
            first = second
        first.act("resume", "buyer")
        more_ticks(first, feed, "buyer", 0)
