"""Backing up beside a daemon that trades, and a daemon on what was put back."""

from __future__ import annotations

import pytest

from supervisor.store import restore
from tests.scenarios.rig import Site
from tests.supervisor import older_states

pytestmark = pytest.mark.system
BUYER = """
def on_tick(self, data):
    return buy(data)
"""
REMADE = {
    "boot", "calendars", "code", "events.seq", "formats.json", "history.db", "identity", "logs", "packages",
    "registered", "state.lock", "tape", "trading.setup",
}  # fmt: skip
"""What a daemon makes again, or may lose: everything else belongs into a backup."""


@pytest.fixture
def site(new_site) -> Site:
    site = new_site()
    site.with_feed().strategy("buyer", BUYER)
    return site


def storage(site: Site, *arguments: str):
    return site.stratd("storage", *arguments, "--config", str(site.config))


def test_a_backup_of_a_daemon_that_trades_brings_it_back_and_repeats_nothing(site: Site):
    daemon = site.daemon()
    file = str(site.base / "b.tar")

    def signals() -> list[dict]:
        return site.stratd("signals", "--json", "-n", "10000").lines

    def trade(more: int) -> None:
        before = daemon.row("buyer")["signals"]["accepted"]
        daemon.until(
            lambda: feed.tick() and daemon.row("buyer")["signals"]["accepted"] >= before + more, "signals"
        )

    with site.feed() as feed:
        feed.wait_for_engine()
        daemon.start("buyer")
        trade(5)
        done = storage(site, "backup", file)
        assert (done.code, done.err) == (0, "")
        trade(5)
        known = {line["signal_id"]: line for line in signals()}
        assert daemon.terminate() == 0
        names = {path.name.removesuffix("-wal").removesuffix("-shm") for path in site.state.iterdir()}
        assert names - REMADE - restore.OURS == set(), "nothing is forgotten by a backup"
        refused = storage(site, "restore", file)
        assert (refused.code, "is not empty" in refused.err) == (1, True)
        site.state.rename(site.base / "before")
        done = storage(site, "restore", file)
        assert (done.code, done.err) == (0, "")
        daemon = site.daemon()
        assert daemon.events("restored")
        assert daemon.until_state("buyer", "running")
        again = signals()
        assert 5 <= len(again) < len(known)
        assert [line for line in again if known.get(line["signal_id"]) != line] == [], "a part, and the same"
        feed.wait_for_engine()
        trade(1)
        later = [line for line in signals() if line not in again]
        assert later
        assert [line for line in later if line["signal_id"] in known] == [], "no id is given twice"
    assert daemon.terminate() == 0


def test_who_runs_is_not_reverted_and_who_has_ended_is(site: Site):
    older_states.make("schema2", site.state)
    daemon = site.daemon()
    ended = storage(site, "revert")
    assert (ended.code, ended.out) == (1, "")
    assert f"another stratd (pid {daemon.popen.pid}) runs on {site.state}; stop it" in ended.err
    shown = storage(site, "show", "--json").json
    assert {name: one["found"] == one["known"] for name, one in shown["formats"].items()} == dict.fromkeys(
        shown["formats"], True
    )
    assert daemon.terminate() == 0
    ended = storage(site, "revert")
    assert (ended.code, ended.out) == (0, f"{site.state} was given back as the version before had left it\n")
    daemon = site.daemon()
    assert daemon.events("state_migrated"), "it was the older version's again"
    assert daemon.terminate() == 0
