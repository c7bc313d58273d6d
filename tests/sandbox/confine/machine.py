"""The classic BPF machine as the kernel has it (filter.rst), and policies evaluated without it."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from sandbox.confine.bpf import Check, Later, Policy, Program

SECCOMP_DATA = struct.Struct("<iIQ6Q")


def run(
    program: Program, architecture: int, number: int, arguments: Sequence[int], pids: Mapping[str, int]
) -> int:
    """Run ``program`` over one system call and return its verdict; it does nothing that is not checked."""
    code = bytearray(program.code)
    for offset, name in program.slots:
        struct.pack_into("=I", code, offset, pids[name])
    instructions = list(struct.iter_unpack("=HBBI", code))
    signed = number - 2**32 if number >= 2**31 else number
    data = SECCOMP_DATA.pack(signed, architecture, 0xDEAD_BEEF, *arguments)
    accumulator, at = 0, 0
    while True:
        op, if_true, if_false, k = instructions[at]
        at += 1
        match op:
            case 0x20:  # LD | W | ABS
                assert k % 4 == 0
                (accumulator,) = struct.unpack_from("<I", data, k)
            case 0x54:  # ALU | AND | K
                accumulator &= k
            case 0x05:  # JMP | JA
                at += k
            case 0x15 | 0x35 | 0x45:  # JMP | JEQ, JGE, JSET | K
                holds = {0x15: accumulator == k, 0x35: accumulator >= k, 0x45: bool(accumulator & k)}[op]
                at += if_true if holds else if_false
            case 0x06:  # RET | K
                return k
            case _:
                raise AssertionError(f"instruction {op:#x} is none that a filter may have")


def judge(
    policy: Policy, architecture: int, number: int, arguments: Sequence[int], pids: Mapping[str, int]
) -> int:
    """Return the verdict that ``policy`` means."""
    if architecture != policy.architecture:
        return policy.foreign
    for first, verdict in reversed(policy.beyond):
        if number >= first:
            return verdict
    for case in policy.rules.get(number, ()):
        if all(holds(check, arguments, pids) for check in case.checks):
            return case.verdict
    return policy.refusal


def holds(check: Check, arguments: Sequence[int], pids: Mapping[str, int]) -> bool:
    value = arguments[check.argument] & check.mask
    if not check.wide:
        value &= 0xFFFFFFFF
    return value in {pids[v.name] if isinstance(v, Later) else v for v in check.values}
