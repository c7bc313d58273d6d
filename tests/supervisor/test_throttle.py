"""SIGSTOP and SIGCONT on real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from supervisor.throttle import Throttle, process_time
from tests.waiting import wait_until

pytestmark = pytest.mark.system

SPIN = "print('up', flush=True)\nwhile True: pass"
IDLE = "import signal; print('up', flush=True); signal.pause()"
SLEEPS = "import time; print('up', flush=True)\nwhile True: time.sleep(0.01)"
THREADS = """
import hashlib, threading
def work():
    while True: hashlib.pbkdf2_hmac('sha256', b'a', b'b', 100_000)  # without the GIL
for _ in range(3): threading.Thread(target=work).start()
print('up', flush=True)
"""


@pytest.fixture
def spawn():
    children = []

    def start(code: str) -> psutil.Process:
        child = subprocess.Popen([sys.executable, "-I", "-c", code], stdout=subprocess.PIPE, text=True)
        children.append(child)
        assert child.stdout.readline() == "up\n"
        return psutil.Process(child.pid)

    yield start
    for child in children:
        child.kill()
        child.communicate()


@pytest.fixture
def throttle():
    refused = []
    made = Throttle(lambda instance, reason: refused.append((instance, reason)))
    made.start()
    yield made
    made.close()
    assert refused == []


def share_of(process: psutil.Process, seconds: float) -> float:
    """Return the share of a core that a process takes over so many seconds, the claim that is tested."""
    began, used = time.monotonic(), process_time(process.pid)
    wait_until(lambda: time.monotonic() - began > seconds, what="the time of the measurement")
    return (process_time(process.pid) - used) / (time.monotonic() - began)


@pytest.mark.alone
@pytest.mark.parametrize("code", [SPIN, THREADS], ids=["one thread", "three threads"])
def test_a_spinner_is_held_to_its_share(throttle, spawn, code):
    process = spawn(code)
    assert throttle.add(("a", 1), process.pid, 0.2)
    wait_until(lambda: throttle.held(("a", 1)), what="the first stop")
    # Over three seconds the burst counts for more than over ten (benchmarks/quotas.py has those).
    assert share_of(process, 3.0) <= 0.2 + 0.1


def test_its_clock_and_psutil_tell_the_same_time(spawn):
    process = spawn(SPIN)
    wait_until(lambda: process_time(process.pid) > 0.3, what="some processor time")
    times = process.cpu_times()
    assert times.user + times.system == pytest.approx(process_time(process.pid), abs=0.1)


def test_who_uses_little_is_never_stopped(throttle, spawn):
    process = spawn(SLEEPS)
    throttle.add(("a", 1), process.pid, 0.5)
    before = process_time(process.pid)
    wait_until(lambda: process_time(process.pid) > before + 0.005, what="some work")
    assert throttle.held(("a", 1)) == 0.0


def stopped(process: psutil.Process) -> bool:
    return process.status() == psutil.STATUS_STOPPED


@pytest.mark.parametrize("end", ["release", "close"])
def test_whoever_is_let_go_of_runs(spawn, end):
    throttle = Throttle(lambda *_: None)
    throttle.start()
    process = spawn(THREADS)
    cores = process.cpu_affinity()
    throttle.add(("a", 1), process.pid, 0.02)
    wait_until(lambda: stopped(process), what="stopped")
    throttle.release(("a", 1)) if end == "release" else throttle.close()
    assert not stopped(process)
    assert process.cpu_affinity() == cores
    used = process_time(process.pid)
    wait_until(lambda: process_time(process.pid) > used + 0.3, what="it runs on")
    assert not stopped(process)
    throttle.close()


def test_a_process_that_dies_while_it_is_stopped_is_forgotten(throttle, spawn):
    process, other = spawn(SPIN), spawn(SPIN)
    throttle.add(("a", 1), process.pid, 0.02)
    throttle.add(("b", 1), other.pid, 0.02)
    wait_until(lambda: stopped(process), what="stopped")
    process.kill()
    process.wait()
    wait_until(lambda: ("a", 1) not in throttle, what="forgotten")
    throttle.release(("a", 1))
    held = throttle.held(("b", 1))
    wait_until(lambda: throttle.held(("b", 1)) > held, what="the other is still held")


def test_a_process_that_is_gone_is_not_taken_on(throttle, spawn):
    process = spawn(IDLE)
    process.kill()
    process.wait()
    assert not throttle.add(("a", 1), process.pid, 0.2)
    assert throttle.held(("a", 1)) is None


def test_a_quota_of_the_whole_host_needs_no_throttle(throttle, spawn):
    assert not throttle.add(("a", 1), spawn(IDLE).pid, float(os.cpu_count() or 1))


def test_one_thread_may_run_where_it_likes(throttle, spawn):
    process = spawn(SPIN)
    cores = process.cpu_affinity()
    throttle.add(("a", 1), process.pid, 0.02)  # more than any host is too busy to give it
    wait_until(lambda: throttle.held(("a", 1)), what="the first stop")
    assert process.cpu_affinity() == cores


def test_many_threads_are_kept_on_few_cores_and_those_are_spread(throttle, spawn):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core")
    pair = [spawn(THREADS), spawn(THREADS)]
    for number, process in enumerate(pair):
        throttle.add((str(number), 1), process.pid, 0.02)
    wait_until(lambda: all(len(process.cpu_affinity()) == 1 for process in pair), what="one core each")
    assert pair[0].cpu_affinity() != pair[1].cpu_affinity()
