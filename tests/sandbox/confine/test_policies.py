import ctypes
import errno
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.confine import policies
from sandbox.confine.bpf import ALLOW, KILL, Case, Later, compile_policy, fail
from sandbox.confine.syscalls import MACHINES, NEWEST
from tests.sandbox.confine.machine import judge, run

X86, ARM = MACHINES["x86_64"], MACHINES["aarch64"]
HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
GENERIC = Path("/usr/include/asm-generic/unistd.h")
PIDS = {policies.OWN.name: 7}
EPERM, ENOSYS, NOTHING = fail(errno.EPERM), fail(errno.ENOSYS), fail(0)
LONG = 2**64 - 1

EVERY = [
    policies.strategy(machine, shared_memory=shared, kill=kill)
    for machine in MACHINES.values()
    for shared in (False, True)
    for kill in (False, True)
] + [policies.warden(machine, kill=kill) for machine in MACHINES.values() for kill in (False, True)]
STRATEGY = policies.strategy(X86, shared_memory=False, kill=False)
WARDEN = policies.warden(X86, kill=False)


def verdict(policy, name, *arguments):
    """The verdict of the compiled program, on x86_64."""
    program = compile_policy(policy)
    six = [argument & LONG for argument in (*arguments, 0, 0, 0, 0, 0, 0)][:6]
    return run(program, X86.architecture, X86.numbers[name], six, PIDS)


# ---- the tables ------------------------------------------------------------------------------------
@pytest.mark.skipif(not HEADER.exists(), reason=f"needs {HEADER} (linux-libc-dev)")
def test_the_numbers_of_x86_64_are_those_of_its_header():
    header = dict(re.findall(r"^#define __NR_(\w+) (\d+)$", HEADER.read_text(), re.MULTILINE))
    assert {name: int(header[name]) for name in X86.numbers} == X86.numbers


@pytest.mark.skipif(not GENERIC.exists(), reason=f"needs {GENERIC} (linux-libc-dev)")
def test_the_numbers_of_aarch64_are_those_of_the_generic_header():
    found = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)\s*$", GENERIC.read_text(), re.MULTILINE)
    header = {name: int(number) for name, number in found}
    header["newfstatat"] = header["fstatat"]  # what __NR3264_fstatat is called with 64 bits
    assert {name: header[name] for name in ARM.numbers} == ARM.numbers
    assert set() == (set(X86.numbers) - set(ARM.numbers)) & set(header)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=lambda machine: machine.name)
def test_the_numbers_are_those_of_libseccomp(machine):
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        pytest.skip("needs libseccomp.so.2")
    resolve = library.seccomp_syscall_resolve_name_arch
    resolve.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
    answers = {name: resolve(machine.architecture, name.encode()) for name in machine.numbers}
    assert answers == machine.numbers


def test_every_name_of_a_policy_is_in_the_table():
    """A name that is misspelt would be dropped without a word. x86_64 has them all."""
    missed = []

    class Numbers(dict):
        def __contains__(self, name):
            if not super().__contains__(name):
                missed.append(name)
            return super().__contains__(name)

    watched = X86._replace(numbers=Numbers(X86.numbers))
    policies.strategy(watched, shared_memory=False, kill=True)
    policies.warden(watched, kill=True)
    assert [] == missed


def test_no_call_is_both_allowed_and_deadly():
    assert set() == set(policies.KILLED) & {*policies.STRATEGY, *policies.WARDEN, *policies.COMMON_RULES}


# ---- programs --------------------------------------------------------------------------------------
def arguments_near(policy, number):
    """Six arguments, of which some are what the rule of ``number`` looks for, or a bit beside it."""
    seen = {0, 7, 8}
    for case in policy.rules.get(number, ()):
        for check in case.checks:
            seen |= {PIDS[v.name] if isinstance(v, Later) else v for v in check.values}
    near = st.sampled_from(sorted(seen))
    flipped = st.builds(lambda value, bit: value ^ (1 << bit), near, st.integers(0, 63))
    one = st.one_of(near, flipped, st.integers(0, LONG))
    return st.lists(one, min_size=6, max_size=6)


@given(st.data(), st.sampled_from(range(len(EVERY))))
def test_every_filter_says_what_its_policy_says(data, which):
    policy, program = EVERY[which], compile_policy(EVERY[which])
    for _ in range(20):
        number = data.draw(st.one_of(st.sampled_from(sorted(policy.rules)), st.integers(0, 2**32 - 1)))
        arguments = data.draw(arguments_near(policy, number))
        expected = judge(policy, policy.architecture, number, arguments, PIDS)
        assert expected == run(program, policy.architecture, number, arguments, PIDS)


