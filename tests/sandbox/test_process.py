"""Cells through the public API of the multiprocess package."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from multiprocess.connection import wait

from sandbox.nursery import NurseryError
from sandbox.process import CellContext
from sandbox.spec import Died, Ready
from tests.sandbox.world import World, alive
from tests.waiting import wait_until

pytestmark = pytest.mark.system


@pytest.fixture
def context() -> Iterator[CellContext]:
    with CellContext() as context:
        yield context


def test_a_cell_starts_lives_and_is_terminated_in_order(world: World, context: CellContext):
    process = context.Process(world.spec(world.write("def cleanup(self):\n    print('cleaned')")))
    assert (process.pid, process.exitcode, process.name) == (None, None, "cell-0:1")
    process.start()
    assert process.is_alive()
    assert alive(process.pid)
    assert process.exitcode is None
    process.join(0.01)
    assert process.is_alive()
    world.until(
        lambda: process.is_alive() and any(isinstance(one, Ready) for one in process.reports), "it is ready"
    )
    process.terminate()
    process.join(60)
    assert (process.is_alive(), process.exitcode) == (False, 0)
    assert wait([process.sentinel], 10) == [process.sentinel]
    assert [report.cause for report in process.reports if isinstance(report, Died)] == ["exit"]
    process.close()


def test_a_killed_cell_has_minus_the_signal_as_exit_code(world: World, context: CellContext):
    process = context.Process(world.spec(world.write("pass")))
    process.start()
    process.kill()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert not alive(process.pid)


def test_a_strategy_that_exits_gives_its_own_code(world: World, context: CellContext):
    process = context.Process(world.spec(world.write("def initialize(self, config):\n    os._exit(7)")))
    process.start()
    assert wait_until(lambda: not process.is_alive(), what="the exit")
    assert process.exitcode == 7


def test_two_cells_of_one_context_are_two_processes(world: World, context: CellContext):
    processes = [context.Process(world.spec(world.write("pass"), deployment_id=f"c{n}")) for n in range(2)]
    for process in processes:
        process.start()
    assert len({process.pid for process in processes} | {os.getpid()}) == 3
    for process in processes:
        process.kill()
        process.join(60)


def test_a_context_without_its_zygote_refuses_by_name(world: World):
    process = CellContext().Process(world.spec(world.write("pass")))
    with pytest.raises(NurseryError, match="the zygote is not running"):
        process.start()
