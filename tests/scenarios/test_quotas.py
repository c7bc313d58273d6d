"""Scenarios 41 to 47 of supervision.md: what a strategy may use, and what watching over it costs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scenarios.rig import UNCONFINED, Daemon, Process, Site, stat_of
from tests.waiting import until_due

pytestmark = pytest.mark.system

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
MIB = 2**20
AT_ONCE = """
def initialize(self, config):
    pass

def on_tick(self, data):
    print("taking", flush=True)
    self.hoard = bytearray(b"x" * (64 * 2**20))
    print("taken", flush=True)
"""
SLOWLY = """
def initialize(self, config):
    self.hoard = []

def on_tick(self, data):
    self.hoard.append(b"x" * 2**20)
    print("holding", len(self.hoard))
"""
FORKS = """
def initialize(self, config):
    self.children = []

def on_tick(self, data):
    if len(self.children) < 5:
        pid = os.fork()
        if pid == 0:
            hoard = b"x" * (20 * 2**20)
            time.sleep(600)
        self.children.append(pid)
"""
SPINS = """
def initialize(self, config):
    threading.Thread(target=self.spin, daemon=True).start()

def spin(self):
    while True:
        pass

def on_tick(self, data):
    print("tick", data.tick.seq)
"""
FLOODS = """
def initialize(self, config):
    self.lines = b"flood flood flood flood flood flood flood\\n" * 24_000

def on_tick(self, data):
    for _ in range(100):
        os.write(1, self.lines)
    print("flooded", data.tick.seq)
"""
SEES = """
def initialize(self, config):
    import resource
    for name in ("NOFILE", "FSIZE", "NPROC", "CORE", "DATA"):
        print("limit", name, *resource.getrlimit(getattr(resource, "RLIMIT_" + name)))
    opened = []
    try:
        while True:
            opened.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        print("descriptors", len(opened), error.errno)
    for one in opened:
        os.close(one)
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[Daemon]:
    """One daemon, with every strategy of this module."""
    # What a flood of 100 MB takes is no hang, on a busy host neither.
    one = Site(budgets={"tick": {"soft": 1, "hard": 60}}).with_feed()
    for name, body in {
        "at_once": AT_ONCE, "slowly": SLOWLY, "spins": SPINS, "floods": FLOODS, "sees": SEES,
    }.items():  # fmt: skip
        one.strategy(name, body)
    yield one.daemon()
    one.remove()


def processor_seconds(one: Process) -> float:
    """Return the processor time of a process (proc(5): utime and stime)."""
    found = stat_of(one.pid)
    assert found is not None
    return (int(found[11]) + int(found[12])) / TICKS_PER_SECOND


