"""System call filters, seccomp(2): compiled once in the zygote, loaded by each child, for good.

What is allowed is in ``policies``, the compiler in ``bpf``. What this layer alone holds: no socket but the
pair (a warden: AF_UNIX streams), no exec, no fork, no second pid to signal, limit or trace, no mount, no key,
no call that is not on the list. What it cannot see: paths, addresses, and what is in a message.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import Final, NamedTuple

from sandbox.confine import policies, syscalls
from sandbox.confine.bpf import Program, compile_policy

_libc = ctypes.CDLL(None, use_errno=True)
_SECCOMP_SET_MODE_FILTER: Final = 1  # linux/seccomp.h
_SECCOMP_FILTER_FLAG_TSYNC: Final = 1
_FPROG = struct.Struct("@HP")  # struct sock_fprog { unsigned short len; struct sock_filter *filter; }


class Filter(NamedTuple):
    """A program with all that loading it takes: made in the zygote, so that a child copies few pages."""

    program: Program
    code: ctypes.Array[ctypes.c_char]
    head: ctypes.Array[ctypes.c_char]
    arguments: tuple[object, ...]


def strategy_policy(*, shared_memory: bool, kill: bool = False) -> Filter:
    """Return the filter of a strategy process. ``OSError`` (ENOSYS) on a machine that has no table.

    ``shared_memory`` allows anonymous shared mappings, which no rlimit counts: only where a memory cgroup
    does. ``kill`` ends a process that makes one of ``policies.KILLED`` by SIGSYS instead of refusing it.
    """
    machine = syscalls.native()
    policy = policies.strategy(machine, shared_memory=shared_memory, kill=kill)
    return prepare(compile_policy(policy), machine)


def warden_policy(*, kill: bool = False) -> Filter:
    """Return the filter of a warden, to be loaded once it has forked its strategy and opened its pidfd."""
    machine = syscalls.native()
    return prepare(compile_policy(policies.warden(machine, kill=kill)), machine)


def prepare(program: Program, machine: syscalls.Machine) -> Filter:
    """Return ``program`` ready to be loaded on ``machine``."""
    code = ctypes.create_string_buffer(program.code, len(program.code))
    head = ctypes.create_string_buffer(_FPROG.pack(program.instructions, ctypes.addressof(code)), _FPROG.size)
    arguments = (
        ctypes.c_long(machine.numbers["seccomp"]),
        ctypes.c_uint(_SECCOMP_SET_MODE_FILTER),
        # Every thread, whoever started one: a filter that only its caller has would be none.
        ctypes.c_uint(_SECCOMP_FILTER_FLAG_TSYNC),
        ctypes.byref(head),
    )
    return Filter(program, code, head, arguments)


def load(filter_: Filter) -> None:
    """Filter every thread of this process. Needs NO_NEW_PRIVS, or CAP_SYS_ADMIN.

    The pid of the program becomes that of the caller. ``OSError`` says why not, and then nothing is filtered.
    """
    pid = os.getpid()
    for offset, _ in filter_.program.slots:  # of policies.OWN, the one number that is known only now
        struct.pack_into("=I", filter_.code, offset, pid)
    refused = _libc.syscall(*filter_.arguments)
    if refused < 0:
        number = ctypes.get_errno()
        size = filter_.program.instructions
        raise OSError(number, f"seccomp filter of {size} instructions: {os.strerror(number)}")
    if refused > 0:  # what TSYNC answers: the thread that is in the way
        raise OSError(errno.EBUSY, f"seccomp filter: thread {refused} has one that its caller has not")
