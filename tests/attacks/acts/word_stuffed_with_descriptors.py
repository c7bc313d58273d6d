"""Send words that are in order, each with as many descriptors as a datagram carries."""

import array
import socket

from kit import WARDEN

from sandbox import protocol

EXPECT = r"returned:'contained|denied:(ETOOMANYREFS|EAGAIN)"


def attack():
    talk = socket.socket(fileno=WARDEN)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 100))]
    for _ in range(500):
        talk.sendmsg([protocol.encode(protocol.Progress("on_tick"))], rights)
    talk.detach()
    return "contained"
