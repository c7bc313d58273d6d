"""Before anything starts: the folders, the one daemon that may use them, and whose code this is."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import re
import stat
import time
import uuid
from importlib import metadata
from pathlib import Path

from supervisor.errors import Failed
from supervisor.store import formats

IDENTITY = re.compile(rb"[0-9a-f]{32}")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Made anew by the kernel at every boot (random(4))."""
STATE_LOCK = "state.lock"
"""Held by who uses a state directory: a daemon, or a command that puts something else into it."""
PACKAGES = ("bus", "strategies", "sandbox", "supervisor", "cli")


class Premises:
    """The runtime and the state directory, held by this daemon from ``enter`` to ``leave``."""

    def __init__(self, runtime: Path, state: Path) -> None:
        self.runtime = runtime
        self.state = state
        self.damaged = ""
        """A sentence about an identity that was set aside by ``enter``, "" if it is sound."""
        self._locks: list[int] = []
        self.rebooted = False
        """Whether the last daemon on this state directory ran in another boot, or on another host."""

    @property
    def logs(self) -> Path:
        """Folder of the deployments' logs."""
        return self.state / "logs"

    def enter(self) -> None:
        """Make the folders ours alone and take their locks. Raises ``Failed`` with one sentence.

        A lock is an flock(2), so the kernel gives it back however this process ends, and it is taken
        before anything is bound: a second daemon that bound the same ipc path would silently steal it.
        A state directory of a later version is refused before anything in it is read.
        """
        for folder in (self.runtime, self.state, self.logs):
            _make_private(folder)
        for path, who, advice in (
            (self.runtime / "daemon.lock", "stratd daemon", "STRATD_RUNTIME_DIR"),
            (self.state / STATE_LOCK, "stratd", "STRATD_STATE_DIR"),
        ):
            self._locks.append(take_lock(path, who, f"set {advice}"))
        try:
            formats.check(self.state, metadata.version("stratd"))
        except formats.FormatsError as error:
            raise Failed(str(error)) from None
        self._set_damaged_aside()
        self.rebooted = self._note_boot()

    def _set_damaged_aside(self) -> None:
        path = self.state / "identity"
        if path.exists() and self.known_identity() is None:
            aside = path.with_name(f"identity.corrupt-{time.time_ns()}")
            path.rename(aside)
            self.damaged = (
                f"{path} is no identity of a state directory; it lies at {aside} now. A mirror of this "
                "directory is put aside as somebody else's, and a new one begun"
            )

    def _note_boot(self) -> bool:
        """Note in which boot this daemon runs; whether the last one ran in another."""
        boot, path = BOOT_ID.read_text(encoding="ascii"), self.state / "boot"
        try:
            if path.read_text(encoding="ascii", errors="replace") == boot:
                return False
        except OSError:
            pass  # there was no daemon, or nobody can tell
        with contextlib.suppress(OSError):  # a full disk: then the next daemon cannot tell, either
            _write(path, boot)
        return True

    def touches(self, path: Path) -> bool:
        """Whether ``path`` (resolved) lies in one of our folders, or one of them in it."""
        ours = (self.runtime.resolve(), self.state.resolve())
        return any(path.is_relative_to(folder) or folder.is_relative_to(path) for folder in ours)

    def known_identity(self) -> str | None:
        """Return the identity of the state directory, None in one that is new, or whose own is damaged."""
        try:
            found = (self.state / "identity").read_bytes().strip()
        except FileNotFoundError:
            return None
        return found.decode("ascii") if IDENTITY.fullmatch(found) else None

    def identity(self) -> tuple[str, bool]:
        """Return the identity of the state directory, made once, and whether it was made just now.

        It names the journal that lies beside it: a copy elsewhere is ours only if it bears the same.
        """
        if (known := self.known_identity()) is not None:
            return known, False
        made = uuid.uuid4().hex
        self.take_identity(made)
        return made, True

    def take_identity(self, identity: str) -> None:
        """Bear ``identity`` from now on: a new directory that takes the place of a lost one."""
        _write(self.state / "identity", f"{identity}\n")

    def leave(self) -> None:
        """Give the locks back. The files stay: removing them would let two daemons hold two locks."""
        while self._locks:
            os.close(self._locks.pop())


def _write(path: Path, text: str) -> None:
    """Write a file whole: the old one or the new one is there, never half of it (rename(2))."""
    draft = path.with_suffix(".new")
    with draft.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())  # before the rename, or a power cut can leave the name without the text
    draft.rename(path)


def take_lock(path: Path, name: str, otherwise: str) -> int:
    """Lock a file, made if absent, for as long as the descriptor returned is open: flock(2).

    Raises ``Failed``: ``name`` is what who has it is called, ``otherwise`` what to do instead of stopping it.
    """
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Failed(f"cannot make {path}: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(lock, 32).decode("ascii", "replace").strip()
        os.close(lock)
        pid = f" (pid {holder})" if holder.isdigit() else ""
        raise Failed(f"another {name}{pid} runs on {path.parent}; stop it, or {otherwise}") from None
    with contextlib.suppress(OSError):  # a full disk: the lock is what counts, the pid is for people
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
    return lock


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise Failed(f"cannot make {folder}: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode):
        raise Failed(f"{folder} is not a directory; stratd needs one of its own there")
    if found.st_uid != os.geteuid():
        raise Failed(f"{folder} belongs to uid {found.st_uid}, and stratd runs as uid {os.geteuid()}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)


def check_packages() -> None:
    """See that the five packages lie under one root: their names are common ones. Raises ``Failed``."""
    roots: dict[str, Path] = {}
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise Failed(f"the package {name} of stratd cannot be found; install stratd again")
        roots[name] = Path(spec.origin).resolve().parent.parent
    ours = roots["supervisor"]
    for name, root in roots.items():
        if root != ours:
            raise Failed(
                f"the package {name} was found in {root}, and stratd lies in {ours}: another package of that "
                "name is in the way; install stratd into a virtual environment of its own"
            )
