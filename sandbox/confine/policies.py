"""Which system calls a strategy and a warden may make: allowlists, and what arguments may be. Pure data.

What is not named here is refused, so a call that a later kernel brings is closed until somebody opens it.
Refused is EPERM; ENOSYS where libraries then take the older way. An x32 number kills the process, as does a
foreign architecture (``bpf``). A filter sees numbers and never what they point to: no path, no address and
no message is judged here.

Sources: the strategy's list was measured with the standard library, numpy, pandas, scikit-learn and
onnxruntime under strace, the warden's with libzmq 4.3; the kernel headers named below for the numbers, which
are the same on x86_64 and aarch64 unless it is said.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from typing import Final

from sandbox.confine.bpf import ALLOW, KILL, Case, Check, Later, Policy, Rule, fail
from sandbox.confine.syscalls import NEWEST, Machine

OWN: Final = Later("own pid")


def strategy(machine: Machine, *, shared_memory: bool, kill: bool) -> Policy:
    """Return what a strategy may do. The arguments are those of ``seccomp.strategy_policy``."""
    direct = _O_DIRECT[machine.name]
    rules = {
        "mmap": _mappings(shared=shared_memory),
        "open": _openings(1, direct),
        "openat": _openings(2, direct),
        "fcntl": _descriptor_flags(_O_ASYNC | direct),
        "preadv2": _plain_vectors(),
        "pwritev2": _plain_vectors(),
        "socketpair": _allowed(Check(0, (_AF_UNIX,)), _kinds(_SOCK_STREAM, _SOCK_SEQPACKET)),
        "getsockopt": _socket_options(_OPTIONS),
        "sendmmsg": _allowed(Check(3, (0,), _MSG_OOB)),
        "recvmmsg": _allowed(Check(3, (0,), _MSG_OOB)),
        # These succeed and do nothing. All that a strategy writes is in memory; of a file of the host, which
        # it may only read, they flush the disk that others wait for, or throw out of the page cache what
        # others have read.
        **dict.fromkeys(("fsync", "fdatasync", "msync", "sync_file_range", "fadvise64"), _always(fail(0))),
    }
    return _policy(machine, STRATEGY, {**COMMON_RULES, **rules}, KILLED if kill else ())


def warden(machine: Machine, *, kill: bool) -> Policy:
    """Return what a warden may do once it has forked its strategy.

    0MQ over AF_UNIX, its strategy's end, no file written, nothing started, no limit changed. It signals
    nothing but by a pidfd, which it cannot open any more.
    """
    rules = {
        "mmap": _mappings(shared=False),
        "openat": _allowed(Check(2, (0,), ~_READING & _INT)),
        "open": _allowed(Check(1, (0,), ~_READING & _INT)),
        "pidfd_send_signal": _allowed(Check(2, (0,), _LONG, wide=True), Check(3, (0,))),
        "socket": _allowed(Check(0, (_AF_UNIX,)), _kinds(_SOCK_STREAM)),
        "getsockopt": _socket_options((*_OPTIONS, _SO_PEERCRED)),
    }
    return _policy(machine, WARDEN, {**COMMON_RULES, **rules}, KILLED if kill else ())


# ---- what arguments may be -------------------------------------------------------------------------
_INT = 0xFFFFFFFF
_LONG = 0xFFFFFFFF_FFFFFFFF
# bits/socket.h, asm-generic/socket.h
_AF_UNIX = 1
# Never SOCK_DGRAM (nor RAW, which for AF_UNIX is the same): one of a pair sends to any path, /dev/log say, by
# the address in its sendto(2) or sendmsg(2), which a filter cannot see. The other kinds take none (unix(7)).
_SOCK_STREAM, _SOCK_SEQPACKET, _SOCK_NONBLOCK, _SOCK_CLOEXEC = 1, 5, 0o4000, 0o2000000
_MSG_OOB = 1
_SOL_SOCKET, _SO_PEERCRED = 1, 17
# SO_TYPE, ERROR, SNDBUF, RCVBUF, LINGER, ACCEPTCONN, PROTOCOL, DOMAIN. Never SO_PEERPIDFD (77): a pidfd of
# the process at the other end, which is one of ours.
_OPTIONS = (3, 4, 7, 8, 13, 30, 38, 39)

# linux/sched.h. What pthread_create sets (glibc, musl): CLONE_VM, SIGHAND and THREAD always; FS, FILES,
# SYSVSEM, SETTLS, PARENT_SETTID, CHILD_CLEARTID, DETACHED, CHILD_SETTID. A fork lacks the first three; a
# namespace, VFORK or PIDFD is none of these.
_THREAD = 0x100 | 0x800 | 0x10000
_THREAD_FLAGS = _THREAD | 0x200 | 0x400 | 0x40000 | 0x80000 | 0x100000 | 0x200000 | 0x400000 | 0x1000000

# asm-generic/mman.h. SHARED, PRIVATE; FIXED, ANONYMOUS, 32BIT; DENYWRITE, EXECUTABLE, LOCKED, NORESERVE,
# POPULATE, NONBLOCK, STACK, FIXED_NOREPLACE. Not GROWSDOWN (0x100), which RLIMIT_DATA does not count, and
# not HUGETLB (0x40000), which takes of a pool that is everybody's.
_MAP_TYPE, _MAP_PRIVATE, _MAP_ANONYMOUS = 0x0F, 0x02, 0x20
_MAP_FLAGS = 0x03 | 0x70 | 0x800 | 0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x10000 | 0x20000 | 0x100000

# linux/fcntl.h. F_DUPFD, GETFD, SETFD, GETFL, DUPFD_CLOEXEC, GETPIPE_SZ; F_SETFL without O_ASYNC. No owner
# (signals to others), no lease, no F_SETPIPE_SZ (1 MiB of kernel memory a pipe), and no lock: all cells see
# the same files, and the same /dev/null, so that a lock is a word from one to another.
_FCNTL = (0, 1, 2, 3, 1030, 1032)
_F_SETFL, _O_ASYNC = 4, 0o20000
# asm/fcntl.h. Past the page cache every read is one of the disk: EINVAL, as of a file system that cannot.
_O_DIRECT = {"x86_64": 0o40000, "aarch64": 0o200000}

# asm-generic/fcntl.h. To empty a file takes the right to write it, of open(2) a mode that says so too:
# before Linux 6.2 (ABI 3) Landlock looks at nothing but the mode, and never at truncate(2), which is on no
# list: ftruncate(2) does the same to what was opened to be written. Without a mount namespace nothing else
# would keep a strategy from the files of the daemon's user.
_O_TRUNC, _O_ACCMODE, _O_WRONLY, _O_RDWR = 0o1000, 3, 1, 2

# asm-generic/fcntl.h. What may go with O_RDONLY: NOCTTY, NONBLOCK, CLOEXEC, and four bits that are DIRECT,
# LARGEFILE, DIRECTORY and NOFOLLOW, in one order on x86_64 and in another on aarch64.
_READING = 0o400 | 0o4000 | 0o2000000 | 0o40000 | 0o100000 | 0o200000 | 0o400000

# linux/time.h: the clocks of everybody, CLOCK_REALTIME to CLOCK_TAI, and one's own. A negative number is that
# of a process or thread by its pid (linux/posix-timers_types.h): when others work, to the nanosecond.
_CLOCKS = 0x0F
_PIPE_FLAGS = 0o2000000 | 0o4000

# asm-generic/ioctls.h. TCGETS, TCGETS2, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: never TIOCSTI.
_IOCTLS = (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)

# linux/prctl.h. PR_GET_PDEATHSIG, GET_DUMPABLE, SET_NAME, GET_NAME, GET_SECCOMP, CAPBSET_READ,
# GET_SECUREBITS, GET_TIMERSLACK, GET_NO_NEW_PRIVS; SET_VMA, with which allocators name their memory.
_PRCTLS = (2, 3, 15, 16, 21, 23, 27, 30, 39, 0x53564D41)

# asm-generic/mman-common.h, without MADV_MERGEABLE (12: a page shared with another process can be felt),
# COLD (20) and PAGEOUT (21: others use the same libraries), COLLAPSE (25), and what poisons memory (100,
# 101). 102 and 103 guard thread stacks (glibc 2.42).
_ADVICE = (0, 1, 2, 3, 4, 8, 9, 10, 11, 14, 15, 16, 17, 18, 19, 22, 23, 102, 103)


def _allowed(*checks: Check) -> Rule:
    return (Case(checks, ALLOW),)


def _always(verdict: int) -> Rule:
    return (Case((), verdict),)


def _mappings(*, shared: bool) -> Rule:
    known = Check(3, (0,), ~_MAP_FLAGS & _LONG, wide=True)
    if shared:
        return _allowed(known)
    private = Case((known, Check(3, (_MAP_PRIVATE,), _MAP_TYPE)), ALLOW)
    of_a_file = Case((known, Check(3, (0,), _MAP_ANONYMOUS)), ALLOW)
    return private, of_a_file


def _openings(flags: int, direct: int) -> Rule:
    return (
        Case((Check(flags, (0,), direct | _O_TRUNC),), ALLOW),
        Case((Check(flags, (_O_WRONLY, _O_RDWR), direct | _O_ACCMODE),), ALLOW),
        *_always(fail(errno.EINVAL)),
    )


def _descriptor_flags(never: int) -> Rule:
    return (
        Case((Check(1, _FCNTL),), ALLOW),
        Case((Check(1, (_F_SETFL,)), Check(2, (0,), never)), ALLOW),
    )


def _plain_vectors() -> Rule:
    # Without flags: RWF_NOWAIT (uio.h) tells what is in the page cache, and so what others have read.
    return (*_allowed(Check(5, (0,))), *_always(fail(errno.EOPNOTSUPP)))


def _kinds(*kinds: int) -> Check:
    return Check(1, kinds, ~(_SOCK_CLOEXEC | _SOCK_NONBLOCK) & _INT)


def _socket_options(names: tuple[int, ...]) -> Rule:
    return _allowed(Check(1, (_SOL_SOCKET,)), Check(2, names))


COMMON_RULES: Final[dict[str, Rule]] = {
    # Itself, as a whole process or one of its threads; reading limits, not setting them.
    "kill": _allowed(Check(0, (OWN,))),
    "tgkill": _allowed(Check(0, (OWN,))),
    "prlimit64": _allowed(Check(0, (0, OWN)), Check(2, (0,), _LONG, wide=True)),
    "clone": _allowed(Check(0, (0,), ~_THREAD_FLAGS & _LONG, wide=True), Check(0, (_THREAD,), _THREAD)),
    # On ENOSYS, and on nothing else, glibc falls back to clone, whose flags can be seen (moby 42680).
    "clone3": _always(fail(errno.ENOSYS)),
    "openat2": _always(fail(errno.ENOSYS)),  # its flags cannot be seen either
    "fcntl": _descriptor_flags(_O_ASYNC),
    "ioctl": _allowed(Check(1, _IOCTLS)),
    # O_CLOEXEC, O_NONBLOCK: no pipe into which the kernel writes notes (O_NOTIFICATION_PIPE).
    "pipe2": _allowed(Check(1, (0,), ~_PIPE_FLAGS & _INT)),
    **dict.fromkeys(
        ("clock_gettime", "clock_getres", "clock_nanosleep"), _allowed(Check(0, (0,), ~_CLOCKS & _INT))
    ),
    "prctl": _allowed(Check(0, _PRCTLS)),
    "madvise": _allowed(Check(2, _ADVICE)),
    # Out-of-band data over AF_UNIX has a history of use after free (CVE-2025-38236) and no user.
    "sendto": _allowed(Check(3, (0,), _MSG_OOB)),
    "sendmsg": _allowed(Check(2, (0,), _MSG_OOB)),
    "recvfrom": _allowed(Check(3, (0,), _MSG_OOB)),
    "recvmsg": _allowed(Check(2, (0,), _MSG_OOB)),
    # These succeed and do nothing: libzmq asserts on the first, onnxruntime logs a failure of the second.
    "sched_setscheduler": _always(fail(0)),
    "sched_setaffinity": _always(fail(0)),
}
"""Rules of both processes, by name."""


# ---- calls whose arguments do not matter -----------------------------------------------------------
def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COMMON: Final = _names("""
    brk munmap mprotect mremap
    futex set_robust_list get_robust_list rseq restart_syscall exit exit_group
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait sigaltstack
    nanosleep gettimeofday time times
    getpid getppid gettid getuid geteuid getgid getegid getresuid getresgid getgroups
    getrlimit getrusage getpriority getcpu getrandom uname sysinfo
    sched_yield sched_getaffinity sched_getscheduler sched_getparam
    sched_get_priority_min sched_get_priority_max
    read write readv writev pread64 close close_range lseek dup
    stat lstat fstat newfstatat statx access faccessat faccessat2 readlink readlinkat getcwd
    getdents getdents64
    pipe select pselect6 poll ppoll eventfd eventfd2
    epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
    getsockname getpeername shutdown
