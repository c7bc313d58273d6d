"""Installing packages into a folder of their own, by uv in a process of its own. Blocks: for a worker thread.

Everything is made in ``KEY.new`` and renamed to ``KEY`` when it is complete, on disk, and read-only; whatever
ends before that (an error, SIGKILL, the power) leaves no ``KEY``. Who works on ``KEY.new`` holds its
flock(2), and so do the processes that it starts: a leftover is what nobody has locked.

::

    KEY/site              what the lock names, and what a cell sees as /packages
    KEY/requirements.txt  the lock
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import stat
import subprocess
import threading
import time
from pathlib import Path

from msgspec import Struct

from sandbox.confine import launch
from strategies.requirements import FILE, Lock
from supervisor.packages import plan

NEW = ".new"
SITE = "site"
POLL = 0.05
"""Seconds between two looks at a process that installs, and at a lock that another one holds."""
WEIGH = 0.5
"""Seconds between two looks at how much it has written."""
TAIL = 40
"""Lines of its output that are kept."""
FAILED = "its packages cannot be installed"
UNWANTED = "nobody waits for them any more"


class InstallFailed(Exception):
    """Packages cannot be had. The text is one line; ``output`` is the end of what uv said."""

    def __init__(self, reason: str, output: list[str] | None = None) -> None:
        super().__init__(reason)
        self.output = output or []


class Order(Struct, frozen=True, kw_only=True):
    """One installation: ``folder`` holds all of them, ``uv`` and ``python`` are paths of programs."""

    lock: Lock
    key: str
    folder: Path
    source: plan.Source
    bounds: plan.Bounds
    uv: str
    python: str


class Weight(Struct, frozen=True):
    """What a folder takes: bytes on disk, and files."""

    size: int = 0
    files: int = 0


def site_of(folder: Path, key: str) -> Path:
    """Return where a complete installation keeps what it installed."""
    return folder / key / SITE


def install(order: Order, cancelled: threading.Event) -> Weight:
    """Install, unless it is there already. Raises ``InstallFailed``; nothing is left behind then."""
    done, new = order.folder / order.key, order.folder / f"{order.key}{NEW}"
    try:
        claim = _claim(new, done, cancelled)
        if claim is None:
            return weigh(done)
        try:
            return _make(order, new, done, claim, cancelled)
        finally:
            remove(new)
            os.close(claim)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else f"{error.strerror or error}"
        raise InstallFailed(f"{FAILED}: {what}") from None


def _make(order: Order, new: Path, done: Path, claim: int, cancelled: threading.Event) -> Weight:
    for leftover in new.iterdir():
        remove(leftover)
    work, site = new / "work", new / SITE
    work.mkdir()
    site.mkdir()
    (work / FILE).write_text(order.lock.text, encoding="utf-8")
    code, fault = _run(order, work, site, claim, cancelled)
    output = _tail(work / "output", order.source)
    if fault:
        raise InstallFailed(f"{FAILED}: {fault}", output)
    if code != 0:
        why = plan.reason(output) or f"uv ended with status {code} and said nothing"
        raise InstallFailed(f"{FAILED}: {why}", output)
    (work / FILE).rename(new / FILE)
    remove(work)
    (site / ".lock").unlink(missing_ok=True)  # uv's own, of a time that is over
    weight = _seal(new, order.bounds)
    new.rename(done)
    _sync(order.folder)
    return weight


# ---- the process ------------------------------------------------------------------------------------
def _run(order: Order, work: Path, site: Path, claim: int, cancelled: threading.Event) -> tuple[int, str]:
    """Run uv to its end. Returns its exit status, and why it was ended by us, or ""."""
    program = plan.command(order.uv, order.python, order.source, work, site)
    with (work / "output").open("wb") as output:
        process = subprocess.Popen(
            launch.command(program, parent=os.getpid(), file_size=order.bounds.size, memory=plan.MEMORY),
            env=plan.environment(order.source, work, os.environ),
            cwd=work,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[claim],
            # A group of its own, for the processes that it starts, and not a session: what lives in another
            # session and is nobody's cell is taken for a strategy's orphan (supervisor/reaper.py).
            process_group=0,
        )
        try:
            return _watch(process, work.parent, order.bounds, cancelled)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # also what uv may have left in its group
            process.wait()


def _watch(
    process: subprocess.Popen[bytes], written: Path, bounds: plan.Bounds, cancelled: threading.Event
) -> tuple[int, str]:
    deadline = time.monotonic() + bounds.timeout
    weighed = time.monotonic()
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(POLL), ""
        now = time.monotonic()
        if cancelled.is_set():
            return -1, UNWANTED
        if now > deadline:
            return -1, f"not done within {bounds.timeout:g} s ([packages] timeout)"
        if now - weighed > WEIGH:
            if fault := _too_heavy(weigh(written), bounds):
                return -1, fault
            weighed = time.monotonic()  # the look itself may take a while


def _tail(path: Path, source: plan.Source) -> list[str]:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 64 * 1024))
        text = file.read().decode("utf-8", "replace")
    return [plan.hide(line, source) for line in text.splitlines() if line.strip()][-TAIL:]


# ---- the folder -------------------------------------------------------------------------------------
def _claim(new: Path, done: Path, cancelled: threading.Event) -> int | None:
    """Return a descriptor that holds ``new``, empty or a leftover; None as soon as ``done`` is there."""
    while not done.exists():
        new.mkdir(mode=0o700, exist_ok=True)
        try:
            claim = _open_folder(new)
        except FileNotFoundError:  # whoever held it is done with it
            continue
        if _lock(claim) and _is_still(claim, new):
            return claim
        os.close(claim)
        if cancelled.wait(POLL):
            raise InstallFailed(f"{FAILED}: {UNWANTED}")
    return None


def _open_folder(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(descriptor: int, path: Path) -> bool:
    """Whether what was locked is what has that name: it may have been renamed or removed meanwhile."""
    try:
        held, there = os.fstat(descriptor), path.lstat()
    except FileNotFoundError:
        return False
    return (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino)


def _walk(folder: Path) -> tuple[list[tuple[Path, os.stat_result]], list[Path]]:
    """Return all that is no folder below ``folder``, and all folders, each after the one that it is in.

    Not by recursion, as ``shutil`` does it: who made a wheel chose how deep it is. No link is followed, and
    what vanishes meanwhile is not there.
    """
    files, folders = [], [folder]
    for at in folders:  # grows as it goes
        with contextlib.suppress(FileNotFoundError), os.scandir(at) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    found = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(found.st_mode):
                        folders.append(Path(entry.path))
                    else:
                        files.append((Path(entry.path), found))
    return files, folders


def weigh(folder: Path) -> Weight:
    """Return what is in ``folder``, each file once."""
    once = {(found.st_dev, found.st_ino): found.st_blocks * 512 for _, found in _walk(folder)[0]}
    return Weight(sum(once.values()), len(once))


def _too_heavy(weight: Weight, bounds: plan.Bounds) -> str:
    if weight.size > bounds.size:
        return f"more than {bounds.size / 2**20:,.0f} MiB on disk ([packages] max_size)"
    if weight.files > plan.MAX_FILES:
        return f"more than {plan.MAX_FILES:,} files"
    return ""


def _seal(new: Path, bounds: plan.Bounds) -> Weight:
    """Make everything in ``new`` readable by all, writable by none, and safe from a power cut."""
    if fault := _too_heavy(weight := weigh(new), bounds):
        raise InstallFailed(f"{FAILED}: {fault}")
    files, folders = _walk(new)
    for path, found in files:
        if not stat.S_ISREG(found.st_mode):
            raise InstallFailed(f"{FAILED}: they hold what is no file and no folder, {path.relative_to(new)}")
        path.chmod(0o555 if found.st_mode & 0o100 else 0o444)
        _sync(path)
    for path in reversed(folders):
        path.chmod(0o555)
        _sync(path)
    return weight


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Delete a folder with all below, read-only ones too, or a file; what is gone is gone."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    files, folders = _walk(path)
    for folder in folders:
        folder.chmod(0o700)
    for file, _ in files:
        file.unlink(missing_ok=True)
    for folder in reversed(folders):
        folder.rmdir()


def sweep(folder: Path) -> list[str]:
    """Remove what installations that were killed have left; return their keys."""
    removed = []
    for leftover in folder.glob(f"*{NEW}"):
        try:
            claim = _open_folder(leftover)
        except FileNotFoundError:
            continue
        try:
            if _lock(claim) and _is_still(claim, leftover):
                remove(leftover)
                removed.append(leftover.name.removesuffix(NEW))
        finally:
            os.close(claim)
    return sorted(removed)
