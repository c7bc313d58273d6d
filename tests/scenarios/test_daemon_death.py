"""Scenarios 29 to 36 of supervision.md, and who lives when a part of the daemon dies (issue 4, point 5)."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.scenarios.rig import PATIENCE, UNCONFINED, Daemon, Process, none_alive, process
from tests.waiting import wait_until

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
THREADS_COME_AND_GO = """
import threading
def come_and_go():
    while True:
        one = threading.Thread(target=threading.Event().wait, args=(0.002,), daemon=True)
        one.start()
        one.join()
threading.Thread(target=come_and_go, daemon=True).start()
"""
"""Run before ``stratd``: in its process threads begin and end all the time."""


def test_s29_killed_it_takes_nineteen_strategies_along(site):
    daemon = site.daemon()
    daemon.start_all([f"n{number}" for number in range(19)])
    below = daemon.kill()
    assert len(below) == 2 + 2 * 19
    wait_until(none_alive(below), timeout=PATIENCE, what="every process gone")


def test_s29_a_cell_that_is_stopped_goes_too(site):
    """Nobody lets it go on: what ends a cell has to reach a warden that is stopped, and its strategy."""
    daemon = site.daemon()
    daemon.start_all(["a", "b"])
    stopped = [daemon.warden("a"), daemon.strategy("b"), daemon.warden("b")]
    for one in stopped:
        one.kill(signal.SIGSTOP)
    wait_until(lambda: {one.state for one in stopped} == {"T"}, what="all of them stopped")
    below = daemon.kill()
    wait_until(none_alive(below), timeout=PATIENCE, what="every process gone")


def test_s30_no_strategy_dies_with_a_thread_of_the_daemon(new_site):
    site = new_site(before=THREADS_COME_AND_GO)
    daemon = site.daemon()
    daemon.start_all(["a", "b", "c"])
    threads = set()

    def many():
        with suppress(FileNotFoundError):
            threads.update(one.name for one in Path(f"/proc/{daemon.popen.pid}/task").iterdir())
        return len(threads) > 50

    wait_until(many, what="fifty threads come and gone")
    daemon.part("zygote").kill()  # the next one is started from the same thread
    daemon.until_event("zygote_died")
    daemon.start_all(["d", "e"])
    seen = len(threads)
    wait_until(lambda: many() and len(threads) > seen + 50, what="fifty more")
    rows = daemon.rows()
    assert {(rows[name]["generation"], rows[name]["state"]) for name in "abcde"} == {(1, "running")}
    assert daemon.events("died", "engine_died") == []


@pytest.mark.parametrize("births", [1, 4, 12])
def test_s31_killed_in_the_middle_of_births_it_leaves_nothing(site, births):
    daemon = site.daemon()
    daemon.start("warm", "idle")
    for number in range(births):
        daemon.start(f"n{number}", "idle", wait=False)
    assert len(strays(daemon)) >= 4, "engine, zygote, warden, strategy"
    below = daemon.kill()
    # What was forked after the look at the tree is found by what it calls itself.
    wait_until(lambda: none_alive(below)() and not strays(daemon), what="every process gone")


ORPHAN = """
import os, sys
from sandbox.confine.process import ParentGone, die_with_parent
parent, (told, tell), (go, let_go) = os.getpid(), os.pipe(), os.pipe()
if os.fork() == 0:
    os.close(let_go)
    os.write(tell, b"forked")
    os.read(go, 1)  # its end: the parent is going
    while os.getppid() == parent:
        pass
    try:
        die_with_parent(parent)
    except ParentGone as error:
        print(error, flush=True)
        os._exit(0)
    print("lived on", flush=True)
    os._exit(1)
os.close(go)
os.read(told, 6)
os.kill(parent, 9)
"""


def test_s31_a_child_whose_parent_died_before_it_could_tie_its_life_to_it_exits():
    born = subprocess.run(
        [sys.executable, "-c", ORPHAN],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert born.returncode == -signal.SIGKILL
    assert born.stdout.startswith("process ")
    assert born.stdout.endswith(" is gone\n")


@pytest.mark.parametrize(
    "command",
    [
        ("supervisor.engine", "--control-fd", "0", "--parent", "1", "--runtime", ".", "--state", "."),
        ("sandbox.zygote", "0", "1"),
    ],
    ids=["engine", "zygote"],
)
def test_s31_what_is_born_of_a_dead_daemon_ends_without_a_word(command, tmp_path):
    """Process 1 stands for whoever adopts an orphan: it is not who started this one."""
    born = subprocess.run(
        [sys.executable, "-B", "-P", "-m", *command],
        cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (born.returncode, born.stdout, born.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def strays(daemon: Daemon) -> list[bytes]:
    """Return the command lines of what a daemon's zygote or engine was, or was forked from: they name it."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                words = (folder / "cmdline").read_bytes().split(b"\0")
                if str(daemon.popen.pid).encode() in words and any(
                    word in (b"sandbox.zygote", b"supervisor.engine") for word in words
                ):
                    found.append(b" ".join(words))
    return found


