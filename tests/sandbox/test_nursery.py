"""The supervisor's end: the zygote as a real process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sandbox import nursery
from sandbox.confine import attempt
from sandbox.nursery import ENVIRONMENT, Awake, Forked, Nursery, NurseryError, WardenExited, ZygoteGone
from tests.sandbox.world import World, gone, look_into, new_world
from tests.waiting import wait_until

pytestmark = pytest.mark.system


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world with a zygote of its own, which is what these tests look at."""
    with new_world(tmp_path) as world:
        yield world


def test_the_zygote_has_one_thread_a_literal_environment_and_says_when_it_is_awake(world: World):
    world.until(lambda: world.news, "the first word")
    assert isinstance(world.news[0], Awake)
    zygote = psutil.Process(world.nursery.pid)
    assert zygote.num_threads() == 1
    assert zygote.environ() == ENVIRONMENT
    assert zygote.cwd() == "/"


def test_cells_asked_for_before_the_zygote_is_awake_are_born(world: World):
    cells = [world.start("pass") for _ in range(3)]
    world.until(lambda: all(cell.ready for cell in cells), "three cells")
    assert [type(news) for news in world.news] == [Awake, Forked, Forked, Forked]
    assert len({cell.handle.warden_pid for cell in cells} | {c.handle.strategy_pid for c in cells}) == 6


def test_born_names_the_process_for_good(world: World):
    cell = world.running("pass")
    fields = Path(f"/proc/{cell.handle.strategy_pid}/stat").read_text().rpartition(")")[2].split()
    assert cell.handle.start_ticks == int(fields[19])


def test_when_the_zygote_is_killed_its_cells_live_and_it_can_be_started_again(world: World):
    cell = world.running("def on_tick(self, data):\n    return buy()")
    os.kill(world.nursery.pid, signal.SIGKILL)
    world.until(lambda: any(isinstance(news, ZygoteGone) for news in world.news), "the news")
    assert world.news[-1] == ZygoteGone(-signal.SIGKILL)
    assert world.nursery.fileno() == -1
    with pytest.raises(NurseryError, match="the zygote is not running"):
        world.start("pass")
    world.engine.ticks("EURUSD", 1.0)
    world.until(world.engine.signals, "a signal of the orphan")
    world.nursery.start()
    world.running("pass")
    cell.handle.kill()
    assert world.ended_or_gone(cell)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGSEGV])
def test_how_the_zygote_ended_is_told_as_it_was(world: World, number: signal.Signals):
    world.until(lambda: world.news, "awake")
    os.kill(world.nursery.pid, number)
    world.until(lambda: len(world.news) > 1, "the news")
    assert world.news[-1] == ZygoteGone(-number)


def test_a_zygote_that_leaves_with_a_code_is_told_by_that_code(world: World, monkeypatch: pytest.MonkeyPatch):
    world.until(lambda: world.news, "awake")
    world.nursery.close()
    quits = (sys.executable, "-c", "import sys; sys.exit(7)")
    monkeypatch.setattr(nursery, "COMMAND", quits)
    world.nursery.start()
    world.until(lambda: len(world.news) > 1, "the news")
    assert world.news[-1] == ZygoteGone(7)


def test_a_zygote_that_hangs_up_and_stays_is_ended(world: World, monkeypatch: pytest.MonkeyPatch):
    world.until(lambda: world.news, "awake")
    world.nursery.close()
    stays = "import os, signal, sys; os.close(int(sys.argv[1])); signal.pause()"
    monkeypatch.setattr(nursery, "COMMAND", (sys.executable, "-c", stays))
    monkeypatch.setattr(nursery, "LAST_BREATH", 0.01)
    world.nursery.start()
    world.until(lambda: len(world.news) > 1, "the news")
    assert world.news[-1] == ZygoteGone(-signal.SIGKILL)


def test_a_request_that_the_zygote_never_answered_is_refused_by_name(world: World):
    world.until(lambda: world.news, "awake")
    os.kill(world.nursery.pid, signal.SIGSTOP)
    cell = world.start("pass")
    os.kill(world.nursery.pid, signal.SIGKILL)
    world.until(lambda: cell.handle.refusal, "the refusal")
    assert cell.handle.refusal == "the zygote ended before it could fork"
    assert cell.handle.fileno() == -1


