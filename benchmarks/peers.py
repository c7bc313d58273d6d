"""supervisord and circus as somebody would run them, with children that say when they are up.

Both come from the package index into a venv of their own, in the user's cache folder, made once
(``installed``); the user's own pip configuration says which index. Each is started in the foreground in a
folder of its own with its own defaults, over a Unix socket where it can: only the children, their number and
the places of files are written down.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import venv
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import psutil

PEERS = ("supervisor==4.3.0", "circus==0.19.0")
PATIENCE = 60.0
"""Seconds without what is waited for after which a benchmark gives up."""
CHILD = """
import os, signal, socket, sys
import json, logging  # as little as a real one has
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as up:
    up.sendto(f"{sys.argv[1]} {os.getpid()}".encode(), sys.argv[2])
signal.pause()
"""


class NotInstalled(Exception):
    """The peers cannot be had; the text says why."""


def installed() -> Path:
    """Return the ``bin`` folder of a venv with both, made at the first call; ``NotInstalled``."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "stratd" / "benchmarks" / "-".join(one.replace("==", "-") for one in PEERS)
    done = folder / "done"
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        command = [
            folder / "bin" / "python",
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "-q",
            *PEERS,
        ]
        got = subprocess.run(command, capture_output=True, text=True, check=False)
        if got.returncode != 0:
            why = [line for line in got.stderr.splitlines() if line.startswith("ERROR")]
            raise NotInstalled((why or [f"pip ended with {got.returncode}"])[-1])
        done.touch()
    return folder / "bin"


class Peer(Protocol):
    """A supervisor of processes with children ``child-0`` and so on, ready when ``start`` returns."""

    name: str

    def start(self, count: int) -> None:
        """Start it and wait until every child is up."""

    def kill_child(self, number: int) -> float:
        """Kill a child with SIGKILL; return the seconds until the next one is up."""

    def stop_child(self, number: int) -> float:
        """Return the seconds that its command line takes to stop one."""

    def kill(self) -> list[psutil.Process]:
        """Kill it, with SIGKILL and nothing else; return its children of that moment."""

    def processes(self) -> list[psutil.Process]:
        """Return its own processes, without those of children."""

    def close(self) -> None:
        """End it and whatever is left of its children."""


class Foreign:
    """What both have in common: a daemon, a configuration, and children that say when they are up."""

    name = ""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self.folder = folder
        self.bin = bin_folder
        self._up = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._up.bind(str(folder / "up"))
        self._up.settimeout(PATIENCE)
        self._daemon: subprocess.Popen[bytes] | None = None
        self._pids: dict[str, int] = {}
        (folder / "child.py").write_text(CHILD)

    def command(self, name: str) -> str:
        """Return the command line of a child."""
        return f"{sys.executable} -S -E {self.folder}/child.py {name} {self.folder}/up"

    def serve(self, count: int) -> list[str]:
        """Write the configuration; return the command of the daemon in the foreground."""
        raise NotImplementedError

    def stopping(self, name: str) -> list[str]:
        """Return the command that stops one child."""
        raise NotImplementedError

    def start(self, count: int) -> None:
        """Start it and wait until every child is up."""
        command = self.serve(count)
        with (self.folder / "log").open("wb") as log:
            self._daemon = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        for _ in range(count):
            self._hear()

    def _hear(self) -> str:
        try:
            name, _, pid = self._up.recv(100).decode().partition(" ")
        except TimeoutError:
            log = (self.folder / "log").read_text(errors="replace")[-2000:]
            sys.exit(f"a child of {self.name} is not up:\n{log}")
        self._pids[name] = int(pid)
        return name

    def kill_child(self, number: int) -> float:
        """Kill a child with SIGKILL; return the seconds until the next one is up."""
        name = f"child-{number}"
        began = time.perf_counter()
        psutil.Process(self._pids[name]).kill()
        while self._hear() != name:
            pass
        return time.perf_counter() - began

    def stop_child(self, number: int) -> float:
        """Return the seconds that its command line takes to stop one."""
        began = time.perf_counter()
        subprocess.run(self.stopping(f"child-{number}"), check=True, capture_output=True, cwd=self.folder)
        return time.perf_counter() - began

    def kill(self) -> list[psutil.Process]:
        """Kill it, with SIGKILL and nothing else; return its children of that moment."""
        assert self._daemon is not None  # noqa: S101 - it was started
        below = psutil.Process(self._daemon.pid).children(recursive=True)
        self._daemon.kill()
        self._daemon.wait()
        return below

    def processes(self) -> list[psutil.Process]:
        """Return its own processes, without those of children."""
        assert self._daemon is not None  # noqa: S101 - it was started
        return [psutil.Process(self._daemon.pid)]

    def close(self) -> None:
        """End it and whatever is left of its children."""
        if self._daemon is not None and self._daemon.poll() is None:
            end(self.kill())
        self._up.close()


class Supervisord(Foreign):
    """supervisord(1), and supervisorctl(1)."""

    name = "supervisord"

    def serve(self, count: int) -> list[str]:
        """Write the configuration; return the command of the daemon in the foreground."""
        programs = [f"[program:child-{n}]\ncommand = {self.command(f'child-{n}')}\n" for n in range(count)]
        (self.folder / "supervisord.conf").write_text(f"""\
[unix_http_server]
file = {self.folder}/s.sock
[supervisord]
nodaemon = true
logfile = {self.folder}/supervisord.log
pidfile = {self.folder}/supervisord.pid
childlogdir = {self.folder}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl = unix://{self.folder}/s.sock
{"".join(programs)}""")
        return [str(self.bin / "supervisord"), "-c", str(self.folder / "supervisord.conf")]

    def stopping(self, name: str) -> list[str]:
        """Return the command that stops one child."""
        return [str(self.bin / "supervisorctl"), "-c", str(self.folder / "supervisord.conf"), "stop", name]


class Circus(Foreign):
    """circusd(1), and circusctl(1)."""

    name = "circus"

    def serve(self, count: int) -> list[str]:
        """Write the configuration; return the command of the daemon in the foreground."""
        watchers = [f"[watcher:child-{n}]\ncmd = {self.command(f'child-{n}')}\n" for n in range(count)]
        (self.folder / "circus.ini").write_text(f"""\
[circus]
endpoint = ipc://{self.folder}/c.sock
pubsub_endpoint = ipc://{self.folder}/p.sock
{"".join(watchers)}""")
        return [str(self.bin / "circusd"), str(self.folder / "circus.ini")]

    def stopping(self, name: str) -> list[str]:
        """Return the command that stops one child; it waits, as the others' do."""
        endpoint = f"ipc://{self.folder}/c.sock"
        return [str(self.bin / "circusctl"), "--endpoint", endpoint, "stop", name, "--waiting"]


def end(processes: list[psutil.Process]) -> None:
    """Kill processes that nobody looks after any more."""
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.kill()
