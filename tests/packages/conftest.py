"""Heavy packages, installed once into a cache of the user's by the very code that the daemon runs."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from strategies.requirements import parse
from supervisor.packages import install, plan
from supervisor.packages.store import find_uv, this_platform

LOCK = Path(__file__).parent / "heavy.txt"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stratd-tests"


@pytest.fixture(scope="session")
def heavy() -> Path:
    """Where the packages of ``heavy.txt`` are; skipped, but not in CI, where they cannot be had.

    ``STRATD_TEST_WHEELHOUSE`` names a folder that has their wheels; else pip is asked, as it is configured.
    """
    problems: list = []
    lock = parse(LOCK.read_text(), problems)
    assert [] == problems
    assert lock is not None
    key, uv, folder = plan.key(lock, this_platform()), find_uv(), CACHE / "packages"
    assert uv is not None
    folder.mkdir(parents=True, exist_ok=True)
    site = install.site_of(folder, key)
    with (CACHE / "lock").open("w") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)  # other processes of pytest wait for the one that downloads
        if not site.exists():
            source = plan.Source(wheelhouse=os.environ.get("STRATD_TEST_WHEELHOUSE") or download())
            order = install.Order(
                lock=lock, key=key, folder=folder, source=source, bounds=plan.Bounds(), uv=uv,
                python=sys.executable,
            )  # fmt: skip
            install.install(order, threading.Event())
    return site


def download() -> str:
    """Have pip fetch the wheels; return their folder."""
    house = CACHE / "wheels"
    command = [sys.executable, "-m", "pip", "download", "-q", "--require-hashes", "--no-deps"]
    command += ["--only-binary", ":all:", "-r", str(LOCK), "-d", str(house)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        why = (done.stderr.strip() or "pip said nothing").splitlines()[-1]
        assert os.environ.get("CI") != "true", f"CI must reach the wheels of {LOCK.name}: {why}"
        pytest.skip(f"the wheels of {LOCK.name} cannot be had: {why}")
    return str(house)
