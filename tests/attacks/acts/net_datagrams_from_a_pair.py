"""Send datagrams to sockets of others from a pair of its own: sendto(2) takes an address, whoever is connected."""

import socket

EXPECT = r"returned:'denied |denied:EPERM"


def attack():
    from kit import all_denied

    calls = {}
    targets = [
        CTX["victim_sock"],
        CTX["forkserver"],
        "\0" + CTX["abstract"],
        "/dev/log",
        "/run/systemd/notify",
    ]
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            one, other = socket.socketpair(socket.AF_UNIX, kind)
        except OSError:
            calls[f"pair{kind}"] = lambda k=kind: socket.socketpair(socket.AF_UNIX, k)
            continue
        globals().setdefault("kept", []).append(other)
        for number, target in enumerate(targets):
            calls[f"to{kind}{number}"] = lambda o=one, t=target: o.sendto(b"forged", t)
            calls[f"msg{kind}{number}"] = lambda o=one, t=target: o.sendmsg([b"forged"], [], 0, t)
        # Nothing listens for datagrams at some of them: whoever may send at all reaches the ones that do.
        calls[f"datagram{kind}"] = lambda o=one: o.sendto(b"forged", CTX["dgram"])
    return all_denied(**calls)