def test_a_specification_that_is_too_large_is_refused_before_anything_is_started(world: World):
    with pytest.raises(NurseryError, match=r"of cell-0 is \d+ bytes, at most 196608 are allowed"):
        world.start("pass", parameters={"x": "y" * 200_000})


def test_a_large_specification_arrives_whole(world: World):
    cell = world.running(
        "def initialize(self, config):\n    print(len(config.parameters['x']))",
        parameters={"x": "y" * 150_000},
    )
    world.until(lambda: cell.lines("out"), "the print")
    assert cell.lines("out") == ["150000"]


def test_a_second_start_is_a_mistake_of_the_caller(world: World):
    with pytest.raises(RuntimeError, match="runs already"):
        world.nursery.start()


def test_a_handle_closed_before_its_birth_keeps_no_descriptor(world: World):
    cell = world.start("pass")
    cell.handle.close()
    world.until(lambda: any(isinstance(news, WardenExited) for news in world.news), "the end of the warden")
    assert (cell.handle.warden_pidfd, cell.handle.strategy_pidfd) == (None, None)


def test_descriptors_come_back_after_many_cells(world: World):
    world.running("pass")
    before = psutil.Process().num_fds()
    zygote_before = psutil.Process(world.nursery.pid).num_fds()
    for _ in range(10):
        cell = world.running("pass")
        cell.handle.kill_strategy()
        world.ended(cell)
        world.until(lambda c=cell: c.warden_code is not None, "the exit")
        cell.handle.close()
        world.cells.remove(cell)
    assert psutil.Process().num_fds() == before
    assert psutil.Process(world.nursery.pid).num_fds() == zygote_before


def test_when_the_supervisor_is_killed_nothing_is_left(tmp_path):
    """The whole tree under a process that is killed, without any of its own clean-up."""
    script = (
        "import sys, time, pathlib\n"
        "from tests.sandbox.world import World\n"
        "world = World(pathlib.Path(sys.argv[1])); world.nursery.start()\n"
        "cell = world.running('pass')\n"
        "print(world.nursery.pid, cell.handle.warden_pid, cell.handle.strategy_pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},  # what is killed leaves its folder
    ) as supervisor:
        assert supervisor.stdout is not None
        pidfds = [os.pidfd_open(int(pid)) for pid in supervisor.stdout.readline().split()]
        supervisor.kill()
        assert [gone(pidfd, 5.0) for pidfd in pidfds] == [True, True, True]
        for pidfd in pidfds:
            os.close(pidfd)


def test_private_memory_of_an_idle_cell_is_at_most_eight_mebibytes(world: World):
    cell = world.running("pass")
    look_into(cell.handle.strategy_pid)
    for _ in range(3):
        world.engine.pulse()
        world.turn()
    uss = [
        psutil.Process(pid).memory_full_info().uss
        for pid in (cell.handle.warden_pid, cell.handle.strategy_pid)
    ]
    assert sum(uss) <= 8 * 2**20


def test_nursery_without_a_zygote_has_nothing_to_read():
    empty = Nursery()
    assert (empty.fileno(), empty.read(), empty.pid) == (-1, [], None)
    empty.close()
    assert wait_until(lambda: empty.fileno() == -1)


@pytest.mark.parametrize("setting", ["userns", "bare"])
def test_a_setting_that_is_asked_for_is_what_cells_get(tmp_path: Path, setting: str):
    survey = attempt.survey(setting)
    if survey.setting != setting:
        pytest.skip(f"{setting} is not possible here")
    world = World(tmp_path, survey)
    world.nursery.start()
    try:
        cell = world.running("def on_tick(self, data):\n    return buy()")
        world.engine.ticks("EURUSD", 1.0)
        world.until(world.engine.signals, "a signal")
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{cell.handle.strategy_pid}/status").read_text().splitlines()
        )
        assert (status["NoNewPrivs"], status["Seccomp"], status["CapEff"]) == ("1", "2", "0" * 16)
        assert status["Uid"].split()[0] == str(os.geteuid())
    finally:
        world.close()
