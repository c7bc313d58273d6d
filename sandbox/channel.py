"""AF_UNIX SOCK_SEQPACKET: one message a datagram, bounded by the kernel, descriptors by SCM_RIGHTS.

Used between processes that trust each other (supervisor, zygote, warden). What a strategy sends is read
by plain ``recv``, never here: descriptors that it attaches are then closed by the kernel (unix(7)).
"""

from __future__ import annotations

import array
import contextlib
import errno
import os
import socket
from collections.abc import Sequence

_INT = array.array("i").itemsize


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a new channel, both blocking, neither inherited by an exec."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(channel: socket.socket, payload: bytes, descriptors: Sequence[int] = ()) -> None:
    """Send one datagram with ``descriptors``. ``OSError`` as of sendmsg(2); nothing is sent in part."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    channel.sendmsg([payload], rights, socket.MSG_NOSIGNAL)


def receive(channel: socket.socket, limit: int, descriptors: int = 0) -> tuple[bytes, list[int]]:
    """Receive one datagram of at most ``limit`` bytes and at most ``descriptors`` descriptors.

    ``EOFError`` once the other end is closed. A datagram that was cut is an ``OSError`` (EMSGSIZE).
    """
    room = socket.CMSG_SPACE(descriptors * _INT) if descriptors else 0
    try:
        payload, ancillary, flags, _ = channel.recvmsg(limit, room, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:  # it went away without reading everything
        raise EOFError from None
    return payload, _came_whole(len(payload), limit, ancillary, flags)


def receive_into(channel: socket.socket, buffer: bytearray, descriptors: int) -> tuple[int, list[int]]:
    """Receive one datagram into ``buffer``, and only there; return its size and its descriptors.

    As ``receive``: ``EOFError``, and EMSGSIZE for what was cut.
    """
    room = socket.CMSG_SPACE(descriptors * _INT)
    try:
        size, ancillary, flags, _ = channel.recvmsg_into([buffer], room, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        raise EOFError from None
    return size, _came_whole(size, len(buffer), ancillary, flags)


def _came_whole(size: int, limit: int, ancillary: list[tuple[int, int, bytes]], flags: int) -> list[int]:
    """Return the descriptors of a datagram; close them and raise if it was cut, or is the end."""
    received = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            received.frombytes(data[: len(data) - len(data) % _INT])
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        close_all(received)
        raise OSError(errno.EMSGSIZE, f"a datagram of over {limit} bytes, or its descriptors, was cut")
    if not size:
        close_all(received)
        raise EOFError
    return list(received)


def close_all(descriptors: Sequence[int]) -> None:
    """Close descriptors; one that is closed already is fine."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
