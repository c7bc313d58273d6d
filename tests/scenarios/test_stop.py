"""Scenarios 18 to 28 of supervision.md: stopping, and what resists it."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from supervisor.store.journal import Journal, JournalReader
from tests.scenarios.rig import IMPATIENT, UNCONFINED, Daemon, Feed, Process, Site, none_alive, process
from tests.waiting import wait_until

pytestmark = pytest.mark.system

BUYS = """
def on_tick(self, data):
    self.bought = getattr(self, "bought", 0) + 1
    print("bought", self.bought, flush=True)
    return buy(data)

def on_stop(self, reason):
    print("stopped because", reason, flush=True)
"""
HANGS = """
def cleanup(self):
    while True:
        pass
"""
FORK_IS_REFUSED = """
def initialize(self, config):
    for call in (os.fork, os.forkpty, lambda: os.posix_spawn("/bin/true", ["true"], {})):
        try:
            call()
            print("made a process", flush=True)
        except OSError as error:
            print("refused", error.strerror, flush=True)
"""
PTRACE_SEIZE, PTRACE_DETACH, PTRACE_O_TRACEEXIT, WALL = 0x4206, 17, 0x40, 0x40000000
"""ptrace(2), waitpid(2)."""


@pytest.fixture(scope="module")
def hurried() -> Iterator[Daemon]:
    """A daemon that waits half a second for a goodbye, for strategies that say none.

    And longer for a kill: what is killed on a busy host goes when it has its turn, and is not stuck.
    """
    site = Site(restart={**IMPATIENT, "kill_timeout": 1.5})
    yield site.daemon()
    site.remove()


@pytest.fixture
def impatient(hurried) -> Iterator[Daemon]:
    """The same, with no deployment."""
    yield hurried
    hurried.clear()


def bought_by(daemon: Daemon, feed: Feed, names: list[str], times: int) -> None:
    """Publish until each of them has bought so often: ticks that come together may be conflated."""
    daemon.until(
        lambda: feed.tick() and all(len(daemon.site.said(name, "bought")) >= times for name in names),
        f"{times} ticks answered by each of {names}",
    )


# ---- 18, 19: in order, and not ----------------------------------------------------------------------
def test_s18_an_honest_strategy_says_goodbye_and_all_that_it_signalled_was_collected(daemon):
    daemon.site.strategy("buys", BUYS)
    daemon.start("buys")
    with daemon.site.feed() as feed:
        feed.wait_for_engine()
        bought_by(daemon, feed, ["buys"], 10)
        ended = daemon.site.stratd("stop", "buys", "--reason", "lunch")
    assert (ended.code, ended.out.strip()) == (0, "buys: stopped")
    assert daemon.until_said("buys", "stopped because") == ["lunch"]
    bought = len(daemon.site.said("buys", "bought"))
    assert len(daemon.site.stratd("signals", "buys", "-n", "1000", "--json").lines) == bought
    death = daemon.deaths("buys")[0]
    assert (death["cause"], death["exit_code"], death["stack"]) == ("operator", 0, "")


@pytest.mark.parametrize("deaf", ["signal.SIGTERM", "signal.SIGABRT"])
def test_s19_one_that_ignores_every_request_is_killed_at_its_deadline_with_its_stack(impatient, deaf):
    daemon = impatient
    name = "deaf-" + deaf.rpartition(".")[2].lower()
    daemon.site.strategy(
        name, f"def initialize(self, config):\n    signal.signal({deaf}, signal.SIG_IGN)\n{HANGS}"
    )
    daemon.start(name)
    cell = [daemon.strategy(name), daemon.warden(name)]
    began = time.monotonic()
    outcome = daemon.act("stop", name)
    took = time.monotonic() - began
    assert outcome["state"] == "stopped"
    assert not any(one.alive for one in cell), "stop returns when they are gone"
    assert took >= 2.0, "both graces, 0.5 s and 1.5 s"
    death = daemon.deaths(name)[0]
    assert death["cause"] == "operator"
    if deaf == "signal.SIGTERM":
        assert "in cleanup" in death["stack"]
    else:
        assert death["signal"] == "SIGKILL"


# ---- 20, 21, 22: what it leaves behind --------------------------------------------------------------
@pytest.fixture(scope="module", params=["groups", "no groups"])
def unconfined(request) -> Iterator[Daemon]:
    """A daemon on a host without any layer of the sandbox, with and without control groups."""
    site = Site(before=UNCONFINED, quota={"cgroup": "auto" if request.param == "groups" else "off"})
    yield site.daemon()
    site.remove()


@pytest.fixture
def forker(unconfined) -> Iterator[Daemon]:
    """The same, with no deployment."""
    yield unconfined
    unconfined.clear()


def family(daemon: Daemon, name: str, head: str, body: str, size: int) -> list[Process]:
    """Start a strategy of the operator's own that makes processes; return all that said who they are."""
    daemon.site.strategy(name, body, head=head)
    daemon.start(name, trust=True)
    return [process(int(pid)) for pid in daemon.until_said(name, "child", size)]


