"""Scenarios 54 to 60 of supervision.md: market data in, signals out, and whoever gets in their way."""

from __future__ import annotations

import errno
import json
import os
import signal
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from tests.scenarios.rig import IMPATIENT, Daemon, Feed, Site, none_alive
from tests.waiting import until_due, wait_until

pytestmark = pytest.mark.system

SECOND = 1_000_000_000
PWNED = Path("/dev/shm/stratd-pwned")  # noqa: S108  (never made, if all is well)
WATCHER = """
def on_tick(self, data):
    print("lag", time.time_ns() - data.tick.ts)
"""
SLEEPER = """
def on_tick(self, data):
    time.sleep(1.0)
"""
CANDLES = """
def initialize(self, config):
    self.told = False

def on_candle_complete(self, timeframe, candle, data):
    if not self.told:
        self.told = True
        for one in data.history(timeframe, 50).open_time[:-1]:
            print("candle", int(one))
    print("candle", candle.open_time)

def on_tick(self, data):
    print("tick", data.tick.seq)
"""
ATTACKER = """
PICKLE = b"cos\\nsystem\\n(S'touch /dev/shm/stratd-pwned'\\ntR."

def on_tick(self, data):
    what = {what!r}
    print("trying", what, flush=True)
    if what == "garbage":
        os.write(3, os.urandom(4096))
    elif what == "pickle":
        os.write(3, self.PICKLE)
    elif what == "ten megabytes":
        try:
            os.write(3, b"x" * 10 * 2**20)
        except OSError as error:
            print("refused", error.errno, flush=True)
            raise
    elif what == "flood":
        return [buy(data) for _ in range(1_000)]
    elif what == "replay":
        return [buy(data), buy(data)]
"""
SENDS = """
def on_tick(self, data):
    print("sent", data.tick.seq, flush=True)
    return buy(data)
"""
DELAYS = (0.0, 0.0003, 0.0006, 0.001, 0.0015, 0.002, 0.003, 0.005)
"""Seconds between a tick's publication and the end of the strategy that answers it with a signal."""


def strategies(site: Site) -> None:
    """Write every strategy of this module."""
    site.strategy("watcher", WATCHER)
    site.strategy("sleeper", SLEEPER)
    folder = site.strategy("candles", CANDLES)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "warmup": 50, "conflate": False}))
    for what in ("garbage", "pickle", "ten megabytes", "flood", "replay"):
        site.strategy(what.replace(" ", "_"), ATTACKER.replace("{what!r}", repr(what)))


@pytest.fixture(scope="module")
def shared() -> Iterator[Daemon]:
    """One daemon whose callbacks may take long, with every strategy of this module."""
    one = Site(budgets={"tick": {"soft": 5, "hard": 10}}, quota={"backlog": 20}).with_feed(heartbeat=0.5)
    strategies(one)
    yield one.daemon()
    one.remove()


@pytest.fixture(scope="module")
def market(shared: Daemon) -> Iterator[Feed]:
    """The publisher of that daemon's feed, whose numbers go on from test to test."""
    with shared.site.feed() as feed:
        yield feed.wait_for_engine()


