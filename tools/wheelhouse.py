"""Fill a folder with every wheel that a host needs to have stratd, offline: ``wheelhouse.py FOLDER``.

For Debian's own Python, under which the service runs there. Standard library only.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "run.txt"
SYSTEM_PYTHON = "/usr/bin/python3"
"""Debian's: for which the wheels have to be, and under which stratd is installed there."""


def lay(folder):
    """Put every wheel of the lock for Debian's Python into a folder, and a new one of this checkout."""
    folder.mkdir(parents=True, exist_ok=True)
    for wheel in locked().iterdir():
        shutil.copy(str(wheel), str(folder))
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.check_call(build, cwd=str(ROOT), stdout=sys.stderr)


def locked():
    """Return the folder with every wheel that the lock names, fetched once a lock into the user's cache.

    pip is used as the user configured it.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stratd-wheels"
    version = subprocess.check_output([SYSTEM_PYTHON, "-c", "import sys; print(*sys.version_info[:3])"])
    folder = cache / hashlib.sha256(LOCK.read_bytes() + version).hexdigest()[:16]
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=str(cache)) as made:
            pip = [sys.executable, "-m", "pip", "--python", SYSTEM_PYTHON]
            options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"]
            subprocess.check_call([*pip, "download", *options, "-r", str(LOCK), "-d", f"{made}/wheels"])
            try:
                os.rename(f"{made}/wheels", str(folder))  # noqa: PTH104 - whole or not at all
            except OSError:  # another one was faster, and made the same
                if not folder.exists():
                    raise
    return folder


if __name__ == "__main__":
    lay(Path(sys.argv[1]))
