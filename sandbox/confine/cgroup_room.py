"""What the control groups around a process still allow it: a container's memory is not the host's."""

from __future__ import annotations

from sandbox.confine.cgroup_files import Files
from sandbox.confine.cgroup_place import MOUNTS, NO_LIMIT, OWN, folder_of, hierarchies, own_groups, upwards

_FILES = {
    (1, "memory"): ("memory.usage_in_bytes", "memory.limit_in_bytes"),
    (1, "pids"): ("pids.current", "pids.max"),
    (2, "memory"): ("memory.current", "memory.max"),
    (2, "pids"): ("pids.current", "pids.max"),
}


def rooms_above(files: Files | None = None) -> dict[str, list[tuple[str, int, int]]]:
    """Return, for ``memory`` (bytes) and ``pids``, every limited group that this process is in.

    Each as (its name, used, limit); what the page cache holds, which the kernel gives up, is not used.
    """
    files = files or Files()
    found: dict[str, list[tuple[str, int, int]]] = {"memory": [], "pids": []}
    try:
        mounted, own = hierarchies(files.read(MOUNTS)), own_groups(files.read(OWN))
    except OSError:
        return found
    for hierarchy in mounted:
        version = 1 if hierarchy.controllers else 2
        for controller, rooms in found.items():
            if version == 1 and controller not in hierarchy.controllers:
                continue
            path = own.get(controller if version == 1 else "", "/")
            used_file, limit_file = _FILES[version, controller]
            for folder in upwards(folder_of(hierarchy, path), hierarchy.mount):
                try:
                    used, limit = int(files.read(folder / used_file)), int(files.read(folder / limit_file))
                    used -= _cached(files.read(folder / "memory.stat")) if controller == "memory" else 0
                except (OSError, ValueError):  # no such controller there, or "max"
                    continue
                if limit < NO_LIMIT:
                    rooms.append((f"the control group {folder}", used, limit))
    return found


def _cached(stat: str) -> int:
    """Bytes of files in memory: both lists of the page cache, groups below included (v1 says ``total_``)."""
    found = dict(line.split(" ", 1) for line in stat.splitlines() if " " in line)
    total = "total_" if "total_inactive_file" in found else ""
    return int(found.get(f"{total}inactive_file", 0)) + int(found.get(f"{total}active_file", 0))