@pytest.mark.parametrize("policy", [STRATEGY, WARDEN], ids=["strategy", "warden"])
def test_every_number_has_the_verdict_of_its_name(policy):
    program = compile_policy(policy)
    for number in range(600):
        expected = judge(policy, X86.architecture, number, [0] * 6, PIDS)
        assert expected == run(program, X86.architecture, number, [0] * 6, PIDS), number


@pytest.mark.parametrize("policy", EVERY)
def test_a_filter_stays_small(policy):
    assert compile_policy(policy).instructions < 300


@pytest.mark.parametrize("policy", EVERY)
def test_x32_and_foreign_calls_kill_and_unknown_ones_do_not_exist(policy):
    program = compile_policy(policy)
    assert KILL == run(program, policy.architecture ^ 1, 0, [0] * 6, PIDS)
    assert KILL == run(program, policy.architecture, 0x40000000, [0] * 6, PIDS)
    assert KILL == run(program, policy.architecture, 0xFFFFFFFF, [0] * 6, PIDS)
    assert ENOSYS == run(program, policy.architecture, NEWEST + 1, [0] * 6, PIDS)
    assert EPERM == run(program, policy.architecture, NEWEST, [0] * 6, PIDS)


# ---- what they mean --------------------------------------------------------------------------------
THREAD = 0x3D0F00
PRIVATE, SHARED, ANONYMOUS = 2, 1, 0x20


@pytest.mark.parametrize(
    ("expected", "name", "arguments"),
    [
        (ALLOW, "clone", (THREAD,)),
        (EPERM, "clone", (0x01200011,)),  # fork of glibc: CHILD_SETTID, CHILD_CLEARTID, SIGCHLD
        (EPERM, "clone", (0x4111,)),  # vfork
        (EPERM, "clone", (THREAD | 0x10000000,)),  # CLONE_NEWUSER
        (EPERM, "clone", (THREAD | 1 << 40,)),  # what a kernel to come may mean by it
        (EPERM, "clone", (THREAD & ~0x10000,)),
        (ENOSYS, "clone3", ()),
        (ENOSYS, "openat2", ()),
        (ALLOW, "mmap", (0, 4096, 3, PRIVATE | ANONYMOUS)),
        (ALLOW, "mmap", (0, 4096, 3, SHARED, 3)),
        (EPERM, "mmap", (0, 4096, 3, SHARED | ANONYMOUS)),
        (EPERM, "mmap", (0, 4096, 3, 3 | ANONYMOUS)),  # SHARED_VALIDATE
        (EPERM, "mmap", (0, 4096, 3, 8 | ANONYMOUS)),  # DROPPABLE, which no limit counts
        (EPERM, "mmap", (0, 4096, 3, PRIVATE | ANONYMOUS | 0x100)),
        (EPERM, "mmap", (0, 4096, 3, PRIVATE | ANONYMOUS | 0x40000)),
        (EPERM, "mmap", (0, 4096, 3, PRIVATE | ANONYMOUS | 1 << 33)),
        (ALLOW, "kill", (7, 9)),
        (ALLOW, "kill", (7 | 1 << 32, 9)),  # a pid is an int
        (EPERM, "kill", (8, 9)),
        (EPERM, "kill", (0, 9)),
        (EPERM, "kill", (-1, 9)),
        (EPERM, "kill", (-7, 9)),
        (ALLOW, "tgkill", (7, 12, 9)),
        (EPERM, "tgkill", (8, 8, 9)),
        (ALLOW, "prlimit64", (0, 7, 0, 0x7FFF_0000_0000)),
        (EPERM, "prlimit64", (0, 7, 0x7FFF_0000_0000, 0)),
        (EPERM, "prlimit64", (0, 7, 1 << 40, 0)),  # a pointer whose low half is 0
        (EPERM, "prlimit64", (8, 7, 0, 0)),
        (ALLOW, "socketpair", (1, 5)),
        (ALLOW, "socketpair", (1, 1 | 0o2004000)),
        (EPERM, "socketpair", (1, 2)),  # SOCK_DGRAM: an address in every sendto
        (EPERM, "socketpair", (1, 3)),  # SOCK_RAW, which becomes one
        (EPERM, "socketpair", (30, 1)),  # AF_TIPC
        (EPERM, "socket", (1, 1)),
        (EPERM, "connect", (3,)),
        (ALLOW, "fcntl", (3, 4, 0o4000)),
        (EPERM, "fcntl", (3, 4, 0o20000)),  # O_ASYNC
        *((EPERM, "fcntl", (3, command)) for command in (5, 6, 7, 8, 10, 15, 36, 37, 38, 1024, 1026, 1031)),
        (ALLOW, "ioctl", (0, 0x5401)),
        (EPERM, "ioctl", (0, 0x5412)),  # TIOCSTI
        (ALLOW, "ioctl", (0, 0x5401 | 1 << 32)),  # a command is an unsigned int
        (ALLOW, "prctl", (15,)),
        *((EPERM, "prctl", (option,)) for option in (1, 4, 8, 22, 24, 28, 35, 36, 38, 47, 59, 0x59616D61)),
        (ALLOW, "madvise", (0, 0, 4)),
        (EPERM, "madvise", (0, 0, 12)),
        (ALLOW, "getsockopt", (3, 1, 4)),
        (EPERM, "getsockopt", (3, 1, 77)),
        (EPERM, "getsockopt", (3, 6, 4)),
        (ALLOW, "sendto", (3, 0, 0, 0x4000)),
        (EPERM, "sendto", (3, 0, 0, 1)),
        (EPERM, "recvmsg", (3, 0, 1)),
        (NOTHING, "sched_setscheduler", (8,)),
        (NOTHING, "sched_setaffinity", (8,)),
    ],
)
def test_a_strategy_may(expected, name, arguments):
    assert expected == verdict(STRATEGY, name, *arguments)