""")
"""Of both processes."""

STRATEGY: Final = COMMON + _names("""
    creat chdir fchdir statfs fstatfs umask
    mkdir mkdirat rmdir link linkat unlink unlinkat rename renameat renameat2
    ftruncate fallocate pwrite64 preadv pwritev dup2 dup3
    futex_waitv set_tid_address pause alarm setitimer getitimer getpgid getpgrp getsid
""")
"""A strategy's: files too, in the folders that mounts and Landlock leave it, and timers."""

WARDEN: Final = (*COMMON, "connect", "wait4")
"""A warden's."""

KILLED: Final = _names("""
    ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp
    mount umount2 pivot_root fsopen fsconfig fsmount fspick move_mount open_tree mount_setattr
    unshare setns
    bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register
    add_key request_key keyctl
    kexec_load kexec_file_load init_module finit_module delete_module
    reboot swapon swapoff acct quotactl iopl ioperm
    clock_settime settimeofday adjtimex clock_adjtime
""")
"""Calls that no library makes by itself: whoever does means harm. pidfd_open is not among them, because
libraries try with it what the kernel can do."""

# x86 asm/unistd.h, __X32_SYSCALL_BIT: the same calls under numbers that a list of numbers does not have.
_X32: Final = 0x40000000
_BEYOND: Final = ((NEWEST + 1, fail(errno.ENOSYS)), (_X32, KILL))


def _policy(
    machine: Machine, names: Iterable[str], rules: Mapping[str, Rule], killed: Iterable[str]
) -> Policy:
    by_name = {
        **dict.fromkeys(killed, _always(KILL)),
        **dict.fromkeys(names, _allowed()),
        **rules,
    }
    numbers = machine.numbers
    found = {numbers[name]: rule for name, rule in by_name.items() if name in numbers}
    return Policy(machine.architecture, found, fail(errno.EPERM), _BEYOND)
