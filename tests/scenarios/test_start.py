"""Scenarios 1 to 8 of supervision.md: starting, and being ready."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time

import pytest

from tests.scenarios.rig import PATIENCE, STRATD, tree
from tests.waiting import wait_until

pytestmark = pytest.mark.system

FOUND = "def initialize(self, config):\n    print('born', flush=True)\n"


def shut_out(folder):
    for path in (folder / "strategy.py", folder):
        path.chmod(0)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        pytest.param(shutil.rmtree, "no such file", id="missing"),
        pytest.param(shut_out, "permission denied", id="not readable"),
    ],
)
def test_s01_code_that_cannot_be_had_fails_the_start_at_once_and_nobody_else(daemon, spoil, why):
    name = f"spoilt-{why[:2].lower()}"
    daemon.site.strategy(name)
    neighbour = daemon.start("neighbour", "idle")
    (copy,) = (daemon.site.state / "code").glob(
        f"*/{name}"
    )  # what cells run, whatever becomes of the original
    spoil(copy)
    ended = daemon.site.stratd("start", name, "--strategy", name)
    assert ended.code == 1
    assert ended.err.startswith(f"stratd: {name} did not start")
    assert ended.err.count("\n") == 1
    row = daemon.row(name)
    assert (row["state"], row["generation"], row["last_death"]["cause"]) == ("failed", 1, "load_error")
    assert why in row["reason"].lower(), "the text of the errno"
    assert len(daemon.events("starting", name=name)) == 1, "no storm of retries"
    assert daemon.row("neighbour")["pid"] == neighbour["pid"]


def test_s02_one_that_is_never_ready_is_ended_and_counted_as_a_failure(new_site):
    site = new_site(restart={"ready_timeout": 3, "max_restarts": 1}, budgets={"initialize": {"hard": 60}})
    site.strategy("sleeper", "def initialize(self, config):\n    threading.Event().wait()\n")
    daemon = site.daemon()
    before = len(daemon.tree())
    assert daemon.ask_start("sleeper").status_code == 409
    row = daemon.until_state("sleeper", "quarantined")
    assert (row["generation"], row["last_death"]["cause"]) == (2, "start_timeout")
    death = daemon.deaths("sleeper")[0]
    assert death["detail"].startswith("not ready within 3 s")
    assert "in initialize" in death["stack"], "what it was waiting in"
    assert len(daemon.tree()) == before, "its tree is gone"


def test_s03_one_that_dies_after_it_was_ready_has_crashed_and_not_failed_to_start(daemon):
    daemon.site.strategy(
        "brief", "def on_start(self, ctx, recovered):\n    threading.Timer(1.0, os._exit, [3]).start()\n"
    )
    assert daemon.start("brief")["state"] == "running", "the start itself went well"
    row = daemon.until_state("brief", "quarantined")
    assert (row["restarts"], row["last_death"]["cause"]) == (3, "exit")
    states = [(event["kind"], event["generation"]) for event in daemon.events(name="brief")]
    assert states.index(("running", 1)) < states.index(("died", 1)) < states.index(("backoff", 1))


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("no-import", {"head": "import no_such_module"}, 64),
        ("no-config", {"body": "def initialize(self, config):\n    raise ValueError('too few')\n"}, 65),
        ("says-so", {"body": "def initialize(self, config):\n    os._exit(64)\n"}, 64),
    ],
)
def test_s04_code_that_cannot_be_loaded_is_never_tried_again(daemon, name, text, code):
    daemon.site.strategy(name, **text)
    assert daemon.ask_start(name).status_code == 409
    row = daemon.until_state(name, "failed")
    assert (row["generation"], row["restarts"], row["desired"]) == (1, 0, "running")
    assert daemon.deaths(name)[0]["exit_code"] == code
    assert len(daemon.events("starting", name=name)) == 1


def test_s05_start_of_a_running_strategy_changes_nothing(daemon):
    first = daemon.start("a", "idle")
    again = daemon.site.stratd("start", "a")
    assert (again.code, again.out) == (0, f"a: already running (idle@1.0.0, pid {first['pid']})\n")
    row = daemon.row("a")
    assert (row["pid"], row["generation"], row["restarts"]) == (first["pid"], 1, 0)


def test_s06_of_two_starts_at_once_exactly_one_instance_ever_ran(daemon):
    daemon.site.strategy("marked", FOUND)
    command = [*STRATD, "start", "marked", "--strategy", "marked"]
    starts = [
        subprocess.Popen(command, env=daemon.site.environment(), stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [start.communicate(timeout=PATIENCE)[0] for start in starts]
    assert [start.returncode for start in starts] == [0, 0]
    pid = daemon.row("marked")["pid"]
    assert all(f"running (marked@1.0.0, pid {pid})" in text for text in said), said
    daemon.until_said("marked", "born")
    daemon.act("stop", "marked")  # its log is complete then
    assert len(daemon.site.said("marked", "born")) == 1


def test_s07_the_daemon_answers_all_the_while_twenty_strategies_start(daemon):
    names = [f"n{number}" for number in range(20)]
    answers: list[float] = []
    over = threading.Event()

    def ask():
        while not over.is_set():
            began = time.monotonic()
            daemon.status()
            answers.append(time.monotonic() - began)

    asking = threading.Thread(target=ask)
    asking.start()
    began = time.monotonic()
    try:
        daemon.start_all(names)
    finally:
        took = time.monotonic() - began
        over.set()
        asking.join()
    rows = daemon.rows()
    assert {rows[name]["state"] for name in names} == {"running"}
    assert len({rows[name]["pid"] for name in names}) == 20
    # One that starts them all first answers once or twice. A share of it, since a busy host is slow at both.
    assert len(answers) > 10
    assert max(answers) < took * 0.6, f"{max(answers):.3f} s for one while {took:.3f} s of starts went on"


def test_s08_the_one_too_many_is_refused_by_name_and_every_kind_of_death_frees_the_slot(new_site):
    site = new_site(limits={"max_concurrent": 2}, restart={"max_restarts": 1})
    site.strategy("crashes", "def on_start(self, ctx, recovered):\n    os._exit(3)\n")
    site.strategy("unloadable", head="import no_such_module")
    site.strategy("leaves", "def on_start(self, ctx, recovered):\n    sys.exit(0)\n")
    daemon = site.daemon()

    def refused():
        ended = site.stratd("start", "more", "--strategy", "idle")
        return (ended.code, "max_concurrent" in ended.err, ended.err.count("\n")) == (5, True, 1)

    daemon.start("stays", "idle")
    daemon.start("second", "idle")
    assert refused()
    daemon.act("stop", "second")
    for name, rest in (("crashes", "quarantined"), ("unloadable", "failed"), ("leaves", "stopped")):
        daemon.ask_start(name)
        daemon.until_state(name, rest)
        daemon.start("second", "idle")
        assert refused()
        daemon.act("stop", "second", now=True)
    daemon.start("second", "idle")
    daemon.kill()
    daemon = site.daemon()
    for name in ("stays", "second"):
        daemon.until_state(name, "running", generation=2)
    assert refused(), "after the death of the daemon as well"
    daemon.act("remove", "second")
    assert refused(), "what runs cannot be removed"
    daemon.strategy("second").kill()  # the second failure: the first was the end that nobody saw
    daemon.until_state("second", "quarantined")
    assert daemon.start("more", "idle")["state"] == "running"


def test_s08_what_a_smaller_limit_leaves_no_slot_for_says_so_and_waits(new_site):
    site = new_site()
    daemon = site.daemon()
    daemon.start_all(["a", "b"])
    daemon.kill()
    site.settings["limits"]["max_concurrent"] = 1
    daemon = site.daemon()
    daemon.until_state("a", "running", generation=2)
    row = daemon.row("b")
    assert (row["state"], row["desired"], row["pid"]) == ("stopped", "running", None)
    assert row["reason"].startswith("refused by max_concurrent")
    daemon.act("stop", "a")
    assert daemon.start("b")["state"] == "running"
    wait_until(lambda: len(tree(daemon.popen.pid)) == 4, what="engine, zygote, warden and strategy")
