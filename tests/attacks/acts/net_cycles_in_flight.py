"""Send sockets through themselves, so that only the kernel's collector of cycles can free them."""

import array
import socket

EXPECT = r"returned:'contained|denied:(ETOOMANYREFS|EMFILE)"


def attack():
    for _ in range(300):
        one, other = socket.socketpair()
        for way, what in ((one, other), (other, one)):
            rights = array.array("i", [what.fileno(), way.fileno()])
            way.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        one.close()
        other.close()
    return "contained"
