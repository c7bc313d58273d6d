"""Take memory, timestamps and filters by the options of a socket that may be had."""

import socket

from kit import WARDEN, all_denied, syscall

EXPECT = r"returned:'denied "


def attack():
    one, _ = socket.socketpair()
    warden = socket.socket(fileno=WARDEN)
    return all_denied(
        send=lambda: one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30),
        force=lambda: warden.setsockopt(socket.SOL_SOCKET, 32, 1 << 30),
        filter=lambda: one.setsockopt(socket.SOL_SOCKET, 26, bytes(16)),
        credentials=lambda: warden.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1),
        peek=lambda: one.setsockopt(socket.SOL_SOCKET, 42, 1),
        interfaces=lambda: syscall(16, one.fileno(), 0x8912, bytes(40)),
        owner=lambda: syscall(16, one.fileno(), 0x8901, (1).to_bytes(4, "little")),
        oob=lambda: one.send(b"x", socket.MSG_OOB),
        detach=lambda: warden.detach() and syscall(54, 3, 1, 7, bytes(4), 4),
    )
