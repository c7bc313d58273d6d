"""One datagram a notice, to whoever systemd says, and never a wait."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from supervisor.systemd import Notifier, inherited_sockets


def test_a_notice_is_one_datagram_and_the_variables_are_taken_away(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        environ = {
            "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "10000000",
            "WATCHDOG_PID": str(os.getpid()), "PATH": "/bin",
        }  # fmt: skip
        notifier = Notifier(environ)
        assert (notifier.watchdog, environ) == (10.0, {"PATH": "/bin"})
        notifier.say("READY=1", "STATUS=up")
        assert systemd.recv(100) == b"READY=1\nSTATUS=up"


def test_an_abstract_name_begins_with_a_zero():
    name = f"stratd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{name}")
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).say("STOPPING=1")
        assert systemd.recv(100) == b"STOPPING=1"


def test_without_systemd_or_with_a_full_queue_nothing_happens(tmp_path):
    Notifier({}).say("READY=1")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "absent")}).say("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "deaf")})
        for _ in range(1000):
            notifier.say("WATCHDOG=1")


def test_a_watchdog_meant_for_another_process_is_not_ours():
    assert Notifier({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}).watchdog is None
    assert Notifier({"WATCHDOG_USEC": "soon"}).watchdog is None


# ---- sockets that systemd opened --------------------------------------------------------------------
# What systemd does between fork and exec (sd_listen_fds(3)): descriptors from 3 on, and who they are for.
STARTED = """
import json, os, socket, sys
for at, number in enumerate(map(int, sys.argv[2:])):
    os.dup2(number, 100 + at)
for at in range(len(sys.argv) - 2):
    os.dup2(100 + at, 3 + at)
    os.close(100 + at)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(sys.argv) - 2)}
os.environ["LISTEN_FDNAMES"] = sys.argv[1]
from supervisor.systemd import inherited_sockets
try:
    found = inherited_sockets()
except ValueError as error:
    print(json.dumps(str(error)))
else:
    told = {name: [int(one.family), one.fileno(), one.get_inheritable()] for name, one in found.items()}
    print(json.dumps([told, sorted(name for name in os.environ if name.startswith("LISTEN_"))]))
"""


def started(names: str, *given: socket.socket) -> object:
    numbers = [one.fileno() for one in given]
    command = [sys.executable, "-P", "-c", STARTED, names, *map(str, numbers)]
    return json.loads(subprocess.run(command, pass_fds=numbers, capture_output=True, check=True).stdout)


@pytest.mark.system
def test_sockets_that_systemd_opened_are_taken_by_name_and_given_to_no_child(tmp_path):
    with socket.socket(socket.AF_UNIX) as api, socket.socket() as http:
        api.bind(str(tmp_path / "api.sock"))
        http.bind(("127.0.0.1", 0))
        api.listen()
        http.listen()
        expected = {"api": [socket.AF_UNIX, 3, False], "http": [socket.AF_INET, 4, False]}
        assert started("api:http", api, http) == [expected, []]


@pytest.mark.system
def test_what_is_no_listening_socket_is_one_line(tmp_path):
    with socket.socket() as idle, (tmp_path / "file").open("w") as file:
        assert started("http", idle) == "descriptor 'http' of systemd is no listening stream socket"
        assert started("http", file).startswith("descriptor 'http' of systemd is no socket: ")


def test_sockets_for_another_process_are_left_alone():
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b", "PATH": "/bin"}
    assert (inherited_sockets(environ), environ) == ({}, {"PATH": "/bin"})