def resident(one: Process) -> int:
    """Return the resident bytes of a process (proc(5): statm)."""
    return int(Path(f"/proc/{one.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_s41_far_more_memory_than_the_quota_within_an_instant_is_ended(daemon: Daemon):
    with daemon.site.feed() as feed:
        feed.wait_for_engine()
        sibling = daemon.start("sibling", "idle")
        daemon.start("greedy", "at_once", memory="20M")
        parts = [daemon.part(name) for name in ("engine", "zygote")]
        daemon.until(lambda: feed.tick() and daemon.deaths("greedy"), "its end")
    death = daemon.deaths("greedy")[-1]
    held = daemon.row("sibling")["enforcer"]["memory"]
    # A control group kills; RLIMIT_DATA refuses the allocation, which ends one that does not catch it.
    assert death["cause"] in ({"oom"} if "cgroup" in held else {"error", "memory_quota"})
    assert not daemon.site.said("greedy", "taken"), "it never had what it took"
    assert all(part.alive for part in parts)
    assert daemon.row("sibling")["pid"] == sibling["pid"]


def test_s42_a_slow_leak_is_warned_of_then_ended_and_counted(daemon: Daemon):
    with daemon.site.feed() as feed:
        feed.wait_for_engine()
        daemon.start("leaks", "slowly", memory="24M")
        before = daemon.seq

        held: list[float | None] = []
        ticked = [0.0]

        def leak() -> bool:
            """Take a step once the last one was sampled: samples that a leak outruns warn of nothing."""
            found, now = daemon.row("leaks")["memory_mb"], time.monotonic()
            if found not in held or now - ticked[0] > 1.0:  # a step may have taken no new page
                held.append(found)
                ticked[0] = now
                feed.tick()
            return bool(daemon.deaths("leaks"))

        daemon.until(leak, "the end of the leak")
    (warning,) = daemon.events("memory_warning", name="leaks")
    assert "of a quota of 24.0 MiB" in warning["detail"]
    died = daemon.until_event("died", "leaks")
    assert before == 0 or warning["seq"] < died["seq"]
    death = daemon.deaths("leaks")[-1]
    assert death["cause"] in ("oom", "memory_quota", "error")
    assert death["peak_memory_mb"] > 0.8 * 24
    assert daemon.row("leaks")["last_death"]["cause"] == death["cause"]
    row = daemon.until_state("leaks", "running", generation=2)
    assert row["restarts"] == row["generation"] - 1


def test_s42_what_a_strategy_forks_is_counted_with_it(new_site: Callable[..., Site]):
    """Confined code cannot fork; where nothing forbids it and no group counts, the sampler does."""
    site = new_site(before=UNCONFINED, quota={"cgroup": "off"}).with_feed()
    site.strategy("parent", FORKS)
    daemon = site.daemon()
    with site.feed() as feed:
        feed.wait_for_engine()
        daemon.start("parent", trust=True, memory="32M")
        daemon.until(lambda: feed.tick() and daemon.deaths("parent"), "its end")
    daemon.act("stop", "parent", now=True)  # who would end its next family, which no group holds?
    death = daemon.deaths("parent")[-1]
    assert death["cause"] == "memory_quota"
    assert death["peak_memory_mb"] > 64, "of all five, none of which is over the quota"


@pytest.mark.alone
def test_s43_a_spinner_is_held_to_its_share_and_lives(daemon: Daemon):
    """20 % of a core, plus or minus 5, over ten seconds; told of only after three fresh samples."""
    daemon.start("spinner", "spins", cpu=0.2)
    strategy = daemon.strategy("spinner")
    before = daemon.seq
    began, used = time.monotonic(), processor_seconds(strategy)
    until_due(began + 10)
    share = (processor_seconds(strategy) - used) / (time.monotonic() - began)
    assert 0.15 <= share <= 0.25
    warning = daemon.until_event("cpu_warning", "spinner", after=before - 1)
    assert "in 3 samples in a row" in warning["detail"]
    row = daemon.row("spinner")
    assert (row["state"], row["pid"], row["restarts"]) == ("running", strategy.pid, 0)
    assert daemon.deaths("spinner") == []


def test_s44_the_share_is_never_zero_at_first_nor_over_what_a_process_can_use(daemon: Daemon):
    seen: set[float | None] = set()
    daemon.start("spinner", "spins", cpu=0.3)
    for generation in (1, 2, 3):
        daemon.until_state("spinner", "running", generation=generation)

        def share(of: int = generation) -> bool:
            row = daemon.row("spinner")
            assert row["generation"] == of
            seen.add(row["cpu_percent"])
            return row["cpu_percent"] is not None

        daemon.until(share, "a share of processor time")
        if generation < 3:
            daemon.strategy("spinner").kill()
    assert all(one is None or 0 < one < 60 for one in seen), seen


def test_s45_a_flood_of_output_is_dropped_counted_and_holds_nobody_up(daemon: Daemon):
    """Each tick is 100 MB of output."""
    with daemon.site.feed() as feed:
        feed.wait_for_engine()
        daemon.start("floods", cpu=1.0)
        daemon.start("sibling", "idle")
        before = resident(daemon.process)
        for _ in range(2):
            feed.tick()
            times = len(daemon.site.said("floods", "flooded")) + 1
            daemon.until_said("floods", "flooded", times)
        assert resident(daemon.process) - before < 16 * MIB, "the daemon keeps none of it"
        detail = daemon.describe("floods")
        assert detail["log_dropped"] > 1_000_000
        assert (detail["state"], detail["restarts"]) == ("running", 0), "it was never blocked for good"
        assert (daemon.site.state / "logs" / "floods.log").stat().st_size < 30 * MIB
        ticks = daemon.row("sibling")["ticks"]
        daemon.until(lambda: feed.tick() and daemon.row("sibling")["ticks"] > ticks, "the neighbour's ticks")


def test_s46_limits_of_descriptors_files_and_tasks_are_seen_inside(daemon: Daemon):
    daemon.start("sees", memory="64M")
    limits = {line.split()[0]: line.split()[1:] for line in daemon.until_said("sees", "limit", times=5)}
    told = daemon.describe("sees")["limits"]
    assert limits["NOFILE"] == [str(told["files"])] * 2
    assert limits["FSIZE"] == [str(told["file_size"])] * 2
    assert limits["CORE"] == ["0", "0"]
    assert 0 < int(limits["NPROC"][1]) < 100_000
    assert 64 * MIB <= int(limits["DATA"][1]) < 256 * MIB
    opened, errno = map(int, daemon.until_said("sees", "descriptors")[0].split())
    assert (opened < told["files"], errno) == (True, 24), "EMFILE"


@pytest.mark.alone
def test_s47_twenty_idle_strategies_cost_next_to_nothing_and_restarts_leave_nothing(site: Site):
    """The short form: benchmarks/README.md has the figures of an hour and of 10,000 restarts."""
    daemon = site.daemon()
    names = [f"s{number}" for number in range(20)]
    daemon.start_all(names)
    own = [daemon.process, daemon.part("engine"), daemon.part("zygote")]
    began, used = time.monotonic(), sum(map(processor_seconds, own))
    until_due(began + 5)
    share = (sum(map(processor_seconds, own)) - used) / (time.monotonic() - began)
    assert share < 0.05, "ten times what is wanted of a quiet host: 0.5 % of a core"

    def round_of_restarts(generation: int) -> None:
        for one in [daemon.strategy(name) for name in names]:
            one.kill(signal.SIGKILL)
        for name in names:
            daemon.until_state(name, "running", generation=generation)

    def counts() -> list[int]:
        return [len(list(Path(f"/proc/{one.pid}/fd").iterdir())) for one in own]

    round_of_restarts(2)
    descriptors, size = counts(), sum(map(resident, own))
    for generation in (3, 4):
        round_of_restarts(generation)
    daemon.until(lambda: counts() <= descriptors, "as many descriptors as before 40 restarts")
    assert sum(map(resident, own)) - size < 8 * MIB
