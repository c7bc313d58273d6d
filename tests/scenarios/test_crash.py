"""Scenarios 9 to 17 of supervision.md: dying, and coming back."""

from __future__ import annotations

import itertools
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from supervisor.life import Born, Due, Ended, Life, Policy, Ready, Start, State
from supervisor.lifecycle import backoff_delay, step
from tests.scenarios.rig import CLOCK_STEPS, Process, process, stat_of

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
COUNTS = """
def on_tick(self, data):
    print("tick", round(data.tick.last * 1000), flush=True)
"""
"""Prints every tick that it gets: its price is its number."""
CRASHES = "def on_start(self, ctx, recovered):\n    os._exit(3)\n"


def cpu_of(process: Process) -> float:
    """Return the seconds of processor time that a process has used."""
    found = stat_of(process.pid)
    assert found is not None
    return (int(found[11]) + int(found[12])) / os.sysconf("SC_CLK_TCK")


def test_s09_a_killed_strategy_comes_back_and_the_others_miss_nothing(daemon):
    for name in ("victim", "other"):
        daemon.site.strategy(name, COUNTS, conflate=False)
        daemon.start(name)
    before, other = daemon.strategy("victim"), daemon.row("other")
    with daemon.site.feed() as feed:
        feed.wait_for_engine()
        sent = [feed.tick(price=n / 1000) for n in range(1, 21)]
        daemon.until_said("victim", "tick", 20)
        before.kill()
        while daemon.row("victim")["generation"] < 2 or daemon.row("victim")["state"] != "running":
            sent.append(feed.tick(price=(len(sent) + 1) / 1000))
        after = daemon.row("victim")
        daemon.until_said("other", "tick", len(sent))
    assert not before.alive
    assert (after["restarts"], after["last_death"]["cause"]) == (1, "signal")
    row = daemon.row("other")
    assert (row["pid"], row["generation"]) == (other["pid"], 1)
    assert [int(tick) for tick in daemon.site.said("other", "tick")] == sent
    assert row["gaps"] == 0


ENDS = {
    "segv": ("import ctypes; ctypes.string_at(0)", "signal", "SIGSEGV", "quarantined"),
    "abort": ("os.abort()", "signal", "SIGABRT", "quarantined"),
    "exit3": ("os._exit(3)", "exit", 3, "quarantined"),
    "exit0": ("sys.exit(0)", "exit", 0, "stopped"),
    "raises": ("raise ValueError('bad luck')", "error", None, "quarantined"),
    "eats": ("self.held = [bytearray(2**20) for _ in range(200)]", "oom", None, "quarantined"),
    "kernel": ("self.held = bytearray(b'x') * 2**27", "oom", None, "quarantined"),
}


def test_s10_every_end_is_recorded_with_a_reason_of_its_own_and_exit_0_is_no_failure(new_site):
    site = new_site(restart={"max_restarts": 1}, budgets={"errors_in_a_row": 1}).with_feed()
    for name, (code, _, _, _) in ENDS.items():
        site.strategy(name, f"def on_tick(self, data):\n    {code}\n")
    daemon = site.daemon()
    for name in ENDS:
        daemon.start(name, memory="64M")
    with site.feed() as feed:
        feed.wait_for_engine()

        def rested():
            feed.tick()
            rows = daemon.rows()
            return rows if all(rows[name]["state"] == rest for name, (*_, rest) in ENDS.items()) else None

        rows = daemon.until(rested, "every one of them at rest")
    for name, (_, cause, what, _) in ENDS.items():
        death = daemon.deaths(name)[0]
        assert death["cause"] == cause, (name, death)
        assert what in (None, death["exit_code"], death["signal"]), (name, death)
    details = [daemon.deaths(name)[0]["detail"] for name in ENDS]
    assert len(set(details)) >= len(ENDS) - 1, f"told apart: {details}"
    assert (rows["exit0"]["generation"], rows["exit0"]["desired"]) == (1, "running")
    assert "bad luck" in daemon.deaths("raises")[0]["stack"] + daemon.deaths("raises")[0]["detail"]


