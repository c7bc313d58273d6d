"""Quotas: how exactly a share of a core is held, what looking costs, and how far a memory bomb gets.

    python benchmarks/quotas.py [--quick]

Share: processes that want all of a core (one thread; three; a second on, a second off) are held to a fifth of
one, by the throttle (SIGSTOP and SIGCONT) and, where this host has one, by a control group; the share of each
over windows of ten seconds, begun after the burst that each may save up. No more than a quarter is wanted.
Less than a fifth is for information: one that is on and off may stay below, on a busy host everything does.

Looking: the passes that the supervisor makes in a second (four of memory, one of them with processor times)
over 100 pairs of idle processes, in CPU time of the thread that makes them; and the throttle over the same.

Bombs: 1 GiB wanted in every way there is, against a quota of 256 MiB: the largest amount ever resident (or
charged to the group). Without a control group only memory of the process's own: seccomp closes the others.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from ratios import Figure, amount, arguments, report, say
from sandbox.confine.cgroup import Group, Tree, discover
from sandbox.confine.cgroup_dialect import Bounds
from supervisor.quota import SAMPLE_PERIOD, Usage
from supervisor.sampler import Sampler
from supervisor.throttle import Throttle, process_time

MIB = 2**20
QUOTA = 0.2
WINDOW = 10.0
PAIRS = 100
BOUND = 256 * MIB

GREEDY = {
    "one thread": "while True: pass",
    "three threads": """
import hashlib, threading
def work():
    while True: hashlib.pbkdf2_hmac('sha256', b'a', b'b', 100_000)  # without the GIL
for _ in range(3): threading.Thread(target=work).start()
""",
    "a second on, a second off": """
import time
while True:
    if time.monotonic() % 2 < 1: pass
    else: time.sleep(0.01)
