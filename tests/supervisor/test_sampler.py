"""The one psutil pass, against real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import psutil
import pytest

from supervisor.sampler import TURNS, Sampler, start_ticks
from tests.waiting import wait_until

pytestmark = pytest.mark.system

IDLE = "import sys; print('up', flush=True); sys.stdin.read()"
SPIN = "print('up', flush=True)\nwhile True: pass"
EATER = """
import sys
print('up', flush=True)
sys.stdin.readline()
held = bytearray(64 * 2**20)
print('full', flush=True)
sys.stdin.read()
"""
BREATHES = """
import mmap, sys
print('up', flush=True)
sys.stdin.readline()
held = mmap.mmap(-1, 64 * 2**20)
held.write(bytes(64 * 2**20))
print('full', flush=True)
sys.stdin.readline()
held.close()
print('empty', flush=True)
sys.stdin.read()
"""


@pytest.fixture
def spawn():
    children = []

    def start(code: str) -> subprocess.Popen:
        child = subprocess.Popen(
            [sys.executable, "-I", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        children.append(child)
        assert child.stdout.readline() == "up\n"
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def test_an_instance_is_the_sum_of_its_processes(spawn):
    sampler = Sampler()
    for _ in range(2):
        assert sampler.add(("spin", 1), spawn(SPIN).pid)
    sampler.add(("idle", 1), spawn(IDLE).pid)
    first = sampler.sweep()
    assert set(first) == {("spin", 1), ("idle", 1)}
    grown = wait_until(
        lambda: (now := sampler.sweep())[("spin", 1)].cpu_time > first[("spin", 1)].cpu_time + 0.2 and now,
        what="CPU time of two spinning processes",
    )
    assert grown[("idle", 1)].cpu_time < first[("idle", 1)].cpu_time + 0.1
    assert grown[("spin", 1)].at > first[("spin", 1)].at


def test_what_a_process_was_born_with_is_not_its_own(spawn):
    zygote, child = spawn(IDLE), spawn(EATER)
    sampler = Sampler()
    sampler.descend_from(zygote.pid)
    sampler.add(("a", 1), child.pid)
    born = sampler.sweep()[("a", 1)].rss
    assert born < 4 * 2**20, "a process like its zygote has next to nothing of its own"
    child.stdin.write("go\n")
    child.stdin.flush()
    assert child.stdout.readline() == "full\n"
    assert 64 * 2**20 <= sampler.sweep()[("a", 1)].rss < 70 * 2**20


def test_memory_taken_before_the_first_reading_does_not_hide(spawn):
    zygote, child = spawn(IDLE), spawn(EATER)
    child.stdin.write("go\n")
    child.stdin.flush()
    assert child.stdout.readline() == "full\n"
    sampler = Sampler()
    sampler.descend_from(zygote.pid)
    sampler.add(("a", 1), child.pid)
    assert sampler.sweep()[("a", 1)].rss >= 60 * 2**20


def test_a_pid_that_belongs_to_a_bystander_by_now_is_left_alone(spawn):
    bystander = spawn(IDLE)
    sampler = Sampler()
    ticks = start_ticks(bystander.pid)
    assert not sampler.add(("a", 1), bystander.pid, ticks - 1)
    assert sampler.sweep() == {}
    assert sampler.add(("a", 1), bystander.pid, ticks)


def test_a_dead_process_gives_no_sample_and_harms_no_other(spawn):
    dead, alive = spawn(IDLE), spawn(IDLE)
    sampler = Sampler()
    sampler.add(("dead", 1), dead.pid)
    sampler.add(("alive", 1), alive.pid)
    dead.kill()
    dead.wait()
    assert set(sampler.sweep()) == {("alive", 1)}
    assert not sampler.add(("dead", 2), dead.pid)
    assert start_ticks(dead.pid) is None


def test_forgetting_is_for_good_and_twice_is_no_error(spawn):
    sampler = Sampler()
    sampler.add(("a", 1), spawn(IDLE).pid)
    sampler.remove(("a", 1))
    sampler.remove(("a", 1))
    assert sampler.sweep() == {}


def test_the_daemons_own_processes_are_told_by_name(spawn):
    seconds = iter(range(1000))
    sampler = Sampler(clock=lambda: float(next(seconds)))
    spinning, idle = spawn(SPIN), spawn(IDLE)
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    sampler.follow({"engine": spinning.pid, "zygote": idle.pid, "late": None})
    assert sampler.sweep() == {}, "they are no instance of anybody's"
    assert {name: use.pid for name, use in sampler.own.items()} == {
        "engine": spinning.pid,
        "zygote": idle.pid,
    }
    assert sampler.own["engine"].cpu_share is None, "one reading tells no share"
    assert sampler.own["zygote"].rss > 2**20
    assert 0 <= sampler.own["zygote"].uptime
    first = sampler.own["zygote"].uptime
    wait_until(lambda: sampler.sweep() or sampler.own["engine"].cpu_share > 0, what="a share of the CPU")
    wait_until(lambda: sampler.sweep() or sampler.own["zygote"].uptime > first, what="the time going on")
    assert sampler.own["zygote"].uptime - first <= time.clock_gettime(time.CLOCK_BOOTTIME) - before
    assert sampler.own["zygote"].cpu_share < 0.01


def test_of_a_process_that_was_started_again_the_new_one_is_told(spawn):
    sampler = Sampler()
    first, second = spawn(IDLE), spawn(IDLE)
    sampler.follow({"engine": first.pid})
    sampler.sweep()
    first.kill()
    first.wait()
    sampler.sweep()
    assert sampler.own == {}
    sampler.follow({"engine": None})
    sampler.follow({"engine": first.pid})
    sampler.follow({"engine": second.pid})
    sampler.sweep()
    sampler.sweep()
    assert (sampler.own["engine"].pid, sampler.own["engine"].cpu_share is None) == (second.pid, False)


def test_instances_may_come_and_go_during_a_pass():
    sampler, stop, failed = Sampler(), threading.Event(), []

    def sweep() -> None:
        while not stop.is_set():
            try:
                sampler.sweep()
            except RuntimeError as error:
                failed.append(error)
                return

    thread = threading.Thread(target=sweep)
    thread.start()
    for n in range(2000):
        sampler.add(("a", n), os.getpid())
        sampler.add(("a", n), os.getpid())
        sampler.remove(("a", n - 20))
    stop.set()
    thread.join()
    assert failed == []


def test_a_pass_of_memory_alone_reads_no_processor_time(spawn):
    sampler = Sampler()
    child = spawn(EATER)
    sampler.add(("a", 1), child.pid)
    child.stdin.write("go\n")
    child.stdin.flush()
    assert child.stdout.readline() == "full\n"
    sample = sampler.sweep(cpu=False)[("a", 1)]
    assert sample.cpu_time is None
    assert sample.rss >= 64 * 2**20


def test_a_process_of_ours_is_read_in_its_turn_and_counts_in_every_sample(spawn):
    sampler = Sampler()
    strategy, warden = spawn(IDLE), spawn(EATER)
    sampler.add(("a", 1), strategy.pid)
    before = sampler.sweep(cpu=False)[("a", 1)].rss
    sampler.add(("a", 1), warden.pid, ours=True)
    assert sampler.sweep(cpu=False)[("a", 1)].rss > before, "as it was read when it came"
    warden.stdin.write("go\n")
    warden.stdin.flush()
    assert warden.stdout.readline() == "full\n"
    assert sampler.sweep(cpu=False)[("a", 1)].rss < 64 * 2**20
    passes = [sampler.sweep()[("a", 1)].rss for _ in range(TURNS)]
    assert passes[-1] >= 64 * 2**20, "after one round of turns it was read"
    assert sampler.sweep(cpu=False)[("a", 1)].rss == passes[-1]


def test_between_readings_memory_that_shrank_is_seen_too(spawn):
    sampler = Sampler()
    child = spawn(BREATHES)
    sampler.add(("a", 1), child.pid)
    for word, is_so in (("full", lambda rss: rss >= 64 * 2**20), ("empty", lambda rss: rss < 32 * 2**20)):
        child.stdin.write("go\n")
        child.stdin.flush()
        assert child.stdout.readline() == f"{word}\n"
        assert is_so(sampler.sweep(cpu=False)[("a", 1)].rss), word


def test_what_is_forgotten_leaves_no_descriptor(spawn):
    sampler = Sampler()
    child = spawn(IDLE)
    before = psutil.Process().num_fds()
    for generation in range(3):
        assert sampler.add(("a", generation), child.pid)
    assert psutil.Process().num_fds() == before + 3
    sampler.remove(("a", 0))
    sampler.sweep(cpu=False)
    assert psutil.Process().num_fds() == before + 2
    sampler.close()
    assert psutil.Process().num_fds() == before


FAMILY = """
import os, sys, time
for _ in range(2):
    if os.fork() == 0:
        hoard = b"x" * (30 * 2**20)
        os.write(1, b"ready\\n")
        sys.stdin.read()
        os._exit(0)
os.write(1, b"ready\\n")
sys.stdin.read()
for _ in range(2):
    os.wait()
os.write(1, b"alone\\n")
time.sleep(600)
"""


def test_what_a_process_forks_is_counted_with_it_and_its_end_is_no_end():
    sampler = Sampler()
    with subprocess.Popen(
        [sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert [parent.stdout.readline() for _ in range(3)] == ["ready\n"] * 3
        assert sampler.add(("alone", 1), parent.pid)
        assert sampler.add(("family", 1), parent.pid, forks=True)
        whole = sampler.sweep()
        assert whole["alone", 1].rss < 40 * 2**20
        assert whole["family", 1].rss - whole["alone", 1].rss > 50 * 2**20
        parent.stdin.close()
        assert parent.stdout.readline() == "alone\n"
        after = sampler.sweep()
        assert after["family", 1].rss == after["alone", 1].rss
        assert after["family", 1].cpu_time >= whole["family", 1].cpu_time
        parent.kill()
        parent.wait()
        assert sampler.sweep() == {}
    for instance in (("alone", 1), ("family", 1)):
        sampler.remove(instance)
    sampler.close()