DEAF_CHILD = """
def child():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    print("child", os.getpid(), flush=True)
    while True:
        signal.pause()
"""


def test_s20_grandchildren_that_ignore_sigterm_are_gone_when_stop_returns(forker):
    found = family(
        forker,
        "parent",
        DEAF_CHILD,
        """
        def initialize(self, config):
            for _ in range(3):
                if os.fork() == 0:
                    if os.fork() == 0:
                        child()
                    child()
        """,
        size=6,
    )
    assert forker.act("stop", "parent")["state"] == "stopped"
    assert not any(one.alive for one in found)


def test_s21_setsid_grandchild_is_gone_when_stop_returns(forker):
    found = family(
        forker,
        "daemonizes",
        DEAF_CHILD,
        """
        def initialize(self, config):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() == 0:
                        child()
                    child()
                os._exit(0)
            os.wait()
        """,
        size=2,
    )
    assert all(os.getsid(one.pid) != os.getsid(forker.popen.pid) for one in found)
    assert forker.act("stop", "daemonizes")["state"] == "stopped"
    assert not any(one.alive for one in found)


def test_s22_a_strategy_is_not_stopped_while_what_it_started_lingers(forker):
    found = family(
        forker,
        "leaves",
        DEAF_CHILD,
        """
        def initialize(self, config):
            if os.fork() == 0:
                child()

        def on_stop(self, reason):
            os._exit(0)
        """,
        size=1,
    )
    leader = forker.strategy("leaves")
    forker.act("stop", "leaves", wait=False)

    def stopped():
        state = forker.row("leaves")["state"]
        assert not (state == "stopped" and any(one.alive for one in found)), "called stopped too early"
        return state == "stopped"

    wait_until(stopped, what="it stopped")
    assert not leader.alive


def test_s20_a_strangers_strategy_makes_no_process_at_all_and_nothing_outlives_its_stop(daemon):
    daemon.site.strategy("forks", FORK_IS_REFUSED)
    daemon.start("forks")
    cell = [daemon.strategy("forks"), daemon.warden("forks")]
    assert daemon.until_said("forks", "refused", 3)[0] == "Operation not permitted"
    assert daemon.site.said("forks", "made a process") == []
    daemon.act("stop", "forks")
    assert not any(one.alive for one in cell)


# ---- 23, 24: verbs that meet ------------------------------------------------------------------------
BEATS = """
def initialize(self, config):
    print("born", time.clock_gettime(time.CLOCK_BOOTTIME), flush=True)

def cleanup(self):
    until = time.monotonic() + 2
    while time.monotonic() < until:
        print("beat", time.clock_gettime(time.CLOCK_BOOTTIME), flush=True)
        time.sleep(0.01)
"""


def test_s23_a_start_during_a_slow_stop_waits_and_the_two_never_overlap(daemon):
    daemon.site.strategy("slow", BEATS)
    daemon.start("slow")
    first = daemon.strategy("slow")
    stopping = threading.Thread(target=daemon.act, args=("stop", "slow"))
    stopping.start()
    daemon.until_state("slow", "stopping")
    row = daemon.start("slow")
    assert not first.alive
    assert (row["state"], row["generation"]) == ("running", 2)
    stopping.join()
    _, born = daemon.until_said("slow", "born", 2)
    beats = daemon.site.said("slow", "beat")
    assert beats
    assert max(map(float, beats)) < float(born), "by the kernel's clock"
    assert {line.generation for line in daemon.site.log("slow")} == {1, 2}


