"""Fill as many socket pairs as there can be, in both directions, by datagrams of one byte that take most."""

import socket

EXPECT = r"denied:EMFILE"


def attack():
    kept = []
    while True:
        pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        kept.append(pair)
        for end in pair:
            end.setblocking(False)
            try:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 20)
            except OSError:
                pass
            else:
                return "ESCAPED: a socket may send 64 MiB"
            try:
                while True:
                    end.send(b"x")
            except BlockingIOError:
                continue
