"""Decides what installing, upgrading and uninstalling the service takes, from what is on the host. Pure.

A plan is a list of steps in order. Doing it twice is doing it once, and an interrupted one is taken up again.
Paths are those of the host; ``shell`` puts a root before them.

::

    /opt/stratd/releases/NAME    a virtual environment a version; complete once it has its stamp
    /opt/stratd/current          a link to one of them: what the unit starts (FHS 3.13, add-on packages)
    /usr/local/bin/stratd        a link to the command in it
    /etc/systemd/system          the units
    /etc/stratd, /var/lib/stratd settings and state, which outlive every version
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

OPT = Path("/opt/stratd")
RELEASES, CURRENT = OPT / "releases", OPT / "current"
COMMAND = Path("/usr/local/bin/stratd")
UNITS = Path("/etc/systemd/system")
CONFIG = Path("/etc/stratd/stratd.toml")
STATE = Path("/var/lib/stratd")
STAMP = "stratd-release"
"""File of a release that is complete; holds the version."""
USER = "stratd"
STEPS_SINCE = 254
"""The systemd that knows RestartSteps= (and Type=notify-reload, since 253)."""
STEPS = "systemd-254.conf"
KEPT = 2
"""Releases that an upgrade leaves besides the one that runs: the one to go back to, and one before it."""
TEMPLATE = """\
# Settings of stratd (docs/configuration.md); "systemctl reload stratd" reads them again. Secrets do not
# belong here: put them as files into /etc/credstore, stratd.api_key for instance (docs/operations.md).

