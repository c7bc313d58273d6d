"""Lines of a deployment carry the id of the request that caused them, not of the one that created it."""

from __future__ import annotations

import json

import pytest

from tests.scenarios.rig import Daemon

pytestmark = pytest.mark.system


def test_each_line_is_of_the_request_that_caused_it_and_what_nobody_asked_for_is_of_none(daemon: Daemon):
    def ask(route: str, name: str, body: dict[str, object]) -> None:
        answer = daemon.http.post(route, json=body, headers={"X-Request-Id": name})
        assert answer.status_code < 300, answer.text

    ask("/deployments", "made", {"id": "one", "strategy": "idle"})
    daemon.strategy("one").kill()
    daemon.until_state("one", "running", generation=2)
    ask("/deployments/one/pause", "paused", {})
    ask("/deployments/one/stop", "stopped", {"wait": True})

    def lines() -> list[tuple[str, int, str]]:
        told = [json.loads(line) for line in daemon.stderr().splitlines() if line.startswith("{")]
        return [
            (one["event"], one.get("generation", 0), one.get("request_id", ""))
            for one in told
            if one.get("deployment") == "one"
        ]

    daemon.until(lambda: ("stopped", 2) in {one[:2] for one in lines()}, "the last line")
    ids = {(kind, generation): name for kind, generation, name in lines()}
    assert {("created", 0): "made", ("starting", 1): "made"}.items() <= ids.items()
    assert ("", "", "") == (ids["died", 1], ids["starting", 2], ids["running", 2])
    assert ("paused", "stopped") == (ids["paused", 2], ids["stopping", 2])