@pytest.mark.alone
def test_s11_one_that_crashes_at_once_is_given_up_after_growing_delays(new_site):
    site = new_site(restart={"delay": 0.1, "max_delay": 0.4, "max_restarts": 5})
    site.strategy("crashes", CRASHES)
    daemon = site.daemon()
    daemon.rows()  # the first request of a kind is dearer, and no part of what is measured
    daemon.start("crashes", wait=False)
    began, used = time.monotonic(), cpu_of(daemon.process)
    row = daemon.until_state("crashes", "quarantined")
    share = (cpu_of(daemon.process) - used) / (time.monotonic() - began)
    events = daemon.events("backoff", "starting", name="crashes")
    waits = [
        (after["at"] - before["at"]) / 1e9
        for before, after in itertools.pairwise(events)
        if before["kind"] == "backoff"
    ]
    assert len(waits) == 5 == row["restarts"], "bounded"
    # A timer is never early; how late it is says how busy this host was. (An event is written a moment late.)
    least = (0.1, 0.2, 0.4, 0.4, 0.4)
    assert all(wait > 0.7 * meant for wait, meant in zip(waits, least, strict=True)), waits
    assert row["reason"].startswith("crash_loop: 6 unplanned exits within 60 s, the last by exit")
    assert share < 0.25, f"{share:.1%} of a core, of which 2 % are meant for the whole"


def test_s11_delays_are_jittered_and_capped():
    policy = Policy(delay_base=1.0, delay_cap=60.0, jitter=0.25)
    drawn = random.Random(11)
    for attempt in range(100):
        middle = min(60.0, 2.0**attempt)
        assert 0.75 * middle <= backoff_delay(attempt, drawn.random(), policy) <= 1.25 * middle
    assert len({backoff_delay(3, drawn.random(), policy) for _ in range(20)}) == 20


def test_s12_one_that_crashes_long_after_it_was_ready_is_given_up_by_the_window(new_site):
    site = new_site(restart={"max_restarts": 3, "stable_time": 30})
    site.strategy(
        "crashes", "def on_start(self, ctx, recovered):\n    threading.Timer(1.0, os._exit, [3]).start()\n"
    )
    daemon = site.daemon()
    daemon.start("crashes")
    assert daemon.until_state("crashes", "quarantined")["generation"] == 4
    lives = [death["uptime_s"] for death in daemon.deaths("crashes")]
    assert min(lives) > 0.3, "being ready, and living on for a while, is no merit that outweighs the window"


def test_s12_crashing_every_three_seconds_for_ever_ends_by_the_window_of_the_defaults():
    life, now, crashes = step(Life(), Start(), 0.0, Policy())[0], 0.0, 0
    while life.state is not State.QUARANTINED and crashes < 100:
        for event in (Born(life.instance), Ready(life.instance)):
            life, _ = step(life, event, now, Policy())
        now, crashes = now + 3.0, crashes + 1
        life, _ = step(life, Ended(life.instance, "exit", exit_code=1), now, Policy())
        if life.state is State.BACKOFF:
            now = life.due
            life, _ = step(life, Due(life.timer), now, Policy())
    assert (crashes, life.state) == (6, State.QUARANTINED)


def test_s13_after_giving_up_the_reason_and_the_tally_stand_until_they_are_reset(new_site):
    site = new_site(restart={"max_restarts": 2, "stable_time": 0.3, "window": 600})
    site.strategy("crashes")
    daemon = site.daemon()
    daemon.start("crashes")
    for generation in range(1, 5):  # four crashes, of which two may come without a stable run between
        daemon.until_state("crashes", "running", generation=generation)
        daemon.until(lambda: (daemon.row("crashes")["uptime_s"] or 0) > 0.4, "a stable run")
        daemon.strategy("crashes").kill()
    daemon.until_state("crashes", "running", generation=5)
    site.strategy("crashes", CRASHES)
    daemon.strategy("crashes").kill()
    row = daemon.until_state("crashes", "quarantined")
    assert re.match(r"crash_loop: 3 unplanned exits within 600 s, the last by exit: ", row["reason"])
    shown = site.stratd("ps", "--json").json[0]
    assert (shown["state"], shown["reason"]) == ("quarantined", row["reason"])
    assert row["reason"] in site.stratd("describe", "crashes").out.replace("\n", " ")
    site.strategy("crashes")
    site.settings["restart"] = {
        **site.settings["restart"],
        "stable_time": 60,
    }  # no run is stable from here on
    site.write_config()
    assert site.stratd("reload").code == 0
    assert daemon.start("crashes")["state"] == "running", "an operator may start it"
    daemon.strategy("crashes").kill()
    row = daemon.until_state("crashes", "quarantined")
    assert "4 unplanned exits" in row["reason"], "a start forgets nothing; a stable run or a reset does"
    assert site.stratd("reset-failed", "crashes").code == 0
    assert (daemon.row("crashes")["state"], daemon.row("crashes")["desired"]) == ("stopped", "stopped")
    daemon.start("crashes")
    daemon.strategy("crashes").kill()
    daemon.until_state("crashes", "running", generation=daemon.row("crashes")["generation"] + 1)


