"""Scenarios 64, 65 and 67 of supervision.md: the command line, whoever follows, and the control socket."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.scenarios.rig import PATIENCE, STRATD, Daemon, Site

pytestmark = pytest.mark.system

READS = ("status", "ps", "describe a", "feeds", "strategies", "events -n 5", "signals -n 5", "signals a -n 5")
DONE = (
    "status", "ps", "describe a", "top", "logs a", "events --after 3 -n 2", "signals -n 5", "feeds",
    "start a", "pause a", "pause a", "resume a", "restart a --now", "stop b --reason lunch", "stop b",
    "start b --no-wait", "stop --account default", "start a", "stop --all", "reset-failed a", "remove b",
    "strategies --rescan", "--version", "--help", "systemd show",
)  # fmt: skip
REFUSED_OR_FAILED = {
    "start x --strategy torn": (1, "strategy torn is broken: config.json"),
    "start x --strategy raises": (1, "x did not start"),
    "start": (2, "missing argument"),
    "stop": (2, "name deployments, or --account A, or --all"),
    "ps --jsn": (2, "no such option"),
    "start x --strategy idle --memory lots": (2, "must be a size"),
    "describe aa": (4, "no deployment 'aa'; did you mean 'a'?"),
    "logs aa": (4, "did you mean 'a'?"),
    "signals aa": (4, "did you mean 'a'?"),
    "start aa": (4, "did you mean 'a'? (--strategy NAME creates a new one)"),
    "start x --strategy idel": (4, "no strategy 'idel'; did you mean 'idle'?"),
    "stop aa": (4, "did you mean 'a'?"),
    "pause aa": (4, "did you mean 'a'?"),
    "resume aa": (4, "did you mean 'a'?"),
    "restart aa": (4, "did you mean 'a'?"),
    "remove aa": (4, "did you mean 'a'?"),
    "reset-failed aa": (4, "did you mean 'a'?"),
    "stop --account nobody": (4, "no account 'nobody'"),
    "start living --strategy idle --mode live": (5, "refused by live_disabled"),
    "remove a": (5, "refused by not_stopped"),
}
PAIRS = Path(__file__).parents[2] / "examples" / "pairs.py"
NEEDS_A_DAEMON = (
    *READS, "top", "logs a", "start a", "stop a", "pause a", "resume a", "restart a", "reset-failed a",
    "remove a", "events -f", "signals -f", "logs a -f", f"register {PAIRS}",
)  # fmt: skip


@pytest.fixture(scope="module")
def shared() -> Iterator[Daemon]:
    """One daemon with a strategy that is broken, and one that fails."""
    one = Site().with_feed()
    one.strategy("raises", "def initialize(self, config):\n    raise RuntimeError('no')")
    (one.strategy("torn") / "config.json").write_text('{"name": "torn"')
    yield one.daemon()
    one.remove()


# ---- 64 -------------------------------------------------------------------------------------------
def test_s64_every_verb_that_is_done_is_0_and_says_nothing_on_stderr(daemon: Daemon):
    for name in "ab":
        daemon.start(name, "idle")
    for line in DONE:
        ended = daemon.site.stratd(*line.split())
        assert (line, ended.code, ended.err) == (line, 0, "")


def test_s64_every_verb_that_reads_has_json(daemon: Daemon):
    daemon.start("a", "idle")
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda line: daemon.site.stratd(*line.split(), "--json"), READS))
    for line, ended in zip(READS, answers, strict=True):
        assert (line, ended.code, ended.err) == (line, 0, "")
        documents = ended.lines
        streams = line.startswith(("events", "signals"))
        assert len(documents) == 1 or streams, "one document, or one a line"
    assert json.loads(answers[1].out)[0]["id"] == "a"


def test_s64_what_cannot_be_done_ends_with_its_code_and_one_line(daemon: Daemon):
    daemon.start("a", "idle")
    answers = daemon.site.stratd_each(*REFUSED_OR_FAILED)
    for (line, (code, told)), ended in zip(REFUSED_OR_FAILED.items(), answers, strict=True):
        assert (line, ended.code, ended.out, ended.err.count("\n")) == (line, code, "", 1)
        assert told in ended.err
        assert ended.err.startswith("stratd")


def test_s64_without_a_daemon_every_verb_is_3_and_starts_none(site: Site):
    answers = site.stratd_each(*NEEDS_A_DAEMON)
    for line, ended in zip(NEEDS_A_DAEMON, answers, strict=True):
        assert (line, ended.code, ended.out, ended.err.count("\n")) == (line, 3, "", 1)
        assert f"no daemon answers at {site.runtime}/api.sock" in ended.err
    assert not site.runtime.exists()
    assert not site.state.exists()


# ---- 65 -------------------------------------------------------------------------------------------
def ask(path: str, request: bytes) -> socket.socket:
    """Connect to a control socket and say something."""
    with ExitStack() as unless_kept:
        client = unless_kept.enter_context(socket.socket(socket.AF_UNIX))
        client.settimeout(PATIENCE)
        client.connect(path)
        client.sendall(request)
        unless_kept.pop_all()
        return client


def test_s65_a_consumer_that_never_reads_delays_nothing_and_one_that_was_away_goes_on_by_number(site: Site):
    for number in range(300):
        folder = site.base / "strategies" / f"torn{number:03d}"
        folder.mkdir()
        (folder / "config.json").write_text("{" + "x" * 100)
    daemon = site.daemon()
    daemon.start("a", "idle")
    path = str(site.runtime / "api.sock")
    follow = b"GET /api/v1/events?after=0&follow=true HTTP/1.1\r\nhost: x\r\n\r\n"
    with ExitStack() as clients:
        for _ in range(5):
            clients.enter_context(ask(path, follow))  # and never read
        alive = clients.enter_context(
            subprocess.Popen(
                [*STRATD, "events", "-f", "--after", "0", "--json"],
                env=site.environment(), stdout=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
        clients.callback(alive.kill)
        for _ in range(50):  # 15,000 events: more than a follower may be behind
            assert daemon.http.post("/strategies/rescan").status_code == 200
        daemon.strategy("a").kill()
        daemon.until_state("a", "running", generation=2)
        last = daemon.seq
        assert last > 15_000
        seen: list[int] = []
        while not seen or seen[-1] < last:
            seen.append(json.loads(alive.stdout.readline())["seq"])
        assert seen == list(range(1, seen[-1] + 1)), "each once, though it was behind"
    assert [event["seq"] for event in daemon.events(after=12_000)][:2] == [12_001, 12_002]
    assert len(daemon.status()["problems"]) == 0


def test_s65_a_follower_goes_on_by_number_over_a_restart_of_the_daemon(site: Site):
    daemon = site.daemon()
    with subprocess.Popen(
        [*STRATD, "events", "-f", "-n", "1000", "--json"],
        env=site.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as follower:  # fmt: skip
        seen = [json.loads(follower.stdout.readline())["seq"]]
        for end in ("kill", "terminate"):
            daemon.start("a", "idle")
            getattr(daemon, end)()
            daemon = site.daemon()
        daemon.until_state("a", "running", generation=3)
        last = daemon.seq
        while seen[-1] < last:
            seen.append(json.loads(follower.stdout.readline())["seq"])
        follower.kill()
        assert follower.stderr.read().count("the daemon went away; waiting 60 s for it") >= 1
    known = [event["seq"] for event in daemon.events()]
    assert seen == [seq for seq in known if seq <= seen[-1]], "each once, in order, and none left out"


# ---- 67 -------------------------------------------------------------------------------------------
AS_NOBODY = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
client.sendall(b"GET /api/v1/status HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n")
said = b""
while b'"rule"' not in said and (more := client.recv(65536)):
    said += more
print(said.decode())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user to try")
def test_s67_another_user_is_refused_by_the_kernels_word_though_the_file_modes_let_it_in(site: Site):
    daemon = site.daemon()
    path = site.runtime / "api.sock"
    for folder in (site.base, site.runtime):
        folder.chmod(0o755)
    path.chmod(0o666)
    done = subprocess.run(
        [sys.executable, "-I", "-c", AS_NOBODY, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("HTTP/1.1 403 Forbidden")
    assert '"rule":"peer_credentials"' in done.stdout
    assert "uid=65534" in daemon.until_event("peer_refused")["detail"]


def test_s67_garbage_and_oversize_are_refused_and_stop_nothing(daemon: Daemon):
    path = str(daemon.site.runtime / "api.sock")
    requests = {
        os.urandom(100_000): (b"HTTP/1.1 400", b""),
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 100_000: (b"HTTP/1.1 400", b"HTTP/1.1 431", b""),
        b"POST /api/v1/deployments HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n": (
            b"HTTP/1.1 413",
        ),
        b"POST /api/v1/deployments HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\n{{{": (b"HTTP/1.1 422",),
    }
    for request, expected in requests.items():
        try:
            with ask(path, request) as client:
                answer = client.recv(4096)
        except (BrokenPipeError, ConnectionResetError):
            answer = b""  # it hung up over what was still being said
        assert any(answer.startswith(one) if one else not answer for one in expected), (request[:40], answer)
    assert daemon.status()["state"] == "running"


def test_s67_a_thousand_clients_that_hang_block_nobody(daemon: Daemon):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard) if soft < 4096 else soft, hard))
    path = str(daemon.site.runtime / "api.sock")
    daemon.start("a", "idle")
    try:
        with ExitStack() as clients:
            for number in range(1000):  # some say nothing, some do not end what they say
                clients.enter_context(ask(path, b"" if number % 2 else b"GET /api/v1/sta"))
            assert daemon.site.stratd("ps").code == 0
            daemon.strategy("a").kill()
            daemon.until_state("a", "running", generation=2)
            assert daemon.site.stratd("stop", "a").out == "a: stopped\n"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