""",
}
PRIVATE = {
    "one object": "x = bytearray(2**30)",
    "small objects": "x = [bytes(500) for _ in range(2**21)]",
    "pieces of 1 MiB": "x = [bytearray(2**20) for _ in range(1024)]",
}
SHARED = {
    "shared mapping": "import mmap; m = mmap.mmap(-1, 2**30)\nfor n in range(0, 2**30, 4096): m[n] = 1",
    "memfd": "import os; d = os.memfd_create('x')\nfor _ in range(1024): os.write(d, bytes(2**20))",
}


@contextmanager
def greedy(code: str, *, group: Group | None = None) -> Iterator[int]:
    """Run Python code in a process, in ``group`` from its first moment on; yields its pid."""
    join = "import os, sys\nfor d in sys.argv[1:]: os.write(int(d), b'0'); os.close(int(d))\n"
    opened = group.open() if group else []
    child = subprocess.Popen(
        [sys.executable, "-I", "-c", join + code, *map(str, opened)],
        pass_fds=opened, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        # As a cell: else all of them share one part of the processor with this script (sched(7), autogroup).
        start_new_session=True,
    )  # fmt: skip
    for descriptor in opened:
        os.close(descriptor)
    try:
        yield child.pid
    finally:
        child.kill()
        child.communicate()


# ---- the share ------------------------------------------------------------------------------------
def shares(rounds: int, tree: Tree | None) -> dict[str, list[float]]:
    """Return the share of a core, in per cent, of each kind of process in each window, by enforcer."""
    throttle = Throttle(lambda _, reason: sys.exit(reason))
    throttle.start()
    with ExitStack() as stack:
        stack.callback(throttle.close)
        pids = {f"throttle, {kind}": stack.enter_context(greedy(code)) for kind, code in GREEDY.items()}
        for name, pid in pids.items():
            throttle.add((name, 1), pid, QUOTA)
        found = windows(pids, rounds)
    if tree is not None and tree.holds("cpu"):
        with ExitStack() as stack:
            pids = {}
            for number, (kind, code) in enumerate(GREEDY.items()):
                group = stack.enter_context(grouped(tree, f"cpu{number}", Bounds(BOUND, QUOTA, 64)))
                pids[f"{tree.label}, {kind}"] = stack.enter_context(greedy(code, group=group))
            found |= windows(pids, rounds)
    return found


def windows(pids: dict[str, int], rounds: int) -> dict[str, list[float]]:
    """Return the share of each process in each of ``rounds`` windows."""
    say("letting the bursts pass")
    time.sleep(4)
    found: dict[str, list[float]] = {name: [] for name in pids}
    for number in range(rounds):
        say(f"window {number + 1} of {rounds}")
        before, began = {name: process_time(pid) for name, pid in pids.items()}, time.monotonic()
        time.sleep(WINDOW)
        took = time.monotonic() - began
        for name, pid in pids.items():
            found[name].append(100 * (process_time(pid) - before[name]) / took)
    return found


@contextmanager
def grouped(tree: Tree, name: str, bounds: Bounds) -> Iterator[Group]:
    """Make a group; it is killed and removed at the end."""
    group = tree.group(name, 1)
    group.make(bounds)
    try:
        yield group
    finally:
        tree.discard(group)
        while tree.tidy():
            time.sleep(0.01)


# ---- looking --------------------------------------------------------------------------------------
@contextmanager
def idle(count: int) -> Iterator[list[int]]:
    """Fork processes that do nothing; yields their pids."""
    pids = []
    for _ in range(count):
        if (pid := os.fork()) == 0:
            signal.pause()
            os._exit(0)
        pids.append(pid)
    try:
        yield pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def looking(rounds: int) -> tuple[list[float], list[float]]:
    """Return the share of a core, in per cent, that sampler and throttle take, for each round."""
    with idle(2 * PAIRS) as pids:
        sampler = Sampler()
        usages = {}
        for number in range(PAIRS):
            instance = (f"cell{number}", 1)
            sampler.add(instance, pids[2 * number])
            sampler.add(instance, pids[2 * number + 1], ours=True)
            usages[instance] = Usage(memory=BOUND, cpu=QUOTA, cpu_policy="throttle")
        sampled = []
        for number in range(rounds):
            say(f"sampler, round {number + 1} of {rounds}")
            began = time.thread_time()
            for beat in range(10 * round(1 / SAMPLE_PERIOD)):
                for instance, sample in sampler.sweep(cpu=beat % round(1 / SAMPLE_PERIOD) == 0).items():
                    usages[instance].add(sample)
            sampled.append(100 * (time.thread_time() - began) / 10)
        throttle = Throttle(lambda _, reason: sys.exit(reason))
        throttle.start()
        for number in range(PAIRS):
            throttle.add((f"cell{number}", 1), pids[2 * number], QUOTA)
        held = []
        for number in range(rounds):
            say(f"throttle, round {number + 1} of {rounds}")
            used, began = time.process_time(), time.monotonic()
            time.sleep(4)
            held.append(100 * (time.process_time() - used) / (time.monotonic() - began))
        throttle.close()
    return sampled, held


# ---- bombs ----------------------------------------------------------------------------------------
def exploded(code: str, tree: Tree | None) -> float:
    """Set off a bomb against the quota; return the largest amount it ever held, in MiB."""
    with ExitStack() as stack:
        group = stack.enter_context(grouped(tree, "bomb", Bounds(BOUND, None, 64))) if tree else None
        # It waits for its limits, as the strategy process waits for its setup.
        pid = stack.enter_context(greedy("sys.stdin.readline()\n" + code, group=group))
        process = psutil.Process(pid)
        if group is None:
            data = process.memory_info().data + BOUND
            process.rlimit(psutil.RLIMIT_DATA, (data, data))
        Path(f"/proc/{pid}/fd/0").write_text("go\n")
        _, _, used = os.wait4(pid, 0)
        return (group.peak or 0) / MIB if group else used.ru_maxrss / 1024


def main() -> None:
    """Print the figures."""
    options = arguments(__doc__ or "", rounds=6, quick=1)
    found = discover(f"bench-{os.getpid()}")
    tree = found.tree
    if tree is not None:
        tree.claim()
    try:
        values = shares(options.rounds, tree)
        figures: list[Figure] = [
            amount(f"held to 20 %: {name}", taken, "%", "<= 25") for name, taken in values.items()
        ]
        sampled, held = looking(options.rounds)
        values |= {"sampler": sampled, "throttle": held}
        figures += [
            amount(f"sampler, {PAIRS} cells at 4 Hz, share of a core", sampled, "%", "< 1"),
            amount(f"throttle, {PAIRS} calm cells, share of a core", held, "%"),
        ]
        for way, code in PRIVATE.items():
            values[way] = [exploded(code, None) for _ in range(options.rounds)]
            figures.append(amount(f"1 GiB against 256 MiB, RLIMIT_DATA: {way}", values[way], "MiB", "<= 400"))
        if tree is not None and tree.holds("memory"):
            for way, code in (PRIVATE | SHARED).items():
                peaks = values[f"group: {way}"] = [exploded(code, tree) for _ in range(options.rounds)]
                figures.append(amount(f"1 GiB against 256 MiB, {tree.label}: {way}", peaks, "MiB", "<= 300"))
        else:
            print(f"no control groups here: {found.detail}")
    finally:
        if tree is not None:
            tree.close()
    say("")
    report(options, figures, values, "integer")


if __name__ == "__main__":
    main()
