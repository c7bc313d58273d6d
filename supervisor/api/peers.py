"""Who is at the other end of the Unix socket, and whether it may be there.

The mode of the socket's folder keeps others out already. This is the second lock, for a folder that was
opened by mistake: the kernel says who connected (unix(7), SO_PEERCRED), and nothing is read before.
"""

from __future__ import annotations

import array
import errno
import os
import pwd
import socket
import struct
from dataclasses import dataclass

SO_PEERGROUPS = 59
"""Supplementary groups of the peer (linux/include/uapi/asm-generic/socket.h); Python has no name for it."""
MOST_BYTES = 1024
"""The longest answer that Python's getsockopt takes: 256 groups."""


@dataclass(frozen=True)
class Peer:
    """A process that connected: its pid, user, group, and supplementary groups."""

    pid: int
    uid: int
    gid: int
    groups: tuple[int, ...] = ()


@dataclass(frozen=True)
class Admission:
    """Who may use the socket: root, the daemon's own user, and the members of one group if it is set."""

    uid: int
    gid: int | None = None

    def admits(self, peer: Peer) -> bool:
        """Whether ``peer`` may."""
        return self.owns(peer) or (self.gid is not None and self.gid in (peer.gid, *peer.groups))

    def owns(self, peer: Peer) -> bool:
        """Whether ``peer`` could do to the daemon whatever it likes: root, or the daemon's own user."""
        return peer.uid in (0, self.uid)


def name_of(peer: Peer) -> str:
    """Return the name of a peer's user, for records; its number where nobody knows a name."""
    try:
        return pwd.getpwuid(peer.uid).pw_name
    except KeyError:
        return f"uid {peer.uid}"


def peer_of(connection: socket.socket) -> Peer:
    """Return who connected to ``connection``, as the kernel noted it at that moment."""
    pid, uid, gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return Peer(pid, uid, gid, _groups(connection, uid, gid))


def _groups(connection: socket.socket, uid: int, gid: int) -> tuple[int, ...]:
    groups = array.array("I")
    try:
        groups.frombytes(connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, MOST_BYTES))
    except OSError as error:
        if error.errno != errno.ERANGE:
            raise
        # A user of more groups than fit: ask the group database, which says what a new login would have.
        return tuple(os.getgrouplist(pwd.getpwuid(uid).pw_name, gid))
    return tuple(groups)