DAEMONIZES = """
def initialize(self, config):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            print("child", os.getpid(), flush=True)
            while True:
                signal.pause()
        os._exit(0)
    os.wait()
"""


def test_s32_a_grandchild_that_outlived_the_daemon_is_ended_by_the_next_one(new_site):
    site = new_site(before=UNCONFINED)
    site.strategy("daemonizes", DAEMONIZES)
    daemon = site.daemon()
    if not daemon.events("quotas")[0]["detail"].startswith("control groups: version"):
        pytest.skip("this host gives the daemon no groups, by which the next one would know what was left")
    daemon.start("daemonizes", trust=True)
    orphan = process(int(daemon.until_said("daemonizes", "child")[0]))
    below = daemon.kill()
    wait_until(none_alive(one for one in below if one != orphan), what="all the others gone")
    again = site.daemon()  # by its group, which is nobody's now: any daemon that starts here clears it
    wait_until(lambda: not orphan.alive, what="the grandchild gone")
    again.until_state("daemonizes", "running", generation=2)


def test_s32_a_strangers_grandchild_cannot_be_and_its_namespace_dies_as_one(site):
    daemon = site.daemon()
    daemon.start("a", "idle")

    def namespace(one):
        return Path(f"/proc/{one.pid}/ns/pid").readlink()

    strategy, warden = daemon.strategy("a"), daemon.warden("a")
    if namespace(strategy) == namespace(daemon.process):
        pytest.skip("this host gives a cell no PID namespace")
    assert namespace(strategy) == namespace(warden)
    daemon.kill()
    wait_until(none_alive([strategy, warden]), what="the namespace gone")


# ---- 33 to 36: the next daemon ----------------------------------------------------------------------
def test_s33_after_a_crash_everything_is_as_it_was_wanted_and_once(site):
    site.strategy("marked", "def on_start(self, ctx, recovered):\n    print('born', flush=True)\n")
    daemon = site.daemon()
    runs, pauses, stops = (
        [f"{kind}{n}" for n in range(many)] for kind, many in (("r", 12), ("p", 4), ("s", 4))
    )
    daemon.start_all([*runs, *pauses, *stops], "marked")
    daemon.act("pause", *pauses)
    daemon.act("stop", *stops)
    for name in (*runs, *pauses, *stops):
        daemon.until_said(name, "born")
    daemon.kill()
    again = site.daemon()
    for names, state in ((runs, "running"), (pauses, "paused"), (stops, "stopped")):
        for name in names:
            again.until_state(name, state, generation=1 if names is stops else 2)
    rows = again.rows()
    for names, wanted in ((runs, "running"), (pauses, "paused"), (stops, "stopped")):
        assert {rows[name]["desired"] for name in names} == {wanted}
    assert len(again.tree()) == 2 + 2 * (len(runs) + len(pauses)), "exactly one instance each"
    for name in runs:
        assert len(again.until_said(name, "born", 2)) == 2


