"""Scenario 66 of supervision.md: new settings while everything runs."""

from __future__ import annotations

import re
import shutil
import signal

import httpx2 as httpx
import pytest

from tests.ports import HOST, free_port
from tests.scenarios.rig import PATIENCE, Daemon, Site

pytestmark = pytest.mark.system


def reload(daemon: Daemon, kind: str) -> dict:
    """SIGHUP; return the event that says what came of it."""
    before = daemon.seq
    daemon.signal(signal.SIGHUP)
    return daemon.until_event(kind, after=before)


def test_s66_a_reload_touches_no_instance_starts_nothing_and_takes_all_or_nothing(site: Site):
    site.with_feed()
    daemon = site.daemon()
    with site.feed() as feed, site.feed("second") as second:
        feed.wait_for_engine()
        for name in ("runs", "pauses", "stops"):
            daemon.start(name, "idle")
        daemon.act("pause", "pauses")
        daemon.act("stop", "stops")  # Supervisor 214: a reload started what was stopped
        before = daemon.rows()

        site.strategy("new")
        site.with_feed("second")
        site.settings["limits"]["max_concurrent"] = 3
        site.settings["quota"] = {"memory": "48M"}
        site.settings["redis"] = {"url": "redis://127.0.0.1:1"}
        site.write_config()
        event = reload(daemon, "reloaded")
        assert event["detail"] == (
            "changed: limits.max_concurrent, quota.memory, feeds.second; to be restarted for: redis.url"
        )
        daemon.until_event("strategy_added")
        daemon.until(
            lambda: daemon.told("RELOADING=1") and daemon.heard.count("READY=1") == 2, "systemd told"
        )
        second.wait_for_engine()
        after = daemon.rows()
        for name in before:
            kept = ("pid", "state", "desired", "generation", "restarts", "quota")
            assert [after[name][key] for key in kept] == [before[name][key] for key in kept]
        ticks = after["runs"]["ticks"]
        daemon.until(
            lambda: feed.tick() and daemon.row("runs")["ticks"] > ticks, "ticks of the feed that stayed"
        )
        started = daemon.start("late", "new")
        assert started["quota"]["memory_mb"] == 48, "what begins now has the new default"
        assert daemon.ask_start("stops").json()["rule"] == "max_concurrent"

        good = site.config.read_text()
        site.config.write_text(
            good.replace("max_concurrent = 3", "max_concurrent = 9").replace("48M", "lots")
        )
        refused = reload(daemon, "reload_refused")
        assert 'quota.memory = "lots": must be a size' in refused["detail"]
        daemon.until(
            lambda: daemon.told("STATUS=settings not read again, as stratd status says why"),
            "systemd told why",
        )
        (problem,) = daemon.status()["problems"]
        assert problem.startswith("the settings were not read again, and stay as they were: ")
        assert daemon.status()["max_concurrent"] == 3, "of a file with a mistake nothing is taken"
        assert daemon.ask_start("stops").json()["rule"] == "max_concurrent"
        assert {name: row["pid"] for name, row in daemon.rows().items() if name in before} == {
            name: row["pid"] for name, row in before.items()
        }
        site.config.write_text(good)
        assert reload(daemon, "reloaded")["detail"] == "nothing changed; to be restarted for: redis.url"
        assert daemon.status()["problems"] == []


def test_a_reload_over_the_api_takes_keys_rates_and_the_log_and_says_what_it_took(site: Site):
    host, port = HOST, free_port()
    site.settings["api"] = {"host": host, "port": port, "key": "the-first-key-of-all", "rate": "1000/second"}
    site.settings["log"] = {"level": "WARNING", "format": "json"}
    daemon = site.daemon()

    def shown(key: str) -> httpx.Response:
        return httpx.get(f"http://{host}:{port}/api/v1/version", headers={"X-API-Key": key}, timeout=PATIENCE)

    assert shown("the-first-key-of-all").headers["ratelimit-policy"] == '"key";q=1000;w=1'
    assert "strategy_added" not in daemon.stderr(), "told at INFO"

    known = site.base / "strategies" / "idle"
    new = shutil.copytree(known, known.with_name("new")) / "config.json"
    new.write_text(new.read_text().replace('"idle"', '"new"'))
    site.settings["api"] = {"host": host, "port": port, "key": "the-second-key-of-all", "rate": "900/hour"}
    site.settings["log"] = {"level": "INFO", "format": "text"}
    site.write_config()
    told = site.stratd("reload")
    assert (told.code, told.err, told.out.splitlines()) == (
        0, "",
        ["changed: log.level, log.format, api.key, api.rate", "strategy added: new@1.0.0"],
    )  # fmt: skip
    assert shown("the-first-key-of-all").status_code == 401
    assert shown("the-second-key-of-all").headers["ratelimit-policy"] == '"key";q=900;w=3600'
    assert re.search(r"\[info *\].*strategy_added", daemon.stderr())

    site.settings["limits"] = {"max_concurrent": 0}
    site.settings["feeds"] = {"fx": {"endpoint": "tcp://127.0.0.1:1", "calendar": "NOWHERE"}}
    site.write_config()
    ended = site.stratd("reload")
    assert (ended.code, ended.out) == (2, "")
    assert "limits.max_concurrent = 0: must be" in ended.err
    del site.settings["limits"]
    site.write_config()
    ended = site.stratd("reload")
    assert (ended.code, ended.out) == (2, "")
    assert 'feeds.fx.calendar = "NOWHERE": ' in ended.err
    assert daemon.status()["feeds"] == []
    assert len(daemon.status()["problems"]) == 1
