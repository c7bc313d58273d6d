"""Shut down one direction of the socket, then the other."""

import socket
import time

from kit import WARDEN

EXPECT = r"returned:'contained|killed|exit|denied"


def attack():
    talk = socket.socket(fileno=WARDEN)
    talk.shutdown(socket.SHUT_WR)
    time.sleep(0.2)
    talk.shutdown(socket.SHUT_RDWR)
    return "contained"
