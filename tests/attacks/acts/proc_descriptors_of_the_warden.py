"""Get hold of the warden: a pidfd of it by number or by socket, then a descriptor of its by pidfd_getfd."""

import os
import socket

from kit import WARDEN, all_denied, syscall

EXPECT = r"returned:'denied |killed:SIGSYS"


def attack():
    talk = socket.socket(fileno=os.dup(WARDEN))
    return all_denied(
        parent=lambda: os.pidfd_open(os.getppid()),
        first=lambda: os.pidfd_open(1),
        supervisor=lambda: os.pidfd_open(CTX["supervisor_pid"]),
        by_socket=lambda: talk.getsockopt(socket.SOL_SOCKET, 77),
        who=lambda: talk.getsockopt(socket.SOL_SOCKET, 17, 12),
        groups=lambda: talk.getsockopt(socket.SOL_SOCKET, 59, 64),
        label=lambda: talk.getsockopt(socket.SOL_SOCKET, 31, 64),
        steal=lambda: syscall(438, 0, 3, 0),
    )