@pytest.mark.parametrize(
    ("expected", "name", "arguments"),
    [
        (ALLOW, "socket", (1, 1 | 0o2000000)),
        (EPERM, "socket", (2, 1 | 0o2000000)),
        (EPERM, "socket", (1, 2)),
        (EPERM, "socket", (16, 3)),
        (ALLOW, "openat", (-100, 0, 0o2000000)),
        (EPERM, "openat", (-100, 0, 1)),
        (EPERM, "openat", (-100, 0, 2)),
        (EPERM, "openat", (-100, 0, 0o100)),  # O_CREAT
        (EPERM, "openat", (-100, 0, 0o1000)),  # O_TRUNC
        (EPERM, "openat", (-100, 0, 0o20200000)),  # O_TMPFILE
        (ALLOW, "prlimit64", (0, 7, 0, 0x7FFF_0000_0000)),
        (EPERM, "prlimit64", (0, 7, 0x7FFF_0000_0000, 0)),
        (EPERM, "prlimit64", (8, 7, 0, 0)),
        (ALLOW, "pidfd_send_signal", (5, 9, 0, 0)),
        (EPERM, "pidfd_send_signal", (5, 9, 0, 4)),  # to its process group
        (EPERM, "pidfd_send_signal", (5, 9, 1 << 40, 0)),  # with a siginfo of its own making
        (EPERM, "kill", (8, 9)),
        (EPERM, "unlink", ()),
        (EPERM, "mkdir", ()),
        (EPERM, "ptrace", (16, 8)),
        (ALLOW, "clone", (THREAD,)),
        (EPERM, "clone", (0x01200011,)),
        (ALLOW, "wait4", (8,)),
        (ALLOW, "getsockopt", (3, 1, 17)),
        (EPERM, "getsockopt", (3, 1, 77)),
        (EPERM, "mmap", (0, 4096, 3, SHARED | ANONYMOUS)),
    ],
)
def test_a_warden_may(expected, name, arguments):
    assert expected == verdict(WARDEN, name, *arguments)


@pytest.mark.parametrize("policy", [STRATEGY, WARDEN], ids=["strategy", "warden"])
def test_what_nobody_named_is_refused(policy):
    """Of x86_64: bind, listen, setsockopt, fork, vfork, execve, flock, chmod, chown, utimensat, setxattr,
    symlink, mknod, splice, inotify_init1, timerfd_create, signalfd4, timer_create, memfd_create,
    memfd_secret, personality, truncate, seccomp, landlock_create_ruleset, execveat, pidfd_open,
    process_madvise, sched_setattr, sync, setpriority, open_by_handle_at.
    """
    numbers = [49, 50, 54, 57, 58, 59, 73, 90, 92, 280, 188, 88, 133, 275, 294, 283, 289, 222, 319]
    numbers += [447, 135, 76, 317, 444, 322, 434, 440, 314, 162, 141, 304]
    program = compile_policy(policy)
    assert {EPERM} == {run(program, X86.architecture, number, [0] * 6, PIDS) for number in numbers}