def test_s14_a_stop_during_backoff_is_immediate_and_no_timer_starts_it_later(new_site):
    site = new_site(restart={"delay": 3, "max_delay": 3})
    site.strategy("crashes", CRASHES)
    site.strategy("later", CRASHES)
    daemon = site.daemon()
    daemon.start("crashes", wait=False)
    daemon.until_state("crashes", "backoff")
    outcome = daemon.act("stop", "crashes")
    assert (outcome["state"], outcome["changed"]) == ("stopped", True)
    # Its delay is over when that of one which crashed after it is.
    daemon.start("later", wait=False)
    daemon.until_event("backoff", "later")
    daemon.until(lambda: len(daemon.events("starting", name="later")) == 2, "the timer of the other")
    row = daemon.row("crashes")
    assert (row["state"], row["desired"], row["generation"]) == ("stopped", "stopped", 1)
    assert len(daemon.events("starting", name="crashes")) == 1


def test_s15_siblings_of_a_flapping_strategy_are_never_touched(daemon):
    daemon.site.strategy("flaps", CRASHES)
    daemon.site.strategy("counts", COUNTS, conflate=False)
    daemon.start_all(["one", "two"], "counts", account="same")
    for name in ("one", "two"):
        daemon.until_event("running", name)  # it is told a moment after it is so
    pids = {name: daemon.row(name)["pid"] for name in ("one", "two")}
    seq = daemon.seq
    with daemon.site.feed() as feed:
        feed.wait_for_engine()
        daemon.start("flaps", account="same", wait=False)
        sent = []

        def over():
            sent.append(feed.tick(price=(len(sent) + 1) / 1000))
            return daemon.row("flaps")["state"] == "quarantined"

        daemon.until(over, "the flapping one given up")
        for name in pids:
            daemon.until_said(name, "tick", len(sent))
    for name, pid in pids.items():
        row = daemon.row(name)
        assert (row["pid"], row["generation"], row["restarts"], row["gaps"]) == (pid, 1, 0, 0)
        assert [int(tick) for tick in daemon.site.said(name, "tick")] == sent
        assert daemon.events(name=name, after=seq) == []


HANGS_IN_CLEANUP = "def cleanup(self):\n    while True: pass\n"
SLOW = "def initialize(self, config):\n    threading.Event().wait(2)\n"


@pytest.mark.parametrize(
    ("step_by", "seconds"), [(signal.SIGUSR1, 3600), (signal.SIGUSR2, -3600)], ids=["ahead", "back"]
)
def test_s16_a_wall_clock_that_steps_changes_no_timing(new_site, step_by, seconds):
    site = new_site(
        before=CLOCK_STEPS,
        restart={"delay": 1.5, "max_delay": 1.5, "stop_timeout": 1.5, "max_restarts": 2, "stable_time": 60},
    )
    site.strategy("slow", SLOW)
    site.strategy("hangs", HANGS_IN_CLEANUP)
    daemon = site.daemon()
    daemon.start_all(["runs", "flaps"])
    daemon.start("hangs")
    runs = daemon.row("runs")

    daemon.start("slow", wait=False)
    daemon.until_state("slow", "starting", "warming")
    daemon.signal(step_by)  # while STARTING and, of the others, RUNNING
    assert daemon.until_state("slow", "running")["generation"] == 1, "not late"

    began = time.monotonic()
    daemon.strategy("flaps").kill()
    daemon.until_state("flaps", "backoff")
    daemon.signal(step_by)  # while BACKOFF
    daemon.until_state("flaps", "running", generation=2)
    assert time.monotonic() - began > 1.5, "its delay was neither cut short nor made an hour longer"

    began = time.monotonic()
    daemon.act("stop", "hangs", wait=False)
    daemon.until_state("hangs", "stopping")
    daemon.signal(step_by)  # while STOPPING
    daemon.until_state("hangs", "stopped")
    assert time.monotonic() - began > 2.0, "both graces, 1.5 s and 0.5 s"
    assert "in cleanup" in daemon.deaths("hangs")[0]["stack"]

    for generation in (2, 3):
        daemon.until_state("flaps", "running", generation=generation)
        daemon.strategy("flaps").kill()
    daemon.until_state("flaps", "quarantined")  # the window forgot none of the three
    row = daemon.row("runs")
    assert (row["pid"], row["restarts"]) == (runs["pid"], 0)
    assert 0 < row["uptime_s"] < 600
    assert 0 < daemon.status()["uptime_s"] < 600
    stamps = [event["at"] for event in daemon.events()]
    steps = [round((b - a) / 1e9) for a, b in itertools.pairwise(stamps) if abs(b - a) > 1e12]
    assert len(steps) == 3, "it did see the clock step"
    assert all(abs(step - seconds) < 100 for step in steps), "what passed between two events is in it, too"


