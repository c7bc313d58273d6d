"""Which family of distributions this host is of, and the commands that differ between them. Pure but one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

Family: TypeAlias = Literal["debian", "fedora", "suse", "arch", "alpine", "other"]

FILES: Final = (Path("/etc/os-release"), Path("/usr/lib/os-release"))
"""The first that is there counts (os-release(5))."""
_NAMES: Final[Mapping[str, Family]] = {
    "debian": "debian",
    "ubuntu": "debian",
    "fedora": "fedora",
    "rhel": "fedora",
    "centos": "fedora",
    "amzn": "fedora",
    "suse": "suse",
    "opensuse": "suse",
    "sles": "suse",
    "arch": "arch",
    "alpine": "alpine",
}
CLOCK: Final[Mapping[Family, str]] = {
    "debian": "apt install chrony",  # Debian starts what it installs
    "fedora": "dnf install chrony && systemctl enable --now chronyd",
    "suse": "zypper install chrony && systemctl enable --now chronyd",
    "arch": "pacman -S chrony && systemctl enable --now chronyd",
    "alpine": "apk add chrony && rc-update add chronyd && rc-service chronyd start",
    "other": "install and start chrony",
}
"""What keeps the clock of a host right."""
REDIS: Final[Mapping[Family, str]] = {
    "debian": "systemctl start redis-server",
    "fedora": "systemctl start redis",
    "suse": "systemctl start redis@default",
    "arch": "systemctl start valkey",
    "alpine": "rc-service redis start",
    "other": "start Redis",
}
"""What starts a Redis that is installed here."""
POSTGRESQL: Final[Mapping[Family, str]] = {
    "debian": "systemctl start postgresql",
    "fedora": "systemctl start postgresql",
    "suse": "systemctl start postgresql",
    "arch": "systemctl start postgresql",
    "alpine": "rc-service postgresql start",
    "other": "start PostgreSQL",
}
"""What starts a PostgreSQL that is installed here."""


def family_of(os_release: str) -> Family:
    """Return the family that the text of an os-release file names: its ``ID``, else one of ``ID_LIKE``."""
    said: dict[str, str] = {}
    for line in os_release.splitlines():
        key, _, value = line.strip().partition("=")
        said[key] = value.strip("\"'").lower()
    for name in (said.get("ID", ""), *said.get("ID_LIKE", "").split()):
        # openSUSE has an ID for each of its kinds: opensuse-leap, opensuse-tumbleweed.
        if family := _NAMES.get(name) or _NAMES.get(name.partition("-")[0]):
            return family
    return "other"


def host_family() -> Family:
    """Return the family of this host."""
    for path in FILES:
        try:
            return family_of(path.read_text("utf-8", "replace"))
        except OSError:
            continue
    return "other"