def test_s24_a_second_stop_changes_nothing_and_now_does_not_wait(new_site):
    site = new_site(restart={"stop_timeout": 120})
    site.strategy("hangs", HANGS)
    daemon = site.daemon()
    daemon.start("hangs")
    cell = [daemon.strategy("hangs"), daemon.warden("hangs")]
    daemon.act("stop", "hangs", wait=False)
    seq = daemon.until_event("stopping", "hangs")["seq"]
    outcome = daemon.act("stop", "hangs", wait=False)
    assert (outcome["state"], outcome.get("problem")) == ("stopping", None)
    assert daemon.events(name="hangs", after=seq) == []
    assert all(one.alive for one in cell)
    ended = site.stratd("stop", "hangs", "--now")
    assert (ended.code, daemon.row("hangs")["state"]) == (0, "stopped")
    assert not any(one.alive for one in cell)
    assert daemon.deaths("hangs")[0]["signal"] == "SIGKILL"


# ---- 25, 26: those that do not run -------------------------------------------------------------------
def freezer_of(one: Process) -> tuple[Path, str] | None:
    """Return the file that freezes the control group of a process, and what to write there."""
    for line in Path(f"/proc/{one.pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for file, word in (
            (Path("/sys/fs/cgroup/freezer" + path) / "freezer.state", "FROZEN"),
            (Path("/sys/fs/cgroup" + path) / "cgroup.freeze", "1"),
        ):
            if "stratd" in path and controllers in ("", "freezer") and file.exists():
                return file, word
    return None


@pytest.mark.parametrize("which", ["strategy", "warden", "both", "frozen"])
def test_s25_a_paused_strategy_that_does_not_run_is_stopped(impatient, which):
    daemon = impatient
    name = f"still-{which}"
    daemon.start(name, "idle")
    assert daemon.act("pause", name)["state"] == "paused"
    cell = {"strategy": daemon.strategy(name), "warden": daemon.warden(name)}
    if which == "frozen":
        found = freezer_of(cell["strategy"])
        if found is None:
            pytest.skip("this host gives the daemon no group that can be frozen")
        found[0].write_text(found[1])
    else:
        for part, one in cell.items():
            if which in (part, "both"):
                one.kill(signal.SIGSTOP)
                wait_until(lambda one=one: one.state == "T", what="it stopped")
    assert daemon.act("stop", name)["state"] == "stopped"
    assert not any(one.alive for one in cell.values())
    assert daemon.events("stuck", name=name) == []


@contextmanager
def unkillable(one: Process) -> Iterator[None]:
    """Hold a process in its exit: killed, it stays (PTRACE_O_TRACEEXIT), as one in state D does."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(PTRACE_SEIZE, one.pid, None, PTRACE_O_TRACEEXIT) != 0:
        pytest.skip(f"this host lets nobody trace a cell: {os.strerror(ctypes.get_errno())}")
    try:
        yield
    finally:
        if one.alive:
            wait_until(lambda: os.waitpid(one.pid, os.WNOHANG | WALL)[0], what="it held")
            libc.ptrace(PTRACE_DETACH, one.pid, None, None)


def test_s26_one_that_cannot_be_killed_is_called_stuck_and_keeps_its_slot(new_site):
    site = new_site(limits={"max_concurrent": 2}, restart={"kill_timeout": 0.1, "max_restarts": 1})
    daemon = site.daemon()
    daemon.start("stays", "idle")
    other = daemon.start("other", "idle")
    one = daemon.strategy("stays")
    with unkillable(one):
        assert daemon.act("stop", "stays", now=True, wait=False)["state"] == "stopping"
        daemon.until_event("stuck", "stays")
        row = daemon.row("stays")
        assert (row["state"], row["pid"]) == ("stopping", one.pid)
        assert row["reason"] == "stuck: killed, and still there"
        assert one.alive
        answer = daemon.ask_start("third", "idle")
        assert (answer.status_code, answer.json()["rule"]) == (403, "max_concurrent"), "its slot is taken"
        assert daemon.status()["state"] == "running", "the daemon goes on meanwhile"
        assert daemon.row("other")["pid"] == other["pid"]
        assert daemon.act("stop", "other")["state"] == "stopped"
    daemon.until_state("stays", "stopped")
    assert len(daemon.events("stuck", name="stays")) == 1, "told once"
    assert daemon.start("third", "idle")["state"] == "running"


# ---- 27: a bomb -------------------------------------------------------------------------------------
THREADS = """
def initialize(self, config):
    made = 0
    try:
        while made < 1000:
            threading.Thread(target=threading.Event().wait, daemon=True).start()
            made += 1
    except RuntimeError as error:
        print("threads", made, error, flush=True)
