"""The default port is taken: the daemon goes on without it, and says so where a person looks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from supervisor.main import tell


def test_a_port_that_cannot_be_had_is_a_problem_of_the_status_and_an_event_of_the_log():
    noted: list[tuple[str, str]] = []
    daemon: Any = SimpleNamespace(
        problems={}, events=SimpleNamespace(note=lambda kind, detail: noted.append((kind, detail)))
    )
    tell(daemon, "127.0.0.1:8003: cannot listen there")
    assert {"api": "127.0.0.1:8003: cannot listen there"} == daemon.problems
    assert [("problem", "127.0.0.1:8003: cannot listen there")] == noted
