"""Put as many descriptors in flight as the kernel takes: it counts them by user, and others need theirs."""

import array
import socket
import time

EXPECT = r"returned:'contained|denied:(ETOOMANYREFS|EMFILE|EAGAIN)"


def attack():
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(20)]
    stuffed = 0
    for one, _ in pairs:
        one.setblocking(False)
        while True:
            try:
                one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 253))])
                stuffed += 253
            except OSError:
                break
    time.sleep(0.5)  # while other cells are born, whose pidfds travel the same way
    return f"contained, {stuffed} in flight"
