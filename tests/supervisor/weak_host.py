"""Run a command as on a host that lacks layers of the sandbox: its kernel refuses them, to its children too.

``python -m tests.supervisor.weak_host namespaces,landlock COMMAND ARGUMENT...``. A system call filter answers
as such a kernel would, so that what is tried really fails.
"""

from __future__ import annotations

import errno
import os
import sys

from sandbox.confine import credentials, seccomp, syscalls
from sandbox.confine.bpf import ALLOW, Case, Check, Policy, Rule, compile_policy, fail

LANDLOCK_CREATE_RULESET = 444
PR_SET_SECCOMP = 22


def always(number: int) -> Rule:
    return (Case((), fail(number)),)


# Which calls fail, and how, where a layer is not to be had.
REFUSED: dict[str, dict[str, Rule]] = {
    # as Docker's default profile
    "namespaces": {name: always(errno.EPERM) for name in ("unshare", "setns")},
    # as Ubuntu's AppArmor, once an ordinary user has a user namespace
    "mounts": {name: always(errno.EACCES) for name in ("mount", "open_tree", "move_mount", "mount_setattr")},
    # as a kernel that was built with it and booted without it
    "landlock": {"landlock_create_ruleset": always(errno.EOPNOTSUPP)},
    # as a kernel without CONFIG_SECCOMP_FILTER
    "seccomp": {
        "seccomp": always(errno.EINVAL),
        "prctl": (Case((Check(0, (PR_SET_SECCOMP,)),), fail(errno.EINVAL)),),
    },
}


def weaken(layers: list[str]) -> None:
    """Make this process live on a host without ``layers``."""
    machine = syscalls.native()
    numbers = {**machine.numbers, "landlock_create_ruleset": LANDLOCK_CREATE_RULESET}
    rules = {numbers[name]: rule for layer in layers for name, rule in REFUSED[layer].items()}
    policy = Policy(machine.architecture, rules, refusal=ALLOW, foreign=ALLOW)
    credentials.forbid_new_privileges()
    seccomp.load(seccomp.prepare(compile_policy(policy), machine))


if __name__ == "__main__":
    weaken(sys.argv[1].split(","))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606  (that is the job)
