"""Put a socket of its own in the place of the one to the warden, so that it talks to itself."""

import os
import socket

from kit import WARDEN

EXPECT = r"returned:'contained|killed|timeout|exit"


def attack():
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    globals()["kept"] = other
    os.dup2(one.fileno(), WARDEN)
    return "contained"
