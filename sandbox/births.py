"""What supervisor and zygote say to each other: a birth is asked for, happens, and ends.

The request holds nothing of the deployment: the specification, with its token, waits in the cell's own
control socket, whose other end travels with the request. So the zygote never holds a secret, and no
later cell can find an earlier one's in the memory that it inherits.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import Struct

from sandbox.confine.survey import Setting

DATAGRAM = 16 * 1024
"""Largest message in bytes: three paths (PATH_MAX is 4096) and their envelope."""
NUMBER = 8
"""Bytes before the encoded ``Spawn``: the number of the request, all that the zygote itself reads."""
DESCRIPTORS = 9
"""Most descriptors of one request: the control channel, and a group for each hierarchy of cgroup v1."""


class Ground(Struct, array_like=True, frozen=True):
    """First message to a zygote: what its cells are confined by, as the survey found it.

    ``layers`` are the names of those to apply; ``root`` is an empty folder for the root to be mounted on.
    """

    setting: Setting
    layers: list[str]
    root: str


class Spawn(Struct, array_like=True, frozen=True, tag=1):
    """Fork a warden. The warden's end of its control channel comes with it, then the groups to join.

    ``code`` is a folder or file, ``packages`` a folder or "", ``bus`` the folder of the engine's sockets, all
    paths of the host; ``scratch`` bytes. The two uids are 0 where neither process changes its own. ``tasks``
    are the most that the strategy may have in a user namespace that it makes for that, 0 where it makes none.
    """

    request: int
    code: str
    packages: str
    bus: str
    scratch: int
    warden_uid: int
    strategy_uid: int
    tasks: int

    @property
    def counted(self) -> bool:
        """Whether the kernel counts its tasks apart from those of others (``confine.limits``)."""
        return bool(self.strategy_uid or self.tasks)


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
decode_ground = msgspec.msgpack.Decoder(Ground).decode
_decode_request = msgspec.msgpack.Decoder(Spawn).decode
decode_report = msgspec.msgpack.Decoder(ZygoteReport).decode


def encode_request(cell: Spawn) -> bytes:
    """Return a request as it is sent: its number, then what only the cell reads."""
    return cell.request.to_bytes(NUMBER, "little") + encode(cell)


def number_of(request: bytearray) -> int:
    """Return the number of a request, without decoding it."""
    return int.from_bytes(request[:NUMBER], "little")


def decode_request(request: bytearray | bytes) -> Spawn:
    """Decode a request; in the cell, so that no trace of it stays in the zygote, whom later cells inherit."""
    cell: Spawn = _decode_request(memoryview(request)[NUMBER:])
    return cell
