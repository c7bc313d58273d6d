"""A minute of chaos (supervision.md 68, issue 4): afterwards nothing is lost, repeated or left over."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SEED = 9


@pytest.mark.system
@pytest.mark.timeout(300)
def test_s68_after_a_minute_of_chaos_nothing_is_lost_repeated_or_left_over():
    command = [sys.executable, "-m", "tests.chaos", "--seed", str(SEED), "--minutes", "1", "--json"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=280, check=False)
    assert done.stdout, done.stderr
    result = json.loads(done.stdout)
    assert result["findings"] == [], done.stderr
    assert done.returncode == 0
    assert sum(result["done"].values()) > 10
    assert result["signals"]
    assert all(counts["disturbed"] > 0 for counts in result["signals"].values())
