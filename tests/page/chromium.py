"""Debian's Chromium, driven by Playwright: found, or installed where that is allowed, else said why not."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
WHY_NOT = "no Chromium on this host (apt-get install chromium), and this is no root who could install it"


TIMEOUT = 900
"""Seconds for a test with a browser: the first one may have to install it."""


@cache
def executable() -> str:
    """Return the path of Chromium. Skips the test where there is none and cannot be; in CI that fails."""
    found = _found()
    if not found and os.geteuid() == 0 and shutil.which("apt-get"):
        with Path(__file__).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # one worker installs, the others wait
            if not _found():
                _install()
        found = _found()
    if not found and os.environ.get("CI") == "true":
        pytest.fail(WHY_NOT)
    if not found:
        pytest.skip(WHY_NOT)
    return found


def _found() -> str:
    return next((path for name in NAMES if (path := shutil.which(name))), "")


def _install() -> None:
    """Install Debian's. Somebody else may be at it on this host: apt has a lock of its own to wait for."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    options = ["-o", "DPkg::Lock::Timeout=300", "-y", "--no-install-recommends"]
    for command in (["apt-get", "update"], ["apt-get", "install", *options, "chromium", "fonts-dejavu-core"]):
        subprocess.run(command, env=environ, capture_output=True, check=False, timeout=600)


def arguments() -> list[str]:
    """Return what Chromium is started with: root cannot have its sandbox, nor a container its /dev/shm."""
    quiet = ["--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update"]
    return [*quiet, "--no-sandbox"] if os.geteuid() == 0 else quiet


def shots(fallback: Path) -> Path:
    """Return the folder that screenshots are kept in: ``STRATD_SCREENSHOTS``, else ``fallback``."""
    folder = Path(os.environ.get("STRATD_SCREENSHOTS") or fallback)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
