"""The service on a freshly booted Debian 12: systemd in namespaces over this machine (``tests/host``).

What needs control groups of version 2 is skipped there; ``make host-test`` runs the same in qemu.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared import needs_shared

ROOT = Path(__file__).resolve().parents[1]
FEW = "net_every kern_locks"
"""Of the attacks; all of them have a test of their own, and run by ``tools/host_test.py ns``."""
PATIENCE = 600.0

pytestmark = [pytest.mark.system, pytest.mark.host, needs_shared("host"), pytest.mark.timeout(PATIENCE + 60)]


def lacking() -> str:
    """Return why systemd cannot be booted here, "" if it can."""
    if os.geteuid() != 0:
        return "needs root, who may make namespaces and mounts"
    if not Path("/lib/systemd/systemd").exists():
        return "needs systemd to boot: apt install systemd"
    if not Path("/usr/bin/python3").exists():
        return "needs Debian's own Python: apt install python3-venv"
    return ""


def test_the_service_lives_as_it_should_on_a_real_systemd():
    if why := lacking():
        assert os.environ.get("CI") != "true", why
        pytest.skip(why)
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "host_test.py", "ns", "--attacks", FEW],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    told = done.stdout + done.stderr
    found = re.search(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", done.stdout, re.MULTILINE)
    assert found is not None, told
    assert (0, "0") == (done.returncode, found[2]), told
    assert int(found[1]) >= 55, told
