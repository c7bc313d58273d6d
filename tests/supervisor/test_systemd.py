"""One datagram a notice, to whoever systemd says, and never a wait."""

from __future__ import annotations

import os
import socket

from supervisor.systemd import Notifier


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
