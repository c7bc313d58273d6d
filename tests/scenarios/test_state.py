"""Scenarios 37 to 40 of supervision.md: what is kept, what is stale, and what was broken from outside."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scenarios.disks import fill, small_disk
from tests.scenarios.rig import UNCONFINED, Daemon, Site, none_alive
from tests.supervisor.redis_server import RedisServer
from tests.waiting import wait_until

pytestmark = pytest.mark.system

BUYER = """
def on_tick(self, data):
    return buy(data)
"""
LEAVES_A_CHILD = """
def initialize(self, config):
    if os.fork() == 0:
        child = os.fork()
        if child:
            os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        os._exit(7)
    os.wait()
"""
"""The orphan has ended, and nobody has reaped it: one that lives would be killed for what it is."""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that is not running yet."""
    server = RedisServer(tmp_path)
    yield server
    server.stop()


def mirrored(daemon: Daemon) -> bool:
    """Whether the copy in Redis is as new as the journal."""
    mirror = daemon.status()["mirror"]
    return bool(mirror["state"] == "ok" and mirror["lag"] == 0)


# ---- 37 -------------------------------------------------------------------------------------------
def test_s37_stale_files_hinder_nobody_and_a_second_daemon_is_refused(site: Site):
    site.runtime.mkdir(mode=0o700)
    (site.runtime / "daemon.lock").write_text("1\n")  # init lives, and holds nothing
    (site.runtime / "cells").mkdir()
    for path in ("api.sock", "cells/market", "cells/reports", "signals.out", "signals.replay"):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(site.runtime / path))
    site.with_feed()
    first = site.daemon()
    first.start("a", "idle")
    second = site.daemon(ready=False)
    assert second.wait() == 1
    (line,) = second.stderr().splitlines()
    assert line == (
        f"stratd: another stratd daemon (pid {first.process.pid}) runs on {site.runtime}; stop it, or set "
        "STRATD_RUNTIME_DIR"
    )
    with site.feed() as feed:  # libzmq would have let the second bind the first one's paths
        feed.wait_for_engine()
        first.until(lambda: feed.tick() and first.row("a")["ticks"] > 3, "ticks over the first one's sockets")
    assert first.start("b", "idle")["state"] == "running"


# ---- 38 -------------------------------------------------------------------------------------------
def test_s38_redis_down_at_start_killed_and_flushed_delays_nothing_and_is_made_good(
    site: Site, redis: RedisServer
):
    site.environ["REDIS_URL"] = redis.url
    site.with_feed().strategy("buyer", BUYER)
    daemon = site.daemon()
    with site.feed() as feed:
        feed.wait_for_engine()
        daemon.start("buyer")
        assert daemon.status()["mirror"]["state"] == "down"
        trades(daemon, feed)
        redis.start()
        daemon.until(lambda: mirrored(daemon), "the mirror, once Redis is there")
        redis.stop()
        trades(daemon, feed)
        daemon.strategy("buyer").kill()
        daemon.until_state("buyer", "running", generation=2)
        redis.start()  # empty: nothing was saved
        # Not what the daemon says: it may not have noticed yet that Redis was gone.
        daemon.until(lambda: keys(redis) == {b"deployments": 1}, "the mirror filled again")
        daemon.until(lambda: mirrored(daemon), "and nothing missing in it")
        flush(redis)
        trades(daemon, feed)
        daemon.until(lambda: keys(redis) == {b"deployments": 1}, "the mirror filled after a flush")
    accepted = daemon.row("buyer")["signals"]["accepted"]
    assert daemon.terminate() == 0
    flush(redis)  # never an empty list over a good one (PM2 2827): what is here is the truth
    daemon = site.daemon()
    row = daemon.until_state("buyer", "running", generation=3)
    assert row["signals"]["accepted"] >= accepted or daemon.until(
        lambda: daemon.row("buyer")["signals"]["accepted"] >= accepted, "what it had traded"
    )
    daemon.until(
        lambda: mirrored(daemon) and keys(redis) == {b"deployments": 1}, "the mirror filled at a start"
    )