# A publisher of market data. One on another host also needs IPAddressAllow= by "systemctl edit stratd".
# [feeds.main]
# endpoint = "tcp://127.0.0.1:5555"
"""


class Run(NamedTuple):
    """Run a command of the host; ``root`` is its option for another root, "" if it has none."""

    command: tuple[str, ...]
    root: str = ""


class Folder(NamedTuple):
    """Make a folder with this mode, unless it is there."""

    path: Path
    mode: int = 0o755


class Write(NamedTuple):
    """Write a file, whole or not at all."""

    path: Path
    text: str
    mode: int = 0o644


class Link(NamedTuple):
    """Let a link lead somewhere else, in one step (rename(2))."""

    path: Path
    target: str


class Remove(NamedTuple):
    """Remove a file, a link or a whole folder; one that is not there is fine."""

    path: Path


Step: TypeAlias = Run | Folder | Write | Link | Remove


class Found(NamedTuple):
    """What there is on the host. ``texts`` of our files, None for one that is not there."""

    user: bool
    current: str
    """Name of the release that is linked to, "" for none."""
    releases: Sequence[str]
    """Names of complete releases, the oldest first."""
    texts: Mapping[Path, str | None]
    command: str | None
    """Where /usr/local/bin/stratd leads; "" for a file that is no link, None where nothing is."""
    systemd: int
    """Its version."""


class Source(NamedTuple):
    """Where a release comes from: a folder of ``wheels``, or the index that pip is configured with."""

    release: str
    """Its name: the version, and of wheels a digest."""
    version: str
    python: str
    wheels: str = ""
    itself: bool = False
    """The command that was typed is of this release: there is nothing to make but its stamp."""


def told(step: Step) -> str:
    """Return a step as a line for people."""
    match step:
        case Run(command):
            return " ".join(command)
        case Folder(path, mode):
            return f"make folder {path} (mode {mode:04o})"
        case Write(path, _, mode):
            return f"write {path} (mode {mode:04o})"
        case Link(path, target):
            return f"link {path} -> {target}"
        case Remove(path):
            return f"remove {path}"


def build(found: Found, source: Source) -> list[Step]:
    """Return how a release is made; nothing if it is there."""
    if source.release in found.releases:
        return []
    place = RELEASES / source.release
    stamp = Write(place / STAMP, f"{source.version}\n")
    if source.itself:
        return [stamp]
    index = ("--no-index", "-f", source.wheels) if source.wheels else ()
    pip = (f"{place}/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    return [
        Folder(RELEASES),
        Remove(place),  # what an interrupted one left
        Run((source.python, "-m", "venv", str(place))),
        Run((*pip, *index, f"stratd=={source.version}")),
        Run((f"{place}/bin/stratd", "--version")),  # it can be started at all
        stamp,
    ]


def units(found: Found, files: Mapping[str, str]) -> list[Step]:
    """Return which units are written anew; ``files`` are those of this version, by name."""
    wanted = {UNITS / name: text for name, text in files.items() if name != STEPS}
    if found.systemd >= STEPS_SINCE and STEPS in files:
        wanted |= {
            UNITS / f"{unit}.d" / STEPS: files[STEPS] for unit in ("stratd.service", "stratd@.service")
        }
    changed = [Write(path, text) for path, text in wanted.items() if found.texts.get(path) != text]
    folders = sorted({write.path.parent for write in changed} - {UNITS})
    return [*map(Folder, folders), *changed]


def prepare(found: Found, source: Source) -> list[Step]:
    """Return what a service needs before its units: user, folders, settings, and a release."""
    steps: list[Step] = []
    if not found.user:
        shell, home = "/usr/sbin/nologin", "/nonexistent"
        options = ("--system", "--user-group", "--no-create-home", "--home-dir", home, "--shell", shell)
        steps.append(Run(("useradd", *options, USER), root="--prefix"))
    steps += [
        Folder(CONFIG.parent),
        Folder(CONFIG.parent / "strategies"),
        Folder(Path("/etc/credstore"), 0o700),
    ]
    if found.texts.get(CONFIG) is None:
        steps.append(Write(CONFIG, TEMPLATE))
    return [*steps, *build(found, source)]


def install(
    found: Found, source: Source, files: Mapping[str, str], *, start: bool, packaged: bool = False
) -> list[Step]:
    """Return what makes a service of what was prepared; ``start`` it as well, now and at every boot.

    ``packaged``: units and command are those of a Debian package, and dpkg's to change.
    """
    steps: list[Step] = []
    if not found.current:
        steps.append(Link(CURRENT, f"releases/{source.release}"))
    if found.command is None and not packaged:
        steps.append(Link(COMMAND, f"{CURRENT}/bin/stratd"))
    steps += [*units(found, files), Run(("systemctl", "daemon-reload"))]
    if start:
        steps.append(Run(("systemctl", "enable", "--now", "stratd.service"), root="--root"))
    return steps


def switch(found: Found, release: str, files: Mapping[str, str]) -> list[Step]:
    """Return what makes a complete release the one that is started next."""
    return [
        *units(found, files),
        Link(CURRENT, f"releases/{release}"),
        Run(("systemctl", "daemon-reload")),
    ]


def back(before: Found, now: Found) -> list[Step]:
    """Return what undoes a ``switch``: units and link as they were found before it."""
    changed = [path for path, text in now.texts.items() if before.texts.get(path) != text]
    steps: list[Step] = []
    for path in changed:
        text = before.texts.get(path)
        steps.append(Remove(path) if text is None else Write(path, text))
    return [*steps, Link(CURRENT, f"releases/{before.current}"), Run(("systemctl", "daemon-reload"))]


def give_back(release: str, user: str, environment: Sequence[str], since: int) -> tuple[str, ...]:
    """Return the command by which a release gives back the state directory that it has migrated.

    It runs as the service's ``user`` with the service's ``environment``, that is on what the service runs on;
    ``since`` unix ns: an earlier migration is not undone (docs/operations.md).
    """
    program = (f"{RELEASES}/{release}/bin/stratd", "storage", "revert", "--since", str(since))
    return ("runuser", "-u", user, "--", "env", *environment, *program)


def outdated(found: Found, running: str) -> list[Step]:
    """Return the removal of releases that nobody goes back to: all but ``KEPT`` besides ``running``."""
    others = [name for name in found.releases if name != running]
    return [Remove(RELEASES / name) for name in others[: max(0, len(others) - KEPT)]]


def uninstall(found: Found, services: Sequence[str], *, purge: bool) -> list[Step]:
    """Return what takes the service away; with ``purge`` its settings, secrets, state and user too."""
    ours = sorted(
        path for path, text in found.texts.items() if text is not None and path.is_relative_to(UNITS)
    )
    steps: list[Step] = []
    if services:
        steps.append(Run(("systemctl", "disable", "--now", *services), root="--root"))
    steps += [*map(Remove, ours), Run(("systemctl", "daemon-reload"))]
    if found.command is not None and found.command.startswith(str(OPT)):
        steps.append(Remove(COMMAND))
    steps.append(Remove(OPT))
    if purge:
        folders = (CONFIG.parent, STATE, Path("/var/log/stratd"), Path("/run/stratd"))
        steps += map(Remove, folders)
        if found.user:
            steps.append(Run(("userdel", USER), root="--prefix"))
    return steps
