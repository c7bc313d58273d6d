"""Finds out what is on a host, and takes the steps of a plan; all below ``root``, "/" or a test's folder."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from cli.errors import FAILED, CommandError
from cli.service import plan
from cli.service.plan import Folder, Found, Link, Remove, Run, Source, Step, Write, told

REFRESH = ("systemctl", "daemon-reload")
"""Without a systemd that runs on this root there is nothing to refresh."""


class Shell:
    """Takes steps on the host under ``root``, telling each by ``say``; ``dry`` only tells."""

    def __init__(self, root: Path, say: Callable[[str], None], *, dry: bool = False) -> None:
        self.root = root
        self._say = say
        self._dry = dry

    @property
    def here(self) -> bool:
        """Whether it is this host, whose systemd runs."""
        return self.root == Path("/")

    def at(self, path: Path) -> Path:
        """Return where a path of the host is, seen from here."""
        return self.root / path.relative_to("/")

    # ---- what there is --------------------------------------------------------------------------
    def look(self) -> Found:
        """Return what is found."""
        units = self.at(plan.UNITS)
        ours = [
            *units.glob("stratd*.service"),
            *units.glob("stratd*.socket"),
            *units.glob(f"stratd*.d/{plan.STEPS}"),
        ]
        paths = [plan.CONFIG, *(Path("/") / path.relative_to(self.root) for path in sorted(ours))]
        stamps = sorted(
            self.at(plan.RELEASES).glob(f"*/{plan.STAMP}"), key=lambda path: path.stat().st_mtime_ns
        )
        return Found(
            user=self._has_user(),
            current=self._leads_to(plan.CURRENT).rpartition("/")[2],
            releases=[stamp.parent.name for stamp in stamps],
            texts={path: self._text(path) for path in paths},
            command=self._leads_to(plan.COMMAND) if os.path.lexists(self.at(plan.COMMAND)) else None,
            systemd=_systemd(),
        )

    def units_of(self, release: str) -> dict[str, str]:
        """Return the units that a release brings, by name; {} if it is not there."""
        found = sorted(self.at(plan.RELEASES / release).glob("lib/python3*/site-packages/supervisor/units"))
        return units_in(found[0]) if found else {}

    def _has_user(self) -> bool:
        if self.here:
            return any(entry.pw_name == plan.USER for entry in pwd.getpwall())
        return f"\n{plan.USER}:" in "\n" + (self._text(Path("/etc/passwd")) or "")

    def _text(self, path: Path) -> str | None:
        try:
            return self.at(path).read_text("utf-8")
        except FileNotFoundError:
            return None

    def _leads_to(self, path: Path) -> str:
        try:
            return str(self.at(path).readlink())
        except OSError:
            return ""

    def services(self) -> list[str]:
        """Return our units that run or are started at boot."""
        if not self.here:
            return ["stratd.service"] if self._text(plan.UNITS / "stratd.service") is not None else []
        listed = _output(
            "systemctl", "list-units", "--plain", "--no-legend", "stratd*.service", "stratd*.socket"
        )
        files = _output("systemctl", "list-unit-files", "--no-legend", "--state=enabled", "stratd*")
        names = {line.split()[0] for line in (*listed.splitlines(), *files.splitlines()) if line.strip()}
        return sorted(name for name in names if "@." not in name)

    def daemons(self) -> list[str]:
        """Return the daemons that run now: stratd.service and those of its template."""
        listed = _output(
            "systemctl", "list-units", "--plain", "--no-legend", "--state=active", "stratd*.service"
        )
        names = (line.split()[0] for line in listed.splitlines() if line.strip())
        return sorted(name for name in names if re.fullmatch(r"stratd(@.+)?\.service", name))

    # ---- what is done ---------------------------------------------------------------------------
    def take(self, steps: Iterable[Step]) -> None:
        """Take steps in order; ``CommandError`` names the one that failed."""
        for step in steps:
            if self._is_done(step):
                continue
            self._say(told(step))
            if not self._dry:
                try:
                    self._take(step)
                except OSError as error:
                    raise CommandError(FAILED, f"{told(step)}: {error.strerror or error}") from None

    def _is_done(self, step: Step) -> bool:
        match step:
            case Run(command):
                return command == REFRESH and not self.here
            case Folder(path):
                return self.at(path).is_dir()
            case Remove(path):
                return not os.path.lexists(self.at(path))
            case _:
                return False

    def _take(self, step: Step) -> None:
        match step:
            case Run():
                self._run(step)
            case Folder(path, mode):
                _make(self.at(path), mode)
            case Write(path, text, mode):
                _write(self.at(path), text, mode)
            case Link(path, target):
                _link(self.at(path), target)
            case Remove(path):
                _remove(self.at(path))

    def _run(self, step: Run) -> None:
        command = list(step.command)
        if not self.here:
            if step.root:
                command[1:1] = [step.root, str(self.root)]
                command = [part for part in command if part != "--now"]
            else:
                command = [self._moved(part) for part in command]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            last = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
            raise CommandError(FAILED, f"{told(step)}: exit code {done.returncode}: {last}")

    def _moved(self, part: str) -> str:
        return str(self.at(Path(part))) if part.startswith(str(plan.OPT)) else part

    def give_back(self, release: str, service: str, since: int) -> tuple[int, str]:
        """Have a release give back what it migrated for a service, which is stopped.

        Returns the exit code of ``stratd storage revert`` and its last line.
        """
        user = _output("systemctl", "show", "-P", "User", service).strip() or "root"
        environment = shlex.split(_output("systemctl", "show", "-P", "Environment", service))
        command = plan.give_back(release, user, environment, since)
        self._say(" ".join(command[command.index("env") + 1 + len(environment) :]))
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        return done.returncode, lines[-1] if lines else ""

    def try_start(self, services: Iterable[str]) -> str:
        """Restart services, each until it is ready or systemd gave up; return which failed, "" for none."""
        for service in services:
            self._say(f"systemctl restart {service}")
            if self._dry:
                continue
            # It is no restart by itself, of which StartLimitBurst= allows a few.
            subprocess.run(["systemctl", "reset-failed", service], capture_output=True, check=False)
            # Returns with READY=1, or when the start failed or took too long (TimeoutStartSec=).
            done = subprocess.run(
                ["systemctl", "restart", service], capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                return f"{service} was not ready: journalctl -u {service} says why"
        return ""


def units_in(folder: Path) -> dict[str, str]:
    """Return every file of a folder by name, {} if there is no such folder."""
    return {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.*")) if path.is_file()}


def _make(path: Path, mode: int) -> None:
    if not path.is_dir():
        path.mkdir(parents=True)
        path.chmod(mode)


def _write(path: Path, text: str, mode: int) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(mode)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.new")
    made.unlink(missing_ok=True)
    made.symlink_to(target)
    made.replace(path)  # nobody ever finds none


def _remove(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)


def _systemd() -> int:
    found = re.match(r"systemd (\d+)", _output("systemctl", "--version"))
    return int(found[1]) if found else 0


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""


def source(python: str | None, wheels: Path | None, running: str, wanted: str | None = None) -> Source:
    """Return where the release comes from: ``wheels``, this command's own environment, or an index.

    Of an index the version ``wanted`` is asked, else that of this command, ``running``.
    """
    own = Path(sys.prefix)
    if wheels is None and wanted is None and own.parent == plan.RELEASES:
        return Source(own.name, running, sys.executable, itself=True)
    interpreter = python or _interpreter()
    if wheels is None:
        return Source(wanted or running, wanted or running, interpreter)
    found = sorted(wheels.glob("stratd-*.whl"))
    if len(found) != 1:
        raise CommandError(
            FAILED, f"{wheels}: must hold one wheel of stratd and those that it needs, has {len(found)}"
        )
    version = found[0].name.split("-")[1]
    digest = hashlib.sha256(found[0].read_bytes()).hexdigest()[:8]
    return Source(f"{version}-{digest}", version, interpreter, str(wheels.resolve()))


def _interpreter() -> str:
    """Return the Python that this one was made of, if the service's user can get at it."""
    base = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    closed = next(
        (folder for folder in (*reversed(base.parents), base) if not folder.stat().st_mode & 0o001), None
    )
    if closed is not None:
        raise CommandError(
            FAILED,
            f"{base}: the service's user cannot enter {closed}; name another: --python /usr/bin/python3",
        )
    return str(base)
