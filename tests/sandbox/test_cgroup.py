"""Control groups: where they go, what is written, and that the kernel then holds it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.confine import cgroup
from sandbox.confine.cgroup import Group, Tree, discover
from sandbox.confine.cgroup_dialect import CPU_PERIOD, HEADROOM, IO_WEIGHT, Bounds, high, settings
from sandbox.confine.cgroup_files import Files
from sandbox.confine.cgroup_place import PREFIX, Place, hierarchies, own_groups, places
from sandbox.confine.pressure import RESOURCES
from tests.sandbox.fake_cgroups import TOP, FakeVersion2
from tests.waiting import wait_until

MIB = 2**20
BOUNDS = Bounds(256 * MIB, 0.2, 64)
SERVICE = "/system.slice/stratd.service"


@pytest.fixture
def root(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)


# ---- what is written ------------------------------------------------------------------------------
@given(st.builds(Bounds, st.integers(1, 2**40), st.floats(0.0001, 1024), st.integers(1, 4096)))
def test_a_share_is_never_below_what_the_kernel_takes_and_never_changes_in_kind(bounds):
    for version in (1, 2):
        written = {file: text for _, file, text, _ in settings(version, bounds)}
        quota = int((written.get("cpu.max") or written["cpu.cfs_quota_us"]).split()[0])
        assert quota == max(1000, round(bounds.cpu * CPU_PERIOD))
        assert quota == int(written.get("cpu.max.burst") or written["cpu.cfs_burst_us"])
        limit = written.get("memory.max") or written["memory.limit_in_bytes"]
        assert int(limit) == bounds.memory + HEADROOM


@given(st.integers(2**20, 2**42))
def test_a_group_is_slowed_above_its_quota_alone_and_before_it_is_killed(quota):
    assert quota <= high(quota) < quota + HEADROOM


def test_without_a_share_the_processor_is_left_alone():
    for version in (1, 2):
        assert not [one for one in settings(version, Bounds(MIB, None, 8)) if one.controller == "cpu"]


# ---- where they go --------------------------------------------------------------------------------
@pytest.mark.usefixtures("root")
def test_in_a_delegated_service_the_daemon_moves_to_a_leaf_and_cells_go_beside_it():
    kernel = FakeVersion2(SERVICE, delegated=(SERVICE[1:],))
    tree, detail = discover("x", kernel)
    assert detail == "version 2 (memory, cpu, pids)"
    service = TOP / SERVICE[1:]
    assert kernel.groups[service / "daemon"]["cgroup.procs"] == f"{os.getpid()}\n"
    assert kernel.groups[service]["cgroup.subtree_control"] == "memory cpu pids io"
    assert kernel.groups[service / "stratd-x"]["io.weight"] == str(IO_WEIGHT)
    group = tree.group("momentum", 3)
    group.make(BOUNDS)
    files = kernel.groups[service / "stratd-x" / "momentum.3"]
    assert files["memory.max"] == str(256 * MIB + HEADROOM)
    assert files["memory.high"] == str(high(256 * MIB))
    assert (files["memory.swap.max"], files["memory.oom.group"]) == ("0", "1")
    assert (files["cpu.max"], files["pids.max"]) == (f"100000 {CPU_PERIOD}", "64")
    assert group.remove()


@pytest.mark.usefixtures("root")
def test_a_second_discovery_finds_the_daemon_in_its_leaf():
    kernel = FakeVersion2(SERVICE, delegated=(SERVICE[1:],))
    discover("x", kernel)
    kernel.own = f"{SERVICE}/daemon"
    assert discover("x", kernel).tree.place.bases["memory"] == TOP / SERVICE[1:] / "stratd-x"


@pytest.mark.usefixtures("root")
def test_a_delegated_group_with_others_in_it_is_refused_by_name():
    kernel = FakeVersion2(SERVICE, delegated=(SERVICE[1:],))
    kernel.groups[TOP / SERVICE[1:]]["cgroup.procs"] += "1\n"
    tree, detail = discover("x", kernel)
    assert tree is None
    assert detail == f"version 2: {TOP}{SERVICE} is delegated, but other processes are in it"
    assert f"{os.getpid()}\n" in kernel.groups[TOP / SERVICE[1:]]["cgroup.procs"], "and nothing was moved"


@pytest.mark.usefixtures("root")
def test_root_outside_of_any_limit_gets_a_group_at_the_top_and_is_not_moved():
    kernel = FakeVersion2("/user.slice/session-1.scope")
    tree = discover("x", kernel).tree
    assert tree.place.bases["memory"] == TOP / "stratd-x"
    assert kernel.groups[TOP / "user.slice/session-1.scope"]["cgroup.procs"] == f"{os.getpid()}\n"
    tree.close()
    assert TOP / "stratd-x" not in kernel.groups


@pytest.mark.usefixtures("root")
def test_the_disk_is_shared_out_where_its_controller_is_delegated_and_nowhere_else():
    at_the_top = FakeVersion2("/user.slice/session-1.scope")
    discover("x", at_the_top)
    assert "io.weight" not in at_the_top.groups[TOP / "stratd-x"]
    without = FakeVersion2(SERVICE, delegated=(SERVICE[1:],), controllers="cpu memory pids")
    assert discover("x", without).detail == "version 2 (memory, cpu, pids)"
    assert "io.weight" not in without.groups[TOP / SERVICE[1:] / "stratd-x"]


@pytest.mark.usefixtures("root")
def test_a_kernel_that_cannot_weigh_the_disk_does_everything_else(monkeypatch):
    kernel = FakeVersion2(SERVICE, delegated=(SERVICE[1:],))
    write = kernel.write

    def refuse(file, text):
        if file.name == "io.weight":
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
        write(file, text)

    monkeypatch.setattr(kernel, "write", refuse)
    assert discover("x", kernel).detail == "version 2 (memory, cpu, pids)"


@pytest.mark.usefixtures("root")
def test_a_limit_above_the_daemon_is_never_escaped():
    kernel = FakeVersion2(SERVICE)
    kernel.groups[TOP / "system.slice"]["memory.max"] = "1073741824"
    tree, detail = discover("x", kernel)
    assert tree is None
    assert detail == f"version 2: {TOP}/system.slice is limited, and not delegated to this daemon (Delegate=)"


@pytest.mark.usefixtures("root")
def test_a_controller_that_is_not_there_is_not_held_and_the_others_are():
    tree, detail = discover("x", FakeVersion2(SERVICE, delegated=(SERVICE[1:],), controllers="memory pids"))
    assert detail == "version 2 (memory, pids)"
    assert [tree.holds(name) for name in ("memory", "cpu", "pids")] == [True, False, True]


@pytest.mark.usefixtures("root")
def test_no_controller_at_all_is_said():
    tree, detail = discover("x", FakeVersion2("/", controllers="hugetlb"))
    assert (tree, detail) == (None, f"version 2: {TOP} has none of the controllers memory, cpu and pids")


def test_mounts_and_own_groups_are_read_as_the_kernel_writes_them():
    text = (
        "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
        "32 31 0:29 /docker/ab /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "33 31 0:30 / /sys/fs/cgroup/my\\040own rw shared:9 - cgroup cgroup rw,name=systemd\n"
        "34 31 0:31 / /sys/fs/cgroup/unified rw shared:9 master:1 - cgroup2 cgroup2 rw\n"
    )
    assert hierarchies(text) == [
        (frozenset({"cpu", "cpuacct"}), Path("/sys/fs/cgroup/cpu,cpuacct"), "/docker/ab"),
        (frozenset(), Path("/sys/fs/cgroup/unified"), "/"),
    ]
    assert own_groups("2:cpu,cpuacct:/docker/ab\n1:name=systemd:/x\n0::/y\n") == {
        "cpu": "/docker/ab", "cpuacct": "/docker/ab", "name=systemd": "/x", "": "/y",
    }  # fmt: skip


class FakeVersion1(Files):
    """Only what is read to find a place in version 1."""

    def __init__(self, files: dict[str, str], writable: bool = True):
        self.files, self._writable = files, writable

    def read(self, file: Path) -> str:
        if str(file) not in self.files:
            raise FileNotFoundError(2, "No such file or directory", str(file))
        return self.files[str(file)]

    def writable(self, file: Path) -> bool:
        return self._writable


MEMORY = "35 31 0:32 / /m rw - cgroup cgroup rw,memory\n"


@pytest.mark.parametrize(
    ("limit", "base"), [("9223372036854771712", "/m/stratd-x"), ("1073741824", "/m/a/b/stratd-x")]
)
def test_in_version_1_a_limit_above_is_kept_and_else_the_top_is_taken(limit, base):
    files = {"/proc/self/mountinfo": MEMORY, "/proc/self/cgroup": "4:memory:/a/b\n"}
    files["/m/a/memory.limit_in_bytes"] = limit
    (place,) = places("x", FakeVersion1(files))
    assert place.bases == {"memory": Path(base)}


def test_a_hierarchy_that_cannot_be_written_is_said():
    files = {"/proc/self/mountinfo": MEMORY, "/proc/self/cgroup": "4:memory:/a\n"}
    tree, detail = discover("x", FakeVersion1(files, writable=False))
    assert (tree, detail) == (None, "version 1: its hierarchies cannot be written by this user")


# ---- for real -------------------------------------------------------------------------------------
FORKS = "for _ in range(5):\n if os.fork() == 0: os.setsid(); break\n"
BECOME_NOBODY = "os.setgroups([]); os.setresgid(*[65534] * 3); os.setresuid(*[65534] * 3)\n"
WAITS = "print('up', flush=True)\nsignal.pause()"


@pytest.fixture
def tree():
    found = discover(f"test-{os.getpid()}")
    if found.tree is None:
        pytest.skip(f"no control groups here: {found.detail}")
    found.tree.claim()  # or a daemon of another test, starting now, would take it for a dead one's
    yield found.tree
    found.tree.close()
    assert not [base for base in found.tree.place.bases.values() if base.exists()], "nothing is left behind"


@pytest.fixture
def group(tree):
    made = tree.group("a-deployment", 7)
    yield made
    made.kill()
    wait_until(made.remove, what="the group is empty")


def run(joined: Group, code: str, before: str = "") -> subprocess.Popen:
    """Run Python code that joined a group by its descriptors, as the strategy process does."""
    opened = joined.open()
    imports, join = "import os, signal, sys\n", "for d in sys.argv[1:]: os.write(int(d), b'0')\n"
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-c", imports + before + join + code, *map(str, opened)],
            pass_fds=opened, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    finally:
        for descriptor in opened:
            os.close(descriptor)


@pytest.mark.system
@pytest.mark.parametrize(
    "bomb",
    [
        "x = bytearray(512 * 2**20)",
        "import mmap\nm = mmap.mmap(-1, 512 * 2**20)\nfor n in range(0, len(m), 4096): m[n] = 1",
        "d = os.memfd_create('x')\nwhile True: os.write(d, bytes(2**20))",
    ],
    ids=["private", "shared", "memfd"],
)
def test_memory_of_every_kind_is_held_and_the_kill_is_counted(tree, group, bomb):
    if not tree.holds("memory"):
        pytest.skip("no memory controller")
    group.make(Bounds(64 * MIB, None, 64))
    child = run(group, bomb)
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    assert group.oom_kills >= 1, (
        "with oom.group the kernel counts its choice and the rest, the same one again"
    )
    assert (group.peak or 0) <= 64 * MIB + HEADROOM


@pytest.mark.system
def test_nothing_is_counted_where_nothing_was_over(group):
    group.make(Bounds(64 * MIB, None, 64))
    child = run(group, "print('up', flush=True)")
    assert child.communicate()[0] == "up\n"
    assert (child.returncode, group.oom_kills) == (0, 0)


@pytest.mark.system
def test_tasks_are_held(tree, group):
    if not tree.holds("pids"):
        pytest.skip("no pids controller")
    group.make(Bounds(64 * MIB, None, 3))
    code = (
        "import signal\ntry:\n while True:\n  if os.fork() == 0: signal.pause()\n"
        "except OSError as e: print(e.errno)"
    )
    child = run(group, code)
    assert child.stdout.readline() == "11\n"
    group.kill()
    child.communicate()


@pytest.mark.alone
@pytest.mark.system
def test_the_share_of_a_core_is_held_and_the_time_kept_from_it_is_told(tree, group):
    if not tree.holds("cpu"):
        pytest.skip("no cpu controller")
    group.make(Bounds(64 * MIB, 0.1, 16))
    began = time.monotonic()
    child = run(group, "while True: pass")
    wait_until(lambda: group.throttled > 0.5, timeout=60, what="half a second that is kept from it")
    took, used, seen = time.monotonic() - began, group.cpu_time, psutil.Process(child.pid).cpu_times()
    group.kill()
    child.communicate()
    assert used < 0.5 * took, "a tenth of it, the burst, a period begun, the start: not half of it"
    assert used == pytest.approx(seen.user + seen.system, abs=0.15)


@pytest.mark.system
def test_a_kill_ends_every_descendant_that_left_its_session(group):
    group.make(BOUNDS)
    child = run(group, FORKS + WAITS)
    wait_until(lambda: len(group.pids) == 6, what="six processes in the group")
    group.kill()
    wait_until(lambda: child.poll() is not None and not group.pids, what="an empty group")
    child.communicate()


@pytest.mark.system
def test_a_group_with_a_process_in_it_is_removed_once_that_is_gone(tree):
    group = tree.group("b", 1)
    group.make(BOUNDS)
    child = run(group, WAITS)
    assert child.stdout.readline() == "up\n"
    tree.discard(group)
    assert any(folder.exists() for folder in group.folders)
    wait_until(lambda: tree.tidy() == 0, what="tidied up")
    assert child.wait() == -signal.SIGKILL, "nothing goes on in a group that was given up"
    child.communicate()
    assert not any(folder.exists() for folder in group.folders)


@pytest.mark.system
def test_what_a_dead_daemon_left_is_killed_and_removed_by_the_next(tree):
    left = tree.group("left-over", 12)
    left.make(BOUNDS)
    child = run(left, FORKS + WAITS)
    wait_until(lambda: len(left.pids) == 6, what="six processes in the group")
    again = Tree(tree.place, Files())
    assert "left-over.12" in again.claim()
    wait_until(lambda: again.tidy() == 0, what="nothing left")
    assert child.wait() == -signal.SIGKILL
    child.communicate()


@pytest.fixture
def apart(tree):
    """Folders in which no daemon of another test looks for what dead ones left, beside those of ``tree``."""
    files = Files()
    bases = {name: base.parent / f"test-apart-{os.getpid()}" for name, base in tree.place.bases.items()}
    for base in bases.values():
        files.make(base)
    yield lambda name: Tree(
        tree.place._replace(bases={key: base / f"{PREFIX}{name}" for key, base in bases.items()}), files
    )
    for base in set(bases.values()):
        files.remove(base)


@pytest.mark.system
def test_what_a_daemon_of_another_name_left_is_removed_unless_it_lives(apart):
    there, again = apart("other"), apart("own")
    there.claim()
    there.group("of-it", 1).make(BOUNDS)
    assert [] == again.claim(), "it lives, for it holds its lock"
    for lock in there._locks:  # as its death would
        os.close(lock)
    there._locks.clear()
    assert ["of-it.1"] == again.claim()
    assert not [base for base in there.place.bases.values() if base.exists()]
    again.close()


@pytest.mark.system
def test_a_process_without_any_right_joins_by_the_descriptor(group):
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    group.make(BOUNDS)
    child = run(group, WAITS, before=BECOME_NOBODY)
    assert child.stdout.readline() == "up\n"
    assert group.pids == [child.pid]
    group.kill()
    child.communicate()


@pytest.mark.system
def test_version_2_kills_and_freezes_also_without_a_controller():
    mounted = [
        one.mount for one in hierarchies(Path("/proc/self/mountinfo").read_text()) if not one.controllers
    ]
    if not mounted or not os.access(mounted[0] / "cgroup.procs", os.W_OK):
        pytest.skip("no version 2 hierarchy that may be written")
    base = mounted[0] / f"stratd-test-{os.getpid()}"
    tree = Tree(Place(2, {"cgroup": base}), Files())
    tree.place.enter(Files())
    try:
        group = tree.group("c", 1)
        group.make(BOUNDS)
        child = run(group, FORKS + WAITS)
        wait_until(lambda: len(group.pids) == 6, what="six processes in the group")
        assert group.freeze()
        assert set(group.pressure) <= set(RESOURCES)  # none where PSI is off
        assert (group.pressure == {}) is (not (base / "c.1" / "cpu.pressure").exists())
        events = base / "c.1" / "cgroup.events"
        wait_until(lambda: "frozen 1" in events.read_text(), what="frozen")
        group.kill()  # a frozen group too
        wait_until(lambda: not group.pids, what="an empty group")
        assert child.wait() == -signal.SIGKILL
        child.communicate()
        wait_until(group.remove, what="removed")
    finally:
        tree.close()
    assert not base.exists()


@pytest.mark.system
def test_an_ordinary_user_is_told_why_there_is_none():
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    # Its own interpreter may not be his to execute: it becomes him once everything is imported.
    asks = "print(*discover('x'), sep='\\n')"
    code = f"from sandbox.confine.cgroup import discover\nimport os\n{BECOME_NOBODY}{asks}"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    tree, detail = done.stdout.splitlines()
    assert tree == "None"
    assert "not delegated" in detail or "cannot be written" in detail


def test_a_folder_that_another_daemon_clears_meanwhile_is_made_again_and_locked(monkeypatch):
    kernel = FakeVersion2("/")
    monkeypatch.setattr(cgroup, "PAUSE", 0.0)
    tree = Tree(Place(2, {"memory": TOP / "stratd-a"}), kernel)
    lock, gone = kernel.lock, []

    def lock_late(folder):
        if len(gone) < 3:
            gone.append(folder)
            kernel.remove(folder)
            raise FileNotFoundError(folder)
        return lock(folder)

    monkeypatch.setattr(kernel, "lock", lock_late)
    assert tree.claim() == []
    assert TOP / "stratd-a" in kernel.groups
    assert len(tree._locks) == 1
    tree.close()