LISTENS = """
def on_feed_status(self, status):
    print("feed", status.feed, status.state, flush=True)

def on_tick(self, data):
    print("tick", data.symbol, flush=True)
"""
PUBLISH = """
import sys
from tests.scenarios.rig import Feed
from bus.sockets import Publisher
feed = Feed(Publisher(sys.argv[1])).wait_for_engine()
feed.tick()
print("published", flush=True)
sys.stdin.read()
"""


def test_s17_who_reads_a_feed_that_died_is_told_and_lives_and_the_others_get_theirs(new_site):
    site = new_site().with_feed("main").with_feed("other")
    site.strategy("listens", LISTENS)
    daemon = site.daemon()
    daemon.start("a", "listens")
    daemon.start("b", "listens", symbols=["GBPUSD"])
    pids = [daemon.row(name)["pid"] for name in "ab"]
    publisher = subprocess.Popen(
        [sys.executable, "-c", PUBLISH, site.endpoint()],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with publisher, site.feed("other") as other:
        try:
            assert publisher.stdout.readline() == "published\n"
            daemon.until_said("a", "tick EURUSD")
            process(publisher.pid).kill()
            for name in "ab":
                daemon.until_said(name, "feed main disconnected")
            assert "main" in daemon.until_event("feed_disconnected")["detail"]
            daemon.until(
                lambda: (
                    {feed["name"]: feed["state"] for feed in daemon.get("feeds")}["main"] == "disconnected"
                ),
                "stratd feeds showing it",
            )
            other.wait_for_engine().tick("GBPUSD")
            daemon.until_said("b", "tick GBPUSD")
        finally:
            publisher.kill()
    assert [daemon.row(name)["pid"] for name in "ab"] == pids
    with site.feed() as feed:  # it comes back, and nobody had to be started again
        feed.wait_for_engine().tick()
        daemon.until_said("a", "feed main healthy", 2)
        daemon.until_said("a", "tick EURUSD", 2)


@pytest.mark.parametrize("on_loss", ["pause", "restart"])
def test_s17_who_reads_a_feed_that_died_is_paused_or_restarted_where_that_is_the_policy(new_site, on_loss):
    site = new_site().with_feed("main", on_loss=on_loss).with_feed("other")
    site.strategy("listens", LISTENS)
    daemon = site.daemon()
    for name, symbol in (("a", "EURUSD"), ("b", "EURUSD"), ("c", "GBPUSD")):
        daemon.start(name, "listens", symbols=[symbol])
    with site.feed("other") as other:
        other.wait_for_engine().tick("GBPUSD")
        with site.feed() as feed:
            feed.wait_for_engine().tick()
            for name in "abc":
                daemon.until_said(name, "tick")
            seq = daemon.seq
        daemon.until_event("feed_disconnected", after=seq)
        if on_loss == "pause":
            for name in "ab":
                row = daemon.until_state(name, "paused")
                assert (row["desired"], row["generation"]) == ("running", 1)
                assert row["reason"].startswith("feed main is lost: the publisher at")
            assert daemon.act("resume", "b")["state"] == "running", "an operator's word comes first"
        assert daemon.row("c")["state"] == "running"
        with site.feed() as feed:
            feed.wait_for_engine().tick()
            for name in "ab":
                daemon.until_state(name, "running", generation=2 if on_loss == "restart" else 1)
            feed.tick()  # the one that brought the feed back came to who was paused
            for name in "ab":
                daemon.until_said(name, "tick", 2)
    rows = daemon.rows()
    assert (rows["c"]["generation"], rows["c"]["restarts"]) == (1, 0)
    assert {rows[name]["generation"] for name in "ab"} == {2 if on_loss == "restart" else 1}
    assert daemon.events("paused", name="c") == []


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_s17_who_waits_for_a_feed_waits_for_it_with_the_next_daemon_too(new_site, end):
    site = new_site().with_feed("main", on_loss="pause")
    site.strategy("listens", LISTENS)
    first = site.daemon()
    first.start("a", "listens")
    with site.feed() as feed:
        feed.wait_for_engine().tick()
        first.until_said("a", "tick")
    first.until_state("a", "paused")
    seq = first.seq
    getattr(first, end)()
    second = site.daemon()
    row = second.until_state("a", "paused", generation=2)
    assert row["desired"] == "running"
    assert second.events("running", name="a", after=seq) == [], "not even for a moment"
    with site.feed() as feed:
        feed.wait_for_engine().tick()
        second.until_state("a", "running")
        feed.tick()
        second.until_said("a", "tick", 2)
