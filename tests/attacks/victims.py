"""Whom the acts are aimed at: a daemon's files and listeners, and whether anything reached them."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

PRIVATE = "what no strategy may read: "


class Victims:
    """Files and sockets in ``folder`` as a daemon has them. ``context`` is the ``CTX`` of the acts."""

    def __init__(self, folder: Path, secret: str) -> None:
        self._secret = secret
        self._folder = folder
        self._files = {
            "config": folder / "stratd.toml",
            "other_code": folder / "other" / "strategy.py",
            "other_state": folder / "other" / "state.bin",
        }
        for name, path in self._files.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"# {PRIVATE}{name} {secret}\n")
        self._abstract = f"\0victim-{os.getpid()}"
        self._inside = folder / "sockets"
        self._inside.mkdir()
        self._listeners = {
            "tcp": _listening(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            "udp": _listening(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            "abstract": _listening(socket.AF_UNIX, socket.SOCK_STREAM, self._abstract),
            "forkserver": _listening(socket.AF_UNIX, socket.SOCK_STREAM, str(folder / "forkserver")),
            "datagrams": _listening(socket.AF_UNIX, socket.SOCK_DGRAM, str(folder / "datagrams")),
            "sibling": _listening(socket.AF_UNIX, socket.SOCK_STREAM, str(self._inside / "sibling")),
        }
        self._known = {path.name for path in folder.rglob("*")}
        self._before = {name: _state(path) for name, path in self._files.items()}

    def context(self, supervisor_pid: int, victim_pid: int, *, secret: bool) -> str:
        """Return what an act is told, as JSON. Ours search for a secret that they are not told themselves."""
        sockets = self._listeners
        found: dict[str, Any] = {
            **{name: str(path) for name, path in self._files.items()},
            "secret": self._secret if secret else "",
            "supervisor_pid": supervisor_pid,
            "tcp_port": sockets["tcp"].getsockname()[1],
            "udp_port": sockets["udp"].getsockname()[1],
            "abstract": self._abstract.removeprefix("\0"),
            "forkserver": sockets["forkserver"].getsockname(),
            "dgram": sockets["datagrams"].getsockname(),
            "victim_pid": victim_pid,
            "victim_sock": sockets["sibling"].getsockname(),
            "sockdir": str(self._inside),
        }
        return json.dumps(found)

    def harmed(self) -> list[str]:
        """Say what was reached: a connection, a datagram, a changed or missing file."""
        found = []
        for name, listener in self._listeners.items():
            try:
                listener.recv(100) if listener.type == socket.SOCK_DGRAM else listener.accept()
            except BlockingIOError:
                continue
            found.append(f"somebody reached the {name} listener")
        found += [f"{name} is not as it was" for name, was in self._before.items() if self._now(name) != was]
        here = {path.name for path in self._folder.rglob("*")}
        known = {
            "stratd.toml",
            "other",
            "strategy.py",
            "state.bin",
            "sockets",
            "forkserver",
            "datagrams",
            "sibling",
        }
        return found + [f"{name} is new" for name in sorted(here - known)]

    def _now(self, name: str) -> tuple[Any, ...]:
        path = self._files[name]
        return _state(path) if path.exists() else ()

    def close(self) -> None:
        for listener in self._listeners.values():
            listener.close()


def _listening(family: int, kind: int, address: Any) -> socket.socket:
    listener = socket.socket(family, kind)
    listener.setblocking(False)
    listener.bind(address)
    if kind == socket.SOCK_STREAM:
        listener.listen()
    return listener


def _state(path: Path) -> tuple[Any, ...]:
    found = path.stat()
    return (
        path.read_text(),
        found.st_mode,
        found.st_uid,
        found.st_mtime_ns,
        found.st_nlink,
        os.listxattr(path),
    )
