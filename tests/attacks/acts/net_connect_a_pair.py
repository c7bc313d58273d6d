"""Connect, bind and listen with the sockets that may be had."""

import socket

from kit import all_denied

EXPECT = r"returned:'denied "


def attack():
    one, other = socket.socketpair()
    return all_denied(
        connect=lambda: one.connect(CTX["victim_sock"]),
        abstract=lambda: other.connect("\0" + CTX["abstract"]),
        tcp=lambda: socket.create_connection(("127.0.0.1", CTX["tcp_port"]), 1),
        bind=lambda: one.bind("/tmp/mine"),
        autobind=lambda: one.bind(""),
        listen=lambda: one.listen(),
        accept=lambda: one.accept(),
        server=lambda: socket.create_server(("127.0.0.1", 0)),
        udp=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(
            b"x", ("127.0.0.1", CTX["udp_port"])
        ),
        inet_pair=lambda: socket.socketpair(socket.AF_INET),
    )
