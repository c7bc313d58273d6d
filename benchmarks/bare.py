"""The yardstick: the same 0MQ hops with nothing in them, each process a loop of recv and send.

    publisher PUB -> SUB hub PUB -> SUB child PUSH -> PULL collector

No codec, no validation, no cell, no journal. Every role is a process of its own (``python bare.py ROLE
FOLDER PARENT``), started by the benchmark that measures against it, on ipc sockets in a folder of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from array import array
from pathlib import Path

import zmq

from sandbox.confine.process import die_with_parent


def socket(kind: int, **options: int) -> zmq.Socket[bytes]:
    """Make one socket with unbounded queues: a benchmark must not measure loss."""
    made = zmq.Context.instance().socket(kind)
    for option in (zmq.SNDHWM, zmq.RCVHWM):
        made.setsockopt(option, 0)
    made.setsockopt(zmq.LINGER, 0)
    for name, value in options.items():
        made.setsockopt(getattr(zmq, name), value)
    return made


def hub(folder: Path) -> None:
    """SUB in, PUB out, two frames as they come; until killed."""
    source, sink = socket(zmq.SUB), socket(zmq.PUB)
    source.subscribe(b"")
    sink.bind(f"ipc://{folder}/out")
    source.connect(f"ipc://{folder}/in")
    receive, send = source.recv_multipart, sink.send_multipart
    while True:
        send(receive())


def child(folder: Path) -> None:
    """SUB in, PUSH out: what comes in goes out."""
    source, sink = socket(zmq.SUB), socket(zmq.PUSH)
    source.subscribe(b"")
    source.connect(f"ipc://{folder}/out")
    sink.connect(f"ipc://{folder}/back")
    receive, send = source.recv_multipart, sink.send
    while True:
        send(receive()[1])


def counter(folder: Path) -> None:
    """SUB in; reports the time of the first and last message and the count at the end marker."""
    source, sink = socket(zmq.SUB), socket(zmq.PUSH)
    source.subscribe(b"")
    source.connect(f"ipc://{folder}/out")
    sink.connect(f"ipc://{folder}/back")
    sink.send(b"up")
    receive, count = source.recv_multipart, 0
    while True:
        payload = receive()[1]
        if payload == b"end":
            sink.send(b"%d %d" % (count, time.monotonic_ns()))
            count = 0
        else:
            count += 1


def collector(folder: Path) -> None:
    """PULL: notes how old each message is when it arrives; ``end`` sends the ages of the burst back."""
    source, sink = socket(zmq.PULL), socket(zmq.PUSH)
    source.bind(f"ipc://{folder}/back")
    sink.connect(f"ipc://{folder}/ages")
    sink.send(b"up")
    receive, now, ages = source.recv, time.time_ns, array("q")
    while True:
        payload = receive()
        if payload == b"end":
            sink.send(ages.tobytes())
            ages = array("q")
        else:
            ages.append(now() - int.from_bytes(payload[:8], "little"))


def start(role: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start one role as a process that ends with this one."""
    return subprocess.Popen([sys.executable, __file__, role, str(folder), str(os.getpid())])


if __name__ == "__main__":
    die_with_parent(int(sys.argv[3]))
    {"hub": hub, "child": child, "counter": counter, "collector": collector}[sys.argv[1]](Path(sys.argv[2]))