"""
BOMB = """
def initialize(self, config):
    print("bomb", flush=True)
    for _ in range(8):  # 256 processes at most, should nothing hold them
        try:
            os.fork()
        except OSError:
            print("held", flush=True)
            break
    if os.getpid() != self.me:
        while True:
            signal.pause()

def __init__(self):
    self.me = os.getpid()
"""


def test_s27_a_bomb_of_threads_meets_its_limit_and_stop_ends_it_all(daemon):
    daemon.site.strategy("bomb", THREADS)
    before = len(daemon.tree())
    daemon.start("bomb")
    made = int(daemon.until_said("bomb", "threads")[0].split()[0])
    assert 1 <= made < 64, "quota.processes"
    other = daemon.start("other", "idle")
    assert daemon.act("stop", "bomb")["state"] == "stopped"
    assert daemon.row("other")["pid"] == other["pid"]
    assert len(daemon.tree()) == before + 2, "the other one's two"


def test_s27_a_fork_bomb_is_held_by_its_group_and_stop_ends_it_all(forker):
    if forker.site.settings["quota"]["cgroup"] == "off":
        pytest.skip("nothing holds the processes of a root without groups")
    if "pids" not in str(forker.events("quotas")[0]["detail"]):
        pytest.skip("this host gives the daemon no group that counts processes")
    forker.site.strategy("bomb", BOMB)
    forker.start("bomb", trust=True)
    forker.until_said("bomb", "held")
    found = forker.tree()
    assert 32 < len(found) < 64 + 8, "quota.processes, and ours"
    assert forker.status()["state"] == "running"
    assert forker.act("stop", "bomb")["state"] == "stopped"
    wait_until(lambda: len([one for one in forker.tree() if one.alive]) == 2, what="engine and zygote alone")


# ---- 28: the daemon itself --------------------------------------------------------------------------
def test_s28_the_daemon_stops_the_youngest_first_loses_no_signal_and_exits_0(new_site):
    site = new_site(restart={"stop_timeout": 5}).with_feed()
    site.strategy("buys", BUYS)
    site.strategy("slow", "def cleanup(self):\n    time.sleep(0.5)\n")
    daemon = site.daemon()
    daemon.start("slow")
    for name in ("one", "two", "three"):
        daemon.start(name, "buys")
    with site.feed() as feed:
        feed.wait_for_engine()
        bought_by(daemon, feed, ["one", "two", "three"], 5)
        seq = daemon.seq
        below = daemon.tree()
        daemon.signal(signal.SIGTERM)
        wait_until(lambda: daemon.told("STOPPING=1"), what="the daemon stopping")
        daemon.signal(signal.SIGHUP)
        assert daemon.wait() == 0
    assert not any(one.alive for one in below)
    assert not (site.runtime / "api.sock").exists()
    (granted,) = (line for line in daemon.heard if line.startswith("EXTEND_TIMEOUT_USEC="))
    assert int(granted.partition("=")[2]) > 5e6, "systemd waits for as long as the ladder of [restart] is"
    # Before the next daemon: its instances are told of ticks that came too late for these.
    with Journal.open(site.state / "journal.db"), JournalReader.open(site.state / "journal.db") as journal:
        for name in ("one", "two", "three"):
            bought = len(site.said(name, "bought"))
            assert len(journal.signals(name, limit=1000)) == bought > 0
    again = site.daemon()
    stopping = [event["deployment_id"] for event in again.events("stopping", after=seq)]
    assert stopping[:4] == ["three", "two", "one", "slow"]
    assert again.events("strategy_added", after=seq)[-1]["seq"] > again.events("daemon_started")[-1]["seq"], (
        "it looked for none while it stopped"
    )


def test_s28_a_second_signal_does_not_wait_for_goodbyes(new_site):
    site = new_site(restart={"stop_timeout": 120})
    site.strategy("hangs", HANGS)
    daemon = site.daemon()
    daemon.start("hangs")
    below = daemon.tree()
    daemon.signal(signal.SIGTERM)
    daemon.until_state("hangs", "stopping")
    daemon.signal(signal.SIGINT)
    assert daemon.wait() == 0
    assert none_alive(below)()
