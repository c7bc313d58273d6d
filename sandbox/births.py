"""What supervisor and zygote say to each other: a birth is asked for, happens, and ends.

The request holds nothing of the deployment: the specification, with its token, waits in the cell's own
control socket, whose other end travels with the request. So the zygote never holds a secret, and no
later cell can find an earlier one's in the memory that it inherits.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import Struct

DATAGRAM = 4096
"""Largest message in bytes."""


class Spawn(Struct, array_like=True, frozen=True, tag=1):
    """Fork a warden. One descriptor comes with it: the warden's end of its control channel."""

    request: int


class Awake(Struct, array_like=True, frozen=True, tag=1):
    """Everything is imported and frozen."""

    modules: int


class Forked(Struct, array_like=True, frozen=True, tag=2):
    """The warden of ``request`` lives. Its pidfd comes with this datagram."""

    request: int
    pid: int


class NotForked(Struct, array_like=True, frozen=True, tag=3):
    """The kernel refused to fork: ``reason`` is its text."""

    request: int
    reason: str


class Exited(Struct, array_like=True, frozen=True, tag=4):
    """A warden was reaped: its exit code, or minus the signal that ended it (as in ``subprocess``)."""

    pid: int
    code: int


ZygoteReport: TypeAlias = Awake | Forked | NotForked | Exited

encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(Spawn).decode
decode_report = msgspec.msgpack.Decoder(ZygoteReport).decode
