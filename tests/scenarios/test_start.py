"""Scenarios 1 to 8 of supervision.md: starting, and being ready."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.system


def test_s05_start_of_a_running_strategy_changes_nothing(daemon):
    first = daemon.start("a", "idle")
    again = daemon.site.stratd("start", "a")
    assert (again.code, again.out) == (0, f"a: already running (idle@1.0.0, pid {first['pid']})\n")
    row = daemon.row("a")
    assert (row["pid"], row["generation"], row["restarts"]) == (first["pid"], 1, 0)