@contextmanager
def bystander(pid: int) -> Iterator[Process]:
    """Be a process that has ``pid``, which nobody has now, and a process group of its own (clone3(2))."""
    wanted = ctypes.c_int32(pid)
    # struct clone_args: flags, three pointers, exit_signal, stack, its size, tls, set_tid, its size, cgroup
    arguments = (ctypes.c_uint64 * 11)(*(0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0), ctypes.addressof(wanted), 1, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    born = libc.syscall(435, arguments, ctypes.sizeof(arguments))
    if born == 0:
        os.setsid()
        os.execv("/bin/sleep", ["sleep", "1000"])  # noqa: S606 - there is no interpreter left to use
    if born < 0:
        pytest.skip(f"only root may choose the pid of a process: {os.strerror(ctypes.get_errno())}")
    try:
        wait_until(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n", what="the bystander")
        yield process(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


SPINS = """
def on_start(self, ctx, recovered):
    threading.Thread(target=self.spin, daemon=True).start()

def spin(self):
    while True:
        pass
"""


def test_s34_who_has_the_pid_of_a_dead_strategy_now_is_never_touched(new_site):
    site = new_site(quota={"cpu_policy": "kill", "cpu_window": 1})
    site.strategy("spins", SPINS)
    daemon = site.daemon()
    daemon.start("a", "idle")
    daemon.start("spins", cpu=0.05)  # more than that it gets on a busy host, too
    pids = [daemon.row(name)["pid"] for name in ("a", "spins")]
    wait_until(none_alive(daemon.kill()), what="every process gone")
    with bystander(pids[0]) as first, bystander(pids[1]) as second:
        again = site.daemon()
        again.until_state("a", "running", generation=2)
        again.act("stop", "a")
        again.until(lambda: again.deaths("spins")[0]["cause"] == "cpu_quota", "the quota kill")
        assert again.terminate() == 0
        assert (first.alive, second.alive) == (True, True)


def test_s35_what_ran_before_the_host_was_booted_is_no_crash_and_nobody_is_signalled(new_site):
    site = new_site(restart={"policy": "never"})
    daemon = site.daemon()
    daemon.start_all(["a", "b"])
    daemon.act("pause", "b")
    pid = daemon.row("a")["pid"]
    wait_until(none_alive(daemon.kill()), what="every process gone")
    (site.state / "boot").write_text("4f0c6a52-0000-0000-0000-000000000000\n")
    with bystander(pid) as other:
        again = site.daemon()
        again.until_state("a", "running", generation=2)
        again.until_state("b", "paused", generation=2)
        assert other.alive
    row = again.row("a")
    assert (row["restarts"], row["last_death"]["cause"]) == (0, "shutdown")
    assert row["last_death"]["detail"] == "not observed: the host was booted since"


def test_s36_an_end_that_nobody_saw_is_a_failure_and_is_followed_by_the_policy(new_site):
    site = new_site(restart={"max_restarts": 1})
    site.strategy("says", "def initialize(self, config):\n    print('its last words', flush=True)\n")
    daemon = site.daemon()
    daemon.start("says")
    daemon.start("stops", "idle")
    daemon.until_said("says", "its last")
    daemon.act("stop", "stops")
    daemon.kill()
    again = site.daemon()
    row = again.until_state("says", "running", generation=2)
    assert (row["restarts"], row["last_death"]["cause"]) == (1, "unknown")
    death = again.deaths("says")[0]
    assert death["detail"] == "not observed: the daemon that ran it ended without a word"
    assert death["log_tail"] == ["its last words"]
    assert again.events("died", name="says")[-1]["generation"] == 1
    assert again.row("stops")["last_death"]["cause"] == "operator", "that one was seen"
    again.strategy("says").kill()  # the second failure within the window
    assert again.until_state("says", "quarantined")["reason"].startswith("crash_loop: 2 unplanned exits")


def test_s36_an_end_that_nobody_saw_starts_nothing_where_the_policy_is_never(new_site):
    site = new_site(restart={"policy": "never"})
    daemon = site.daemon()
    daemon.start("a", "idle")
    daemon.kill()
    again = site.daemon()
    row = again.until_state("a", "failed")
    assert (row["generation"], row["desired"], row["last_death"]["cause"]) == (1, "running", "unknown")
    assert row["reason"] == "its last end was not observed"
    assert again.start("a")["state"] == "running"


# ---- issue 4, point 5 -------------------------------------------------------------------------------
COUNTS = """
def on_tick(self, data):
    print("tick", round(data.tick.last * 1000), flush=True)
"""


def test_engine_killed_the_children_live_and_catch_up(site):
    site.with_feed().strategy("counts", COUNTS, conflate=False)
    daemon = site.daemon()
    daemon.start("counts")
    strategy, engine = daemon.strategy("counts"), daemon.part("engine")
    with site.feed() as feed:
        feed.wait_for_engine()
        sent = []

        def publish():
            """A tick, and now and then a heartbeat; the price of a tick is its number."""
            sent.append(feed.tick(price=(len(sent) + 1) / 1000))
            if len(sent) % 10 == 0:
                feed.beat()

        def publishing(condition):
            """Publish every 5 ms until ``condition``."""

            def turn():
                publish()
                return condition()

            return wait_until(turn, timeout=PATIENCE, what="it")

        # Once a second an engine looks whether there is something new that the next one has to know.
        publishing(lambda: daemon.get("feeds")[0]["heartbeats"] > 0 and site.said("counts", "tick"))
        beats = daemon.get("feeds")[0]["heartbeats"]
        publishing(lambda: daemon.get("feeds")[0]["heartbeats"] > beats)
        engine.kill()
        publishing(lambda: daemon.events("engine_died"))
        missed = len(sent)
        publishing(
            lambda: len(daemon.events("engine_ready")) == 2 and len(site.said("counts", "tick")) > missed
        )

        def level():
            feed.beat()
            return len(site.said("counts", "tick")) >= len(sent)

        wait_until(level, timeout=PATIENCE, what="every tick")
    assert [int(tick) for tick in site.said("counts", "tick")] == sent, "each once, in order"
    row = daemon.row("counts")
    assert (row["state"], row["generation"], row["pid"]) == ("running", 1, strategy.pid)
    assert daemon.part("engine") != engine
    assert daemon.start("new", "idle")["state"] == "running"


def test_zygote_killed_the_children_live_and_the_next_one_bears_more(site):
    daemon = site.daemon()
    daemon.start("a", "idle")
    strategy, zygote = daemon.strategy("a"), daemon.part("zygote")
    zygote.kill()
    assert daemon.start("b", "idle")["generation"] == 1
    assert strategy.alive
    assert daemon.part("zygote") != zygote
    strategy.kill()
    daemon.until_state("a", "running", generation=2)