def trades(daemon: Daemon, feed) -> None:
    """Publish ticks until one more signal was accepted."""
    before = daemon.row("buyer")["signals"]["accepted"]
    daemon.until(
        lambda: feed.tick() and daemon.row("buyer")["signals"]["accepted"] > before, "a signal accepted"
    )


def keys(redis: RedisServer) -> dict[bytes, int]:
    """Return how many deployments the copy has, by the name of its hash."""
    answer = talk(redis, b"HLEN stratd:deployments\r\n")
    return {b"deployments": int(answer[1:])}


def flush(redis: RedisServer) -> None:
    assert talk(redis, b"FLUSHALL\r\n") == b"+OK"


def talk(redis: RedisServer, command: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(redis.socket))
        client.sendall(command)
        return client.recv(4096).strip()


def test_s38_on_a_full_disk_supervision_goes_on_and_is_made_good_when_there_is_room(site: Site):
    site.settings["limits"] = {**site.settings["limits"], "disk_reserve": 0}
    with small_disk(site.state, "16m") as disk:
        site.with_feed()
        daemon = site.daemon()
        with site.feed() as feed:
            feed.wait_for_engine()
            daemon.start("stays", "idle")
            daemon.start("crashes", "idle")
            daemon.start("stops", "idle")
            stays = daemon.strategy("stays")
            filler = fill(disk)
            assert daemon.act("stop", "stops")["state"] == "stopped", "what is to be stopped is stopped"
            daemon.strategy("crashes").kill()
            daemon.until(lambda: daemon.row("crashes")["state"] != "running", "its death noticed")
            daemon.until(
                lambda: feed.tick() and daemon.status()["state"] == "degraded", "the full disk told of"
            )
            assert stays.alive
            assert site.stratd("ps").code == 0
            seen = daemon.seq
            filler.unlink()
            daemon.until_state("crashes", "running", generation=2)
            daemon.until(lambda: feed.tick() and daemon.status()["problems"] == [], "no problem any more")
            ticks = daemon.row("stays")["ticks"]
            daemon.until(lambda: feed.tick() and daemon.row("stays")["ticks"] > ticks, "ticks again")
            assert daemon.strategy("stays") == stays, "it lived through all of it"
            numbers = [event["seq"] for event in daemon.events()]
            assert numbers == list(range(1, numbers[-1] + 1)), "and no event was lost"
            assert numbers[-1] >= seen
        assert daemon.terminate() == 0
        daemon = site.daemon()
        daemon.until_state("stays", "running")
        daemon.until_state("crashes", "running")
        assert daemon.row("stops")["state"] == "stopped", "as was wanted while the disk was full"
        assert daemon.terminate() == 0


# ---- 39 -------------------------------------------------------------------------------------------
def settle(state: Path) -> None:
    """Let every database be one file, so that damage to it is damage: a log beside it would mend it."""
    for path in state.glob("*.db"):
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(max(64, path.stat().st_size)))


def half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def nothing(path: Path) -> None:
    os.truncate(path, 0)


