"""Scenarios 51 to 53 of supervision.md: strategies that hang, a daemon that hangs, and who speaks for it."""

from __future__ import annotations

import signal
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.rig import PATIENCE, Daemon, Site, none_alive
from tests.waiting import wait_until

pytestmark = pytest.mark.system

BLOCKABLE = """
import signal, time
signal.signal(signal.SIGUSR2, lambda *_: time.sleep(3600))
from cli.main import main
main()
"""
"""``stratd`` whose main thread, and so whose loop, SIGUSR2 blocks. Its other threads live on."""
HANGS = {
    "spin": """
        def stuck_here(self):
            while True:
                pass
    """,
    "call": """
        def stuck_here(self):
            time.sleep(3600)
    """,
    "deadlock": """
        def stuck_here(self):
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()
    """,
}
AT_THE_FIFTH = """
def initialize(self, config):
    self.seen = 0
    print("began")

def on_tick(self, data):
    self.seen += 1
    if self.seen == 5:
        self.stuck_here()
"""
LIVELY = """
def initialize(self, config):
    threading.Thread(target=self.chatter, daemon=True).start()
    self.seen = 0
    print("began")

def chatter(self):
    while True:
        print("all is well", flush=True)
        time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[Daemon]:
    """A daemon that takes two seconds for a hang, which no busy host is, and restarts at once."""
    one = Site(budgets={"tick": {"soft": 0.5, "hard": 2}}, restart={"max_restarts": 1}).with_feed()
    for name, body in HANGS.items():
        one.strategy(name, textwrap.dedent(body) + AT_THE_FIFTH)
    side = AT_THE_FIFTH[AT_THE_FIFTH.index("def on_tick") :]
    one.strategy("lively", textwrap.dedent(HANGS["call"]) + LIVELY + side)
    yield one.daemon()
    one.remove()


@pytest.mark.parametrize("how", [*HANGS, "lively"])
def test_s51_a_hang_is_noticed_leaves_its_stack_and_is_restarted(daemon: Daemon, how: str):
    """And a thread beside the loop that says that all is well changes nothing (point 7 of the issue)."""
    with daemon.site.feed() as feed:
        feed.wait_for_engine()
        neighbour = daemon.start("neighbour", "idle")
        daemon.start("stuck", how)
        daemon.until(
            lambda: feed.tick() and daemon.row("stuck")["generation"] == 2, f"{how} noticed and started again"
        )
        (death,) = daemon.deaths("stuck")
        assert (death["cause"], death["generation"]) == ("hang", 1)
        assert "in stuck_here" in death["stack"]
        assert "in on_tick" in death["stack"]
        assert "on_tick" in death["detail"]
        daemon.until_state("stuck", "running", generation=2)
        assert daemon.row("neighbour")["pid"] == neighbour["pid"]
        daemon.until_said("stuck", "began", times=2)


def test_s52_a_daemon_whose_loop_is_blocked_stops_feeding_the_watchdog_and_is_replaced(site: Site):
    """The test is systemd: it hears no WATCHDOG=1 for twice WatchdogSec, aborts, and starts the next one."""
    site.program = BLOCKABLE
    watchdog = {"WATCHDOG_USEC": "2000000"}
    daemon = site.daemon(**watchdog)
    names = ["a", "b", "c"]
    daemon.start_all(names)
    daemon.until(lambda: daemon.told("WATCHDOG=1"), "a first WATCHDOG=1")
    below = daemon.tree()

    def beats() -> int:
        daemon.told("")
        return daemon.heard.count("WATCHDOG=1")

    healthy = beats()
    daemon.until(lambda: beats() > healthy, "the watchdog fed again and again")
    daemon.signal(signal.SIGUSR2)
    silent_since, last = time.monotonic(), beats()

    def silent() -> bool:
        nonlocal silent_since, last
        if beats() != last:
            silent_since, last = time.monotonic(), beats()
        return time.monotonic() - silent_since > 4.0

    wait_until(silent, timeout=PATIENCE, what="four seconds without WATCHDOG=1")
    assert daemon.process.alive, "it lives, and is of no use"
    daemon.signal(signal.SIGABRT)  # WatchdogSignal= of systemd.service(5)
    assert daemon.wait() == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in daemon.stderr(), "its stack is in its log"
    wait_until(none_alive(below), timeout=PATIENCE, what="no orphan of the daemon that hung")
    second = site.daemon(**watchdog)
    for name in names:
        assert second.until_state(name, "running")["generation"] == 2, "one instance each"
    assert len({second.row(name)["pid"] for name in names}) == 3


NOTIFIES = """
def initialize(self, config):
    import socket
    print("environment", sorted(name for name in os.environ if "NOTIFY" in name or "WATCHDOG" in name))
    path = {path!r}
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.sendto(b"READY=1\\nSTOPPING=1\\nWATCHDOG=1\\nSTATUS=forged", path)
        print("sent", "")
    except Exception as error:
        print("refused", type(error).__name__)
"""


def test_s53_a_strategy_cannot_speak_to_systemd_for_the_daemon(site: Site):
    daemon = site.daemon(WATCHDOG_USEC="60000000")
    site.strategy("forger", NOTIFIES.format(path=daemon.notices.getsockname()))
    assert site.stratd("strategies", "--rescan").code == 0
    daemon.start("forger")
    assert daemon.until_said("forger", "environment") == ["[]"]
    assert daemon.until_said("forger", "refused")
    for one in daemon.tree():
        assert b"NOTIFY_SOCKET" not in (environ_of(one.pid)), "nor any other process of the daemon's"
    assert not daemon.told("STATUS=forged")
    assert daemon.heard.count("READY=1") == 1
    assert "STOPPING=1" not in daemon.heard


def environ_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
