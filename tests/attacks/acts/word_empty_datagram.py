"""A datagram without a byte, which reads like the end of a connection."""

import socket
import time

from kit import WARDEN

EXPECT = r"killed:SIGKILL protocol|returned:'contained"


def attack():
    socket.socket(fileno=WARDEN).send(b"")
    time.sleep(0.3)
    return "contained"
