"""Room and places on this host: the disk of the state directory, the TCP port, the unit."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from supervisor.api.listeners import listen_tcp
from supervisor.config.api import Api
from supervisor.errors import Failed
from supervisor.quantities import format_size
from supervisor.schema import LayerView

UNIT_FOLDERS: Final = tuple(
    Path(folder, "systemd/system") for folder in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
)
"""Where the system's units are (systemd.unit(5))."""
SYSTEMD_RUNS: Final = Path("/run/systemd/system")
"""There while systemd is what runs this host (sd_booted(3))."""
PATIENCE: Final = 2.0


def disk(state_dir: Path, reserve: int) -> LayerView:
    """Say whether the disk of ``state_dir`` has more than the ``reserve`` bytes that a start leaves free."""
    there = next(folder for folder in (state_dir, *state_dir.parents) if folder.exists())
    found = os.statvfs(there)
    free, whole = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    return room(free, whole, files=found.f_favail if found.f_files else None, reserve=reserve)


def room(free: int, whole: int, *, files: int | None, reserve: int) -> LayerView:
    """Say what that much room means; ``files`` more may be made, None: as many as one likes. Pure."""
    detail = f"{format_size(free)} of {format_size(whole)} free, {format_size(reserve)} stay free"
    if files == 0:
        told = f"{detail}; no file can be made: it has no inode left"
        return LayerView(name="disk", state="missing", detail=told, command="df -i")
    if free < reserve:
        told = f"{detail} (limits.disk_reserve): nothing is started"
        return LayerView(
            name="disk", state="missing", detail=told, command="free space on that file system (df, du)"
        )
    return LayerView(name="disk", state="active", detail=detail)


def port(api: Api, api_socket: Path, folders: Sequence[Path] = UNIT_FOLDERS) -> LayerView:
    """Say whether the API's TCP port can be had, by taking it for an instant."""
    if api.port == 0:
        return LayerView(name="port", state="off", detail="no TCP: [api] port is 0")
    where = f"{api.host}:{api.port}"
    if answers(api_socket):
        return LayerView(
            name="port", state="active", detail=f"{where}; a daemon runs, which has it or said why"
        )
    try:
        listen_tcp(api.host, api.port).close()
    except Failed as error:
        if any((folder / "stratd-http.socket").is_file() for folder in folders):
            told = f"{error}; stratd-http.socket may be who listens"
            return LayerView(name="port", state="available", detail=told)
        command = f"ss -ltnp 'sport = :{api.port}'"
        # One that nobody chose is done without, and told of.
        state: Literal["missing", "available"] = "missing" if api.chosen else "available"
        return LayerView(name="port", state=state, detail=str(error), command=command)
    return LayerView(name="port", state="active", detail=f"{where} is free")


def answers(api_socket: Path) -> bool:
    """Whether a daemon listens on its Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(PATIENCE)
        try:
            return caller.connect_ex(os.fsencode(api_socket)) in (0, errno.EAGAIN)
        except OSError:  # a path that is too long for any socket
            return False


def unit(folders: Sequence[Path] = UNIT_FOLDERS, systemd: Path = SYSTEMD_RUNS) -> LayerView:
    """Say whether stratd is a service of this host."""
    if not systemd.is_dir():
        return LayerView(name="unit", state="off", detail="systemd does not run here")
    for folder in folders:
        if (folder / "stratd.service").is_file():
            return LayerView(name="unit", state="active", detail=str(folder / "stratd.service"))
    return LayerView(
        name="unit",
        state="off",
        detail="stratd is no service of this host: nothing starts it at boot, or again",
        command="stratd systemd install",
    )