def median_lag(daemon: Daemon, feed: Feed, names: list[str], ticks: int = 100) -> float:
    """Publish ``ticks`` and return the median of what they took to their strategies, in seconds."""
    before = {name: len(daemon.site.said(name, "lag")) for name in names}
    begin = time.monotonic()
    for number in range(ticks):
        feed.tick()
        until_due(begin + number * 0.02)
    lags: list[int] = []
    for name in names:
        daemon.until_said(name, "lag", before[name] + ticks // 2)
        lags += map(int, daemon.site.said(name, "lag")[before[name] :])
    return statistics.median(lags) / SECOND


@pytest.mark.alone
def test_s54_a_slow_strategy_leaves_the_latency_of_others_as_it_was(daemon: Daemon, market: Feed):
    """One that sleeps for a second a tick: a ratio within one run, so that a slow host is no failure."""
    names = ["quick1", "quick2"]
    daemon.start_all(names, "watcher")
    median_lag(daemon, market, names, 20)
    alone = median_lag(daemon, market, names)
    daemon.start("slow", "sleeper")
    together = median_lag(daemon, market, names)
    assert together < 5 * alone + 0.005
    row = daemon.until(
        lambda: (row := daemon.row("slow"))["conflated"] > 50 and row["lag_ms"] and row, "its loss counted"
    )
    assert row["lag_ms"] > 100
    assert [daemon.row(name)["conflated"] for name in names] == [0, 0]
    assert (row["state"], row["restarts"]) == ("running", 0)
    shown = daemon.site.stratd("ps").out.splitlines()
    assert " LOST " in shown[0]


def seconds_of_market(feed: Feed, first: int, count: int) -> None:
    """Publish five ticks in each of ``count`` seconds from ``first`` (ns) on."""
    for number in range(count * 5):
        feed.tick(ts=first + number * SECOND // 5)


def test_s55_a_late_joiner_gets_history_then_live_without_a_gap_or_a_repetition(site: Site):
    strategies(site.with_feed())
    daemon = site.daemon()
    with site.feed() as feed:
        feed.wait_for_engine()
        begin = (time.time_ns() // SECOND - 60) * SECOND
        daemon.start("early", "candles", timeframes=["1s"])
        seconds_of_market(feed, begin, 20)
        daemon.until_said("early", "candle", 19)
        daemon.start("late", "candles", timeframes=["1s"])
        seconds_of_market(feed, begin + 20 * SECOND, 20)
        for name in ("early", "late"):  # the last tick of all, behind the newest candle
            daemon.until(lambda name=name: "200" in site.said(name, "tick"), "the last tick")
        early, late = ([int(at) for at in site.said(name, "candle")] for name in ("early", "late"))
        first = early[0]
        assert first - begin in (0, SECOND), "the one in which the market began may be incomplete"
        assert early == list(range(first, early[-1] + SECOND, SECOND))
        assert late == list(range(first, late[-1] + SECOND, SECOND)), "history in order, then live, each once"
        assert [int(seq) for seq in site.said("late", "tick")] == list(range(101, 201)), "no tick was missed"
        assert (daemon.row("late")["gaps"], daemon.row("early")["gaps"]) == (0, 0)


def test_s56_who_reads_one_symbol_of_many_is_told_of_no_gap(daemon: Daemon, market: Feed):
    daemon.start("one", "idle")
    daemon.start("other", "idle", symbols=["GBPUSD"])
    gaps = daemon.get("feeds")[0]["gaps"]
    for number in range(30):
        seq = market.tick(("EURUSD", "GBPUSD", "USDJPY")[number % 3])
        assert seq
    daemon.until(
        lambda: (
            [daemon.row(name)["ticks"] + daemon.row(name)["conflated"] for name in ("one", "other")]
            == [10, 10]
        ),
        "all their ticks",
    )
    assert [daemon.row(name)["gaps"] for name in ("one", "other")] == [0, 0]
    (seen,) = daemon.get("feeds")
    assert (seen["gaps"] - gaps, seen["sequenced"]) == (0, True)


def test_s57_a_heartbeat_keeps_an_idle_feed_alive_and_its_end_is_noticed(site: Site):
    """The feed is given two seconds of silence here; twice as long nothing trades."""
    daemon = site.with_feed(heartbeat=2).daemon()

    def state() -> str:
        return str(daemon.get("feeds")[0]["state"])

    with site.feed() as feed:
        feed.wait_for_engine()
        daemon.until(lambda: feed.beat() or state() == "healthy", "a feed that lives")
        before, seen, begin = daemon.seq, set(), time.monotonic()
        for number in range(40):
            feed.beat()
            seen.add(state())
            until_due(begin + number * 0.1)
        assert seen == {"healthy"}
        assert daemon.events("feed_stale", "feed_disconnected", after=before) == []
        daemon.until(lambda: state() == "stale", "silence noticed")
        daemon.until(lambda: feed.beat() or state() == "healthy", "its return")
    daemon.until(lambda: state() == "disconnected", "the end of the publisher")


@pytest.mark.parametrize(
    ("name", "cause"),
    [("garbage", "protocol"), ("pickle", "protocol"), ("ten_megabytes", None)],
)
def test_s58_what_is_no_word_of_the_protocol_ends_the_cell_that_said_it(
    daemon: Daemon, market: Feed, name: str, cause: str | None
):
    sibling = daemon.start("sibling", "idle")
    before = resident(daemon)
    daemon.start("bad", name)
    daemon.until(lambda: market.tick() and daemon.site.said("bad", "trying"), "the attempt")
    if cause:
        daemon.until(lambda: daemon.deaths("bad"), "its end")
        assert daemon.deaths("bad")[-1]["cause"] == cause
    else:
        assert daemon.until_said("bad", "refused")[0] == str(errno.EMSGSIZE), "the kernel took none of it"
    assert not PWNED.exists(), "nobody opened the pickle"
    assert daemon.row("sibling")["pid"] == sibling["pid"]
    assert resident(daemon) - before < 32 * 2**20


def resident(daemon: Daemon) -> int:
    """Return the resident bytes of the daemon and its engine (proc(5): statm)."""
    pids = (daemon.process.pid, daemon.part("engine").pid)
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_s58_repeated_and_too_many_signals_are_refused_and_counted(daemon: Daemon, market: Feed):
    before, first = resident(daemon), market.seq.get("EURUSD", 0)
    for name in ("replay", "flood"):
        daemon.start(name)
    market.tick()
    counted = daemon.until(
        lambda: (row := daemon.row("replay")["signals"])["duplicate"] and row, "the repetition counted"
    )
    assert (counted["accepted"], counted["duplicate"]) == (1, 1)
    daemon.until(lambda: market.tick() and daemon.describe("flood")["refused"] > 4_000, "the flood counted")
    detail = daemon.describe("flood")
    assert (detail["state"], detail["restarts"]) == ("running", 0)
    assert detail["signals"]["accepted"] <= market.seq["EURUSD"] - first, "of equal ones, one a tick"
    assert resident(daemon) - before < 64 * 2**20


def test_s58_a_connection_with_another_ones_name_is_refused_and_told(daemon: Daemon):
    daemon.start("victim", "idle")
    before = daemon.seq
    with zmq.Context() as context, context.socket(zmq.PUSH) as forged:
        forged.linger, forged.immediate = 0, True  # only to a connection that was let in
        forged.plain_username, forged.plain_password = b"victim.1", b"0" * 32
        forged.connect(f"ipc://{daemon.site.runtime}/cells/reports")
        event = daemon.until_event("connection_refused", after=before)
        assert "victim.1" in event["detail"]
        with pytest.raises(zmq.Again):
            forged.send(msgspec.msgpack.encode(["signals", []]), zmq.NOBLOCK)
    assert daemon.row("victim")["state"] == "running"


@pytest.mark.alone
def test_s59_a_signal_of_the_last_instant_counts_once_whatever_ended_its_strategy(new_site):
    """Each tick is answered by a signal; the strategy is killed at other instants of that each time."""
    site: Site = new_site(restart={"max_restarts": 50}).with_feed()
    folder = site.strategy("dies", SENDS)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "conflate": False}))
    daemon = site.daemon()
    with site.feed() as feed:
        feed.wait_for_engine()
        daemon.start("dies")
        for generation, delay in enumerate(DELAYS, 1):
            daemon.until_state("dies", "running", generation=generation)
            strategy = daemon.strategy("dies")
            seq = feed.tick()
            until_due(time.monotonic() + delay)
            strategy.kill()
            assert seq == generation
        daemon.until_state("dies", "running", generation=len(DELAYS) + 1)
        last = feed.tick()
        daemon.until_said("dies", f"sent {last}")
        daemon.until(lambda: len(accepted(site)) == last, f"a signal of each of {last} ticks that counts")
    assert accepted(site) == sorted(set(accepted(site))), "never twice, and in order"


def accepted(site: Site) -> list[int]:
    """Return the instants of the data that signals rest on which count: each tick's is another."""
    lines = site.stratd("signals", "dies", "-n", "10000", "--json").lines
    return [line["data_as_of"] for line in lines if line["verdict"] == "accepted"]


def test_s60_a_daemon_stops_although_nobody_it_talks_to_answers(site: Site):
    """No socket lingers: engine and wardens are stopped in the middle of whatever they did."""
    site.settings["restart"] = {**site.settings["restart"], **IMPATIENT}
    daemon = site.with_feed().daemon()
    with site.feed() as feed:
        feed.wait_for_engine()
        daemon.start_all(["a", "b", "c"])
        for _ in range(100):
            feed.tick()
        below = daemon.tree()
        for one in [daemon.part("engine"), *(daemon.warden(name) for name in "abc")]:
            one.kill(signal.SIGSTOP)
        assert daemon.terminate() == 0
    wait_until(none_alive(below), what="nothing left of it")
