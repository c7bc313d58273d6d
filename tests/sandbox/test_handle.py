"""What a warden says is checked like anything from outside: one taken over ends its own cell only."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from sandbox import channel, spec
from sandbox.handle import CellHandle, pid_of
from tests.sandbox.world import World, gone

pytestmark = pytest.mark.system


class Pretender:
    """The other end of a handle: says what no warden says."""

    def __init__(self) -> None:
        ours, self.end = channel.pair()
        ours.setblocking(False)
        granted = spec.CellSpec(
            deployment_id="a", generation=1, strategy="s", version="1", code_path="/nowhere", account_id="x",
            trading_mode="paper", symbols=[], timeframes=[], parameters={}, market_endpoint="ipc:///a/m",
            report_endpoint="ipc:///a/r", token="",
        )  # fmt: skip
        self.handle = CellHandle(granted, ours, 0, own_tasks=False)

    def says(self, payload: bytes, descriptors: list[int] | None = None) -> list[spec.WardenReport]:
        channel.send(self.end, payload, descriptors or [])
        return self.handle.receive()


@pytest.fixture
def warden() -> Iterator[Pretender]:
    pretender = Pretender()
    yield pretender
    pretender.end.close()
    pretender.handle.close()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as process:
        yield process
        process.kill()


@pytest.mark.parametrize(
    "said", [b"\xc1", b"\x93\x09\x00\x00", msgspec.msgpack.encode([2, "soon"]), b"\x00" * 999]
)
def test_what_is_no_report_ends_the_cell_and_nothing_else(warden: Pretender, said: bytes):
    (died,) = warden.says(said)
    assert isinstance(died, spec.Died)
    assert died.cause == "protocol"
    assert died.detail.startswith(f"its warden said {len(said)} bytes that are no report: ")
    assert warden.handle.gone
    assert warden.handle.receive() == []


def test_a_birth_without_a_process_or_a_second_one_is_refused(
    warden: Pretender, sleeper: subprocess.Popen[bytes]
):
    pidfd = os.pidfd_open(sleeper.pid)
    before = psutil.Process().num_fds()
    assert [type(said) for said in warden.says(spec.encode(spec.Born()), [pidfd])] == [spec.Born]
    assert warden.handle.strategy_pid == sleeper.pid
    (died,) = warden.says(spec.encode(spec.Born()), [pidfd])
    assert isinstance(died, spec.Died)
    assert "a birth without a pidfd, or a second one" in died.detail
    assert gone(pidfd, 10)  # its cell was ended
    os.close(pidfd)
    assert psutil.Process().num_fds() == before  # the handle keeps one


def test_a_descriptor_that_is_no_pidfd_is_refused_and_closed(warden: Pretender):
    with Path(os.devnull).open() as file:
        before = psutil.Process().num_fds()
        (died,) = warden.says(spec.encode(spec.Born()), [file.fileno()])
        assert isinstance(died, spec.Died)
        assert "a descriptor that is no pidfd" in died.detail
        assert psutil.Process().num_fds() == before


def test_descriptors_that_come_with_anything_else_are_closed(warden: Pretender):
    with Path(os.devnull).open() as file:
        before = psutil.Process().num_fds()
        assert warden.says(spec.encode(spec.Ready(1.0)), [file.fileno()]) == [spec.Ready(1.0)]
        (died,) = warden.says(spec.encode(spec.Ready(1.0)), [file.fileno()] * 5)
        assert isinstance(died, spec.Died)
        assert psutil.Process().num_fds() == before


def test_a_pid_is_read_from_the_pidfd(sleeper: subprocess.Popen[bytes]):
    pidfd = os.pidfd_open(sleeper.pid)
    assert pid_of(pidfd) == sleeper.pid
    os.close(pidfd)


def test_both_processes_are_limited_before_the_strategy_is_told_what_to_run(world: World):
    cell = world.running("pass", limits=spec.Limits(memory=100 * 2**20, files=50, processes=9))
    strategy, warden = limits_of(cell.handle.strategy_pid), limits_of(cell.handle.warden_pid)
    assert (strategy["Max open files"], strategy["Max core file size"]) == (50, 0)
    assert strategy["Max data size"] < 200 * 2**20
    if has_namespaces(world):
        assert strategy["Max processes"] == 9
    assert (warden["Max open files"], warden["Max core file size"]) == (64, 0)
    assert 128 * 2**20 < warden["Max data size"] < 256 * 2**20


def limits_of(pid: int | None) -> dict[str, int]:
    """Return the hard limits of a process; whoever may not set them (psutil) may still read this."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
    return {line[:26].strip(): int(found) for line in lines if (found := line[47:68].strip()).isdigit()}


def has_namespaces(world: World) -> bool:
    return world.nursery.survey is not None and world.nursery.survey.has("namespaces")


def test_what_cannot_be_confined_is_not_run(world: World):
    if not has_namespaces(world):
        pytest.skip("nothing is mounted here")
    cell = world.start("raise SystemExit('ran')", packages=str(world.folder / "missing"))
    died = world.ended(cell)
    assert died.cause == "error"
    assert died.detail == f"not confined, so not run: {world.folder}/missing: No such file or directory"
    assert cell.handle.warden_pidfd is not None
    assert gone(cell.handle.warden_pidfd, 10)


def test_a_warden_that_cannot_be_confined_takes_its_strategy_along(world: World):
    if not has_namespaces(world):
        pytest.skip("nothing is mounted here")
    cell = world.start("pass", market_endpoint="ipc:///nowhere/m", report_endpoint="ipc:///nowhere/r")
    world.until(lambda: cell.warden_code is not None, "the end of the warden")
    assert cell.warden_code == 71
    assert cell.handle.strategy_pidfd is None or gone(cell.handle.strategy_pidfd, 10)
