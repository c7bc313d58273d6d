"""Limits of an account that are tightened while strategies trade for it: daemon, engine, command."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.rig import Daemon, Site

pytestmark = pytest.mark.system
BUYER = """
def on_tick(self, data):
    return Signal(symbol=data.symbol, intent="enter_long", quantity=1, reason="tick")
"""


def verdicts(daemon: Daemon) -> list[tuple[str, str]]:
    return [(one["verdict"], one["rule"]) for one in daemon.get("deployments/buyer/signals")]


def test_a_limit_binds_at_once_and_over_reload_and_restart_and_never_above_the_file(site: Site):
    site.settings["accounts"] = {"fund": {"capital": 100_000, "risk": {"max_position_size": 3}}}
    site.with_feed().strategy("buyer", BUYER)
    daemon = site.daemon()
    with site.feed() as feed:
        feed.wait_for_engine()
        daemon.start("buyer", "buyer", account="fund")
        feed.tick()
        daemon.until(lambda: ("accepted", "") in verdicts(daemon), "the first order")
        said = site.stratd(
            "account", "limits", "fund", "--set", "max_position_size=1", "--reason", "thin market"
        )
        assert (0, True) == (said.code, "thin market" in said.out), said.err + said.out
        feed.tick()
        daemon.until(
            lambda: ("rejected", "max_position_size") in verdicts(daemon), "the second to be refused"
        )
        looser = site.stratd("account", "limits", "fund", "--set", "max_position_size=4")
        assert 5 == looser.code
        assert "max_position_size = 4 is looser than the 3 of [accounts.fund] risk" in looser.err
        assert site.stratd("reload").code == 0
        assert 1 == binds(daemon)["limits"]["max_position_size"]
    assert 0 == daemon.terminate()
    daemon = site.daemon()
    found = binds(daemon)
    assert (1, 3) == (found["limits"]["max_position_size"], found["configured_limits"]["max_position_size"])
    assert "thin market" == found["tightened"]["max_position_size"]["reason"]
    assert "max_position_size as configured -> 1" in daemon.events("limits_changed")[0]["detail"]
    answer = daemon.http.put("/accounts/fund/limits", json={"limits": {}})
    assert 200 == answer.status_code, answer.text
    assert 3 == answer.json()["limits"]["max_position_size"]


def binds(daemon: Daemon) -> dict[str, Any]:
    found: dict[str, Any] = daemon.get("accounts/fund/limits")
    return found