@pytest.mark.parametrize(("machine", "direct"), [(X86, 0o40000), (ARM, 0o200000)])
def test_the_disk_and_the_cache_of_others_are_left_alone(machine, direct):
    policy = policies.strategy(machine, shared_memory=False, kill=False)

    program = compile_policy(policy)

    def said(name, *arguments):
        six = [*arguments, 0, 0, 0, 0, 0, 0][:6]
        return run(program, machine.architecture, machine.numbers[name], six, PIDS)

    assert {NOTHING} == {
        said(name) for name in ("fsync", "fdatasync", "msync", "sync_file_range", "fadvise64")
    }
    assert ALLOW == said("openat", 0, 0, 0o2000000)
    assert fail(errno.EINVAL) == said("openat", 0, 0, 0o2000000 | direct)
    assert ALLOW == said("fcntl", 0, 4, 0o4000)
    assert EPERM == said("fcntl", 0, 4, 0o4000 | direct)
    assert ALLOW == said("preadv2", 3)
    assert fail(errno.EOPNOTSUPP) == said("preadv2", 3, 0, 1, 0, 0, 8)


@pytest.mark.parametrize("name", ["clock_gettime", "clock_getres", "clock_nanosleep"])
def test_the_clock_of_another_process_cannot_be_read(name):
    assert {ALLOW} == {verdict(STRATEGY, name, clock) for clock in range(12)}
    assert {EPERM} == {verdict(STRATEGY, name, (~pid << 3) | 2) for pid in (1, 7, 4_000_000)}


def test_a_pipe_takes_no_notes_of_the_kernel():
    assert ALLOW == verdict(STRATEGY, "pipe2", 0, 0o2004000)
    assert EPERM == verdict(STRATEGY, "pipe2", 0, 0o200)


def test_memory_may_be_shared_where_a_cgroup_counts_it():
    policy = policies.strategy(X86, shared_memory=True, kill=False)
    assert ALLOW == verdict(policy, "mmap", 0, 4096, 3, SHARED | ANONYMOUS)
    assert EPERM == verdict(policy, "mmap", 0, 4096, 3, PRIVATE | ANONYMOUS | 0x100)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=lambda machine: machine.name)
@pytest.mark.parametrize(
    ("expected", "flags"),
    [
        (ALLOW, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (ALLOW, os.O_RDWR | os.O_TRUNC),
        (ALLOW, os.O_RDONLY | os.O_CREAT),
        (fail(errno.EINVAL), os.O_RDONLY | os.O_TRUNC),
        # 3: neither to read nor to write, and empties it all the same
        (fail(errno.EINVAL), os.O_ACCMODE | os.O_TRUNC),
    ],
)
def test_a_file_is_emptied_only_by_who_says_that_it_writes(machine, expected, flags):
    """An old Landlock (before ABI 3) asks for no right to truncate, and in ``bare`` there is nothing else."""
    program = compile_policy(policies.strategy(machine, shared_memory=False, kill=False))
    six = [0, 0, flags, 0, 0, 0]
    assert expected == run(program, machine.architecture, machine.numbers["openat"], six, PIDS)
    assert "truncate" not in policies.STRATEGY


@pytest.mark.parametrize("name", policies.KILLED)
def test_what_only_means_harm_is_refused_or_deadly(name):
    assert EPERM == verdict(STRATEGY, name)
    assert KILL == verdict(policies.strategy(X86, shared_memory=False, kill=True), name)
    assert KILL == verdict(policies.warden(X86, kill=True), name)


def test_the_lists_are_those_that_were_agreed():
    """What is allowed grows by a decision, not by a slip: whoever adds a name changes a number here."""
    filtered = {"clone", "mmap", "kill", "tgkill", "prlimit64", "socketpair", "getsockopt", "fcntl", "ioctl"}
    filtered |= {"prctl", "madvise", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg"}
    filtered |= {"open", "openat", "preadv2", "pwritev2", "pipe2", "clock_gettime", "clock_nanosleep"}
    allowed = {number for number, rule in STRATEGY.rules.items() if any(c.verdict == ALLOW for c in rule)}
    assert 140 == len(allowed)
    assert {X86.numbers[name] for name in filtered} <= allowed
    assert (Case((), ALLOW),) not in [STRATEGY.rules[X86.numbers[name]] for name in filtered]
