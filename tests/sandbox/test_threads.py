"""The count of threads where the kernel keeps none of a cell's own: alone, and in a cell."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.confine.attempt import survey
from sandbox.threads import BETWEEN, EVERY, Threads, open_status
from tests.sandbox.world import World

STATUS = "Name:\tstratd-strategy\nThreads:\t{}\nSigQ:\t0/64\n"

BOMB = """
import ctypes, os, threading, time
from strategies.api import IStrategy

libc = ctypes.CDLL(None, use_errno=True)

def explode(after):
    time.sleep(after)
    stack = ctypes.create_string_buffer(65536)
    asleep = ctypes.cast(libc.pause, ctypes.c_void_p)
    top = ctypes.c_void_p(ctypes.addressof(stack) + 65536 - 64)
    for number in range(1500):
        if libc.clone(asleep, top, 0x50f00, None) < 0:
            print(f"refused at {number}", flush=True)
            break
    time.sleep(60)

class Mine(IStrategy):
    def initialize(self, config):
        pass

    def on_candle_complete(self, timeframe, candle, data):
        return None

    def on_tick(self, data):
        BODY
"""


@pytest.fixture
def status(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    path = tmp_path / "status"
    path.write_text(STATUS.format(64))
    descriptor = os.open(path, os.O_RDONLY)
    yield path, descriptor
    os.close(descriptor)


def test_as_many_as_are_allowed_are_no_excess(status: tuple[Path, int]):
    assert Threads(status[1], 64).excess(1.0) == ""


def test_one_more_is_told_with_both_numbers(status: tuple[Path, int]):
    status[0].write_text(STATUS.format(1065))
    assert Threads(status[1], 64).excess(1.0) == "1,065 threads, 64 are allowed"


def test_it_looks_again_only_after_a_while(status: tuple[Path, int]):
    threads = Threads(status[1], 64)
    assert threads.excess(1.0) == ""
    status[0].write_text(STATUS.format(65))
    assert [threads.excess(1.0 + EVERY / 2), threads.excess(1.0 + EVERY)] == [
        "",
        "65 threads, 64 are allowed",
    ]
    assert (threads.every, threads.between) == (EVERY, BETWEEN)


def test_where_the_kernel_counts_nobody_else_does():
    threads = Threads(None, 0)
    assert threads.excess(1.0) == ""
    assert (threads.every, threads.between) == (float("inf"), float("inf"))


def test_a_process_is_counted_with_its_threads_until_it_is_gone():
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    pidfd = os.pidfd_open(pid)
    descriptor = open_status(pidfd)
    assert descriptor is not None
    assert Threads(descriptor, 0).excess(1.0) == "1 threads, 0 are allowed"
    os.close(writing)
    os.waitpid(pid, 0)
    assert Threads(descriptor, 0).excess(1.0) == ""
    os.close(descriptor)
    assert open_status(pidfd) is None
    os.close(pidfd)


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[World]:
    """Cells without namespaces; as root with root's uid: others may not enter the folder of their code."""
    tmp_path.chmod(0o700)
    world = World(tmp_path, survey("bare"))
    world.nursery.start()
    yield world
    world.close()


@pytest.mark.system
@pytest.mark.parametrize("body", ["explode(0)", "threading.Thread(target=explode, args=(0.3,)).start()"])
def test_too_many_threads_end_the_cell_in_its_turn_and_between_two(bare: World, body: str):
    if bare.nursery.survey is None or bare.nursery.survey.refusal:
        pytest.skip(f"no strange code without namespaces here: {bare.nursery.survey}")
    cell = bare.running(BOMB.replace("BODY", body))
    bare.engine.ticks("EURUSD", 1.0)
    died = bare.ended(cell)
    assert (died.cause, died.signal) == ("task_quota", 9)
    assert died.detail.endswith(" threads, 64 are allowed")
    assert bare.running("").died is None  # and another one starts as if nothing had been