def torn(path: Path) -> None:
    """Overwrite the middle: a head that is sound, and a body that is not."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(size // 4 + 1))


def put_back(site: Site) -> None:
    """Give the next daemon what is ``kept``, after the one that a test before had there."""
    site.end()
    if site.state.exists():
        site.state.rename(site.base / f"used-{os.urandom(4).hex()}")
    shutil.copytree(site.base / "kept", site.state)


@pytest.fixture(scope="module")
def killed() -> Iterator[Site]:
    """What a daemon that traded left when it was killed, in ``kept`` beside the state directory."""
    site = Site().with_feed()
    try:
        site.strategy("buyer", BUYER)
        daemon = site.daemon()
        with site.feed() as feed:
            feed.wait_for_engine()
            daemon.start("buyer")
            trades(daemon, feed)
            wait_until(none_alive(daemon.kill()), what="nobody who writes there")
        settle(site.state)
        site.state.rename(site.base / "kept")
        yield site
    finally:
        site.remove()


@pytest.mark.parametrize("damage", [garbage, half, nothing, torn])
def test_s39_whatever_of_the_state_is_damaged_it_starts_and_says_so(
    killed: Site, damage: Callable[[Path], None]
):
    site = killed
    put_back(site)
    with site.feed() as feed:
        # Without a sound formats.json all of it is refused, and left as it is (docs/operations.md).
        damaged = [
            path for path in sorted(site.state.rglob("*"))
            if path.is_file() and path.stat().st_size and path.name != "formats.json"
        ]  # fmt: skip
        names = {path.name for path in damaged}
        assert {"stratd.db", "journal.db", "identity", "events.seq", "buyer.log"} - names <= {"buyer.log"}
        for path in damaged:
            damage(path)
        daemon = site.daemon()
        assert "Traceback" not in daemon.stderr()
        aside = [path.name for path in site.state.rglob("*corrupt-*")]
        if damage in (garbage, half):  # to SQLite an empty file is a new one; a torn page may be a free one
            assert any(name.startswith("stratd.db.corrupt-") for name in aside)
            assert any(name.startswith("journal.db.corrupt-") for name in aside)
            assert daemon.status()["problems"]
        assert any(name.startswith("identity.corrupt-") for name in aside)
        assert daemon.status()["state"] in ("degraded", "running")
        daemon.start("buyer", "buyer")
        trades(daemon, feed)
        assert daemon.terminate() == 0
        assert "Traceback" not in daemon.stderr()


@pytest.fixture(scope="module")
def ended() -> Iterator[tuple[Site, int]]:
    """What a daemon left that was stopped, in ``kept`` beside the state directory; the number of an event."""
    site = Site()
    try:
        daemon = site.daemon()
        daemon.start("a", "idle")
        seq = daemon.seq
        assert daemon.terminate() == 0
        settle(site.state)
        site.state.rename(site.base / "kept")
        yield site, seq
    finally:
        site.remove()


@pytest.mark.parametrize("name", ["stratd.db", "journal.db", "identity", "events.seq"])
def test_s39_one_damaged_file_takes_no_other_along(ended: tuple[Site, int], name: str):
    site, seq = ended
    put_back(site)
    garbage(site.state / name)
    daemon = site.daemon()
    assert "Traceback" not in daemon.stderr()
    if name == "stratd.db":
        assert daemon.rows() == {}, "nothing of it can be read"
        assert daemon.seq > seq, "numbers of events go on all the same"
        assert daemon.events("events_lost")
    else:
        assert daemon.until_state("a", "running")["generation"] == 2
    if name != "events.seq":
        (told,) = daemon.status()["problems"]
        assert f"{name}" in told
        (aside,) = site.state.glob(f"{name}.corrupt-*")
        assert aside.name in told, "and where it lies now"


def test_s39_a_database_of_a_newer_version_is_refused_by_a_sentence_and_left_alone(
    ended: tuple[Site, int],
):
    site, _ = ended
    put_back(site)
    with sqlite3.connect(site.state / "stratd.db") as database:
        database.execute("UPDATE stratd_revision SET version_num = '0999'")
    database.close()
    daemon = site.daemon(ready=False)
    assert daemon.wait() == 1
    assert "was written by a newer stratd (schema 999" in daemon.stderr()
    assert "Traceback" not in daemon.stderr()
    assert list(site.state.glob("*corrupt*")) == []


# ---- 40 -------------------------------------------------------------------------------------------
def test_s40_a_process_that_nobody_knows_is_reaped_told_and_nothing_else(new_site):
    """Only code that an operator answers for can fork at all: a confined one may not."""
    site: Site = new_site(before=UNCONFINED)
    site.strategy("leaves", LEAVES_A_CHILD)
    daemon = site.daemon()
    rows = {name: daemon.start(name, "idle", trust=True) for name in ("a", "b")}
    daemon.start("leaves", trust=True)
    event = daemon.until_event("reaped")
    assert event["detail"].endswith("an orphan, exited with 7")
    now = daemon.rows()
    assert {name: now[name]["pid"] for name in rows} == {name: row["pid"] for name, row in rows.items()}
    assert now["leaves"]["state"] == "running"
    assert daemon.events("impossible", "internal_error") == []
    below = daemon.tree()
    assert daemon.terminate() == 0
    wait_until(none_alive(below), what="nothing left")
