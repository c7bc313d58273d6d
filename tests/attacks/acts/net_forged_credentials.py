"""Claim another process id and user towards the warden, as the kernel would pass them on."""

import os
import socket
import struct

from kit import WARDEN, all_denied

EXPECT = r"returned:'denied |killed:SIGKILL protocol"


def attack():
    talk = socket.socket(fileno=os.dup(WARDEN))

    def claim(pid, uid):
        ids = struct.pack("3i", pid, uid, uid)
        talk.sendmsg([b"\x92\x03\xa7on_tick"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, ids)])

    return all_denied(
        root=lambda: claim(1, 0),
        supervisor=lambda: claim(CTX["supervisor_pid"], os.getuid()),
        other=lambda: claim(CTX["victim_pid"], 0),
    )
