"""A compiler of seccomp policies into classic BPF: what is allowed as data, one program out of it. Pure.

Sources: seccomp(2), Documentation/networking/filter.rst (the machine), linux/seccomp.h, linux/bpf_common.h.

A program is a search tree over the number of the system call whose leaves are verdicts or checks of
arguments. Numbers that are allowed whatever their arguments end in a verdict after number and architecture
alone: since Linux 5.11 the kernel finds those at load, and then never runs the program for them.

Our own compiler instead of libseccomp: what it must do fits on two screens and is tested against the policy
itself, and a library that a wheel brings, or that a host lacks, has no place in the zygote.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

# ---- verdicts (linux/seccomp.h) --------------------------------------------------------------------
ALLOW: Final = 0x7FFF0000
KILL: Final = 0x80000000
"""SECCOMP_RET_KILL_PROCESS: the whole process ends as if by SIGSYS."""
_ERRNO: Final = 0x00050000


def fail(number: int) -> int:
    """Return the verdict that fails a call with errno ``number``; with 0 it succeeds and does nothing."""
    return _ERRNO | number


# ---- policies --------------------------------------------------------------------------------------
class Later(NamedTuple):
    """A number that is known only when the program is loaded: a pid, say."""

    name: str


class Check(NamedTuple):
    """Holds when ``argument & mask`` is one of ``values`` (each below 2**32).

    Without ``wide`` only the low 32 bits are looked at, which is what the kernel takes of an int, a pid or
    an unsigned int whatever the caller left above them. With it the high ones (under the mask) must be 0.
    """

    argument: int
    values: tuple[int | Later, ...]
    mask: int = 0xFFFFFFFF
    wide: bool = False


class Case(NamedTuple):
    """A verdict for the calls for which every check holds."""

    checks: tuple[Check, ...]
    verdict: int


Rule: TypeAlias = tuple[Case, ...]
"""Cases of one system call: the first that holds decides; where none does, ``Policy.refusal``."""


class Policy(NamedTuple):
    """What each system call of one architecture gets.

    ``rules`` are by number. ``beyond`` lists (first number, verdict) of ranges that end the table, such as
    calls newer than it. Any other architecture is answered with ``foreign``.
    """

    architecture: int
    rules: Mapping[int, Rule]
    refusal: int
    beyond: Sequence[tuple[int, int]] = ()
    foreign: int = KILL


class Program(NamedTuple):
    """Instructions as the kernel takes them, and where the numbers go that are not known yet."""

    code: bytes
    slots: tuple[tuple[int, str], ...]
    """(offset in ``code`` of 4 bytes, name of the ``Later``)."""

    @property
    def instructions(self) -> int:
        """How many instructions it has."""
        return len(self.code) // _SIZE


# ---- the machine (linux/bpf_common.h, linux/filter.h) ----------------------------------------------
_INSTRUCTION = struct.Struct("=HBBI")  # struct sock_filter: code, jump if true, jump if false, k
_SIZE = _INSTRUCTION.size
_K = 4  # where k is
_MOST = 4096  # BPF_MAXINSNS
_LOAD = 0x20  # A = the 32-bit word at byte k of struct seccomp_data
_AND = 0x54  # A &= k
_JUMP = 0x05  # by k
_IF_EQUAL = 0x15
_IF_AT_LEAST = 0x35
_IF_ANY_BIT = 0x45
_RETURN = 0x06
_FAR = 255  # furthest conditional jump
# struct seccomp_data { int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]; }, little-endian
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_WORD = 0xFFFFFFFF

_Piece: TypeAlias = tuple[int, int]


class _Writer:
    """Writes a program from its last instruction to its first.

    Jumps only go forward, so whatever an instruction leads to is written already. A label is the place of
    an instruction counted from the end. What was written once and is in reach is not written again.
    """

    def __init__(self) -> None:
        self._backward: list[tuple[int, int, int, int]] = []
        self._slots: list[tuple[int, str]] = []
        self._written: dict[tuple[object, ...], int] = {}

    def verdict(self, value: int) -> int:
        """Return the label of an instruction that returns ``value``."""
        key = (_RETURN, value)
        known = self._in_reach(key)
        return self._write(key, _RETURN, 0, 0, value) if known is None else known

    def branch(self, test: int, k: int | Later, yes: int, no: int) -> int:
        """Return the label of an instruction that compares A with ``k``."""
        if yes == no:
            return yes
        key = (test, k, yes, no)
        if (known := self._in_reach(key)) is not None:
            return known
        yes, no = self._near(yes), self._near(no)
        here = len(self._backward)
        if isinstance(k, Later):
            self._slots.append((here, k.name))
        return self._write(key, test, here - yes - 1, here - no - 1, 0 if isinstance(k, Later) else k)

    def before(self, op: int, k: int, then: int) -> int:
        """Return the label of an instruction that does ``op`` and goes on at ``then``."""
        key = (op, k, then)
        if (known := self._in_reach(key)) is not None:
            return known
        if then != len(self._backward) - 1:  # it does not follow by itself
            self._write(("to", then), _JUMP, 0, 0, len(self._backward) - then - 1)
        return self._write(key, op, 0, 0, k)

    def finish(self) -> Program:
        """Return the program, which begins with what was written last."""
        count = len(self._backward)
        if count > _MOST:
            raise ValueError(f"a program of {count} instructions: the kernel takes {_MOST} at most")
        code = b"".join(_INSTRUCTION.pack(*one) for one in reversed(self._backward))
        return Program(code, tuple(((count - 1 - place) * _SIZE + _K, name) for place, name in self._slots))

    def _near(self, label: int) -> int:
        """Return a label that leads to ``label`` and is in reach of the next two instructions."""
        if len(self._backward) - label < _FAR:
            return label
        key = ("to", label)
        if (known := self._in_reach(key)) is not None:
            return known
        return self._write(key, _JUMP, 0, 0, len(self._backward) - label - 1)

    def _in_reach(self, key: tuple[object, ...]) -> int | None:
        label = self._written.get(key)
        return label if label is not None and len(self._backward) - label < _FAR else None

    def _write(self, key: tuple[object, ...], op: int, yes: int, no: int, k: int) -> int:
        self._backward.append((op, yes, no, k))
        self._written[key] = label = len(self._backward) - 1
        return label


def compile_policy(policy: Policy) -> Program:
    """Return the program of ``policy``. ``ValueError`` if it cannot be said in classic BPF."""
    out = _Writer()
    tree = _search(out, _pieces(out, policy))
    numbers = out.before(_LOAD, _NUMBER, tree)
    known = out.branch(_IF_EQUAL, policy.architecture, numbers, out.verdict(policy.foreign))
    out.before(_LOAD, _ARCHITECTURE, known)
    return out.finish()


def _pieces(out: _Writer, policy: Policy) -> list[_Piece]:
    """Return (first number, label of what decides), ascending from 0: what holds until the next one."""
    refusal = out.verdict(policy.refusal)
    labels = {number: _decide(out, rule, refusal) for number, rule in sorted(policy.rules.items())}
    pieces = [(0, refusal)]
    for number, label in sorted(labels.items()):
        _begin(pieces, number, label)
        _begin(pieces, number + 1, refusal)
    for first, verdict in policy.beyond:
        if first < pieces[-1][0]:
            raise ValueError(f"a range from {first} would cover rules: the last begins at {pieces[-1][0]}")
        _begin(pieces, first, out.verdict(verdict))
    return pieces


def _begin(pieces: list[_Piece], first: int, label: int) -> None:
    if pieces[-1][0] == first:
        pieces.pop()
    if not pieces or pieces[-1][1] != label:
        pieces.append((first, label))


def _search(out: _Writer, pieces: Sequence[_Piece]) -> int:
    """Return the label of a search tree for A over ``pieces``."""
    if len(pieces) == 1:
        return pieces[0][1]
    middle = len(pieces) // 2
    above = _search(out, pieces[middle:])
    below = _search(out, pieces[:middle])
    return out.branch(_IF_AT_LEAST, pieces[middle][0], above, below)


def _decide(out: _Writer, rule: Rule, refusal: int) -> int:
    label = refusal
    for case in reversed(rule):
        otherwise, label = label, out.verdict(case.verdict)
        for check in reversed(case.checks):
            label = _check(out, check, label, otherwise)
    return label


def _check(out: _Writer, check: Check, yes: int, no: int) -> int:
    low = _ARGUMENTS + 8 * check.argument
    mask = check.mask & _WORD
    if check.values == (0,):
        label = out.branch(_IF_ANY_BIT, mask, no, yes)
    else:
        label = _member(out, check.values, yes, no)
        if mask != _WORD:
            label = out.before(_AND, mask, label)
    label = out.before(_LOAD, low, label)
    if check.wide and (high := check.mask >> 32):
        label = out.before(_LOAD, low + 4, out.branch(_IF_ANY_BIT, high, no, label))
    return label


def _member(out: _Writer, values: Sequence[int | Later], yes: int, no: int) -> int:
    """Return the label of a test whether A is one of ``values``."""
    known = sorted({value for value in values if not isinstance(value, Later)})
    if known and not 0 <= known[0] <= known[-1] <= _WORD:
        raise ValueError(f"values {known} of a check: each must be in 0..{_WORD}")
    label = no
    if len(known) > 4:
        pieces = [(0, no)]
        for value in known:
            _begin(pieces, value, yes)
            if value < _WORD:
                _begin(pieces, value + 1, no)
        label = _search(out, pieces)
    else:
        for value in reversed(known):
            label = out.branch(_IF_EQUAL, value, yes, label)
    for later in (value for value in values if isinstance(value, Later)):
        label = out.branch(_IF_EQUAL, later, yes, label)
    return label
