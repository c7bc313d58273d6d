"""Every command of the README is run as it stands, in the order in which a newcomer meets it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
UP = "until stratd status >/dev/null 2>&1; do sleep 0.1; done\n"
TRADED = 'until [ -n "$(stratd signals first -n 1 --json)" ]; do sleep 0.1; done\n'
"""What a reader does between two lines: waits until the daemon is there, until something was traded."""

pytestmark = pytest.mark.system


def blocks(language: str) -> list[str]:
    """Every code block of the README in ``language``."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def run(script: str, folder: Path, timeout: float) -> str:
    """Run ``script`` as somebody's shell would; return all it printed, fail on the first failed command."""
    home = {"HOME": str(folder), "PATH": os.environ["PATH"], "COLUMNS": "120"}
    shell = subprocess.Popen(
        ["bash", "-e"],
        cwd=folder,
        env=home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        printed, _ = shell.communicate(script.encode(), timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        printed, _ = shell.communicate()
        pytest.fail(f"not over after {timeout} s:\n{printed.decode()}")
    finally:
        with suppress(ProcessLookupError):  # what a script that failed has left in the background
            os.killpg(shell.pid, signal.SIGKILL)
    assert shell.returncode == 0, printed.decode()
    return printed.decode()


def test_the_walk_through_works_as_written(tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    walk = [block for block in blocks("sh") if not block.startswith("make ")]
    script = "".join(block + (UP if "serve &" in block else "") for block in walk)
    script = script.replace("stratd ps\n", TRADED + "stratd ps\n")
    printed = run(script + "kill $(jobs -p)\nwait || true\n", tmp_path, timeout=240)
    for said in ("first: running", "first: paused", "first: stopped", "breakout@0.1.0"):
        assert said in printed, printed
    assert re.search(r"accepted\s+first\s+enter_long", printed), printed


def test_the_demo_ends_well_and_shows_it() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "cli.main", "demo", "--json"],
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert (0, b"") == (done.returncode, done.stderr), done.stdout.decode()


def test_the_strategy_of_the_readme_is_the_one_that_new_writes() -> None:
    from strategies.scaffold import STRATEGY

    assert [STRATEGY.format(class_name="Breakout")] == blocks("python")


@pytest.mark.parametrize("target", re.findall(r"^make (\S+)$", README, flags=re.MULTILINE))
def test_every_make_target_of_the_readme_exists(target: str) -> None:
    subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("name", re.findall(r"\]\(([^)]+\.md)\)", README))
def test_every_document_that_the_readme_links_is_there(name: str) -> None:
    assert (ROOT / name).is_file()
