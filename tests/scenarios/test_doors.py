"""A real daemon on TCP: keys over restarts, ports that are taken, and secrets, which appear nowhere."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.ports import HOST, free_port
from tests.scenarios.rig import PATIENCE, Daemon, Site
from tests.waiting import wait_until

pytestmark = pytest.mark.system

SECRETS = {
    "API_KEY": "secret-of-the-first-key-1",
    "REDIS_PASSWORD": "secret-of-the-mirror-22",
    "TRADING_GATEWAY_KEY": "secret-of-the-gateway-333",
    "SERVICE_API_KEY": "secret-of-the-services-4444",
    "STRATD_SIGNALS__CURVE_SECRET_KEY": "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6",
    "STRATD_NOTIFICATIONS__PAGER__URL": "http://127.0.0.1:9/secret-path-of-the-hook-1",
    "STRATD_NOTIFICATIONS__PAGER__SECRET": "secret-that-signs-55555",
    "STRATD_NOTIFICATIONS__PHONE__TOKEN": "1:secret-of-the-bot-666666",
}
"""The CURVE key is that of ZeroMQ's own documentation."""
TARGETS = {
    "STRATD_NOTIFICATIONS__PAGER__KIND": "webhook",
    "STRATD_NOTIFICATIONS__PHONE__KIND": "telegram",
    "STRATD_NOTIFICATIONS__PHONE__URL": "http://127.0.0.1:9",
    "STRATD_NOTIFICATIONS__PHONE__CHAT": "-100",
}
ADDED = {"name": "team", "kind": "slack", "url": "http://127.0.0.1:9/secret-path-of-the-team-7"}


@pytest.fixture
def site() -> Iterator[Site]:
    """A site whose daemons listen on a port of their own, and find secrets in their environment."""
    gateway = {"kind": "http", "url": "http://127.0.0.1:9/orders"}
    one = Site(api={"host": HOST, "port": free_port()}, log={"level": "DEBUG"}, routes={"gateway": gateway})
    one.environ = {**SECRETS, **TARGETS, "REDIS_URL": "redis://127.0.0.1:9/0"}
    yield one
    one.remove()


def client(site: Site, key: str) -> httpx.Client:
    base = f"http://{HOST}:{site.settings['api']['port']}"
    return httpx.Client(base_url=base, headers={"X-API-Key": key}, timeout=PATIENCE)


def texts(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()


def asked(admin: httpx.Client, key: str) -> Iterator[tuple[str, bytes]]:
    """Yield what the API answers wherever a secret might slip in: pictures, mistakes, refusals."""
    routes = (
        "status", "config", "system", "events?n=1000", "audit", "api-keys", "accounts", "feeds", "signals",
        "deployments", "deployments/held", "deployments/held/logs", f"deployments/{key}", f"nothing/{key}",
        f"events?n={key}", "deployments/held/incidents", "notifications",
    )  # fmt: skip
    for route in routes:
        answer = admin.get(f"/api/v1/{route}")
        # Who puts a secret into an address is told which one was not found: that is his own word.
        yield route, answer.content.replace(key.encode(), b"") if key in route else answer.content
    for path in ("/metrics", "/readyz", "/openapi.json"):
        yield path, admin.get(path).content
    wrong = admin.get("/api/v1/status", headers={"X-API-Key": key[:-1]})
    yield "a wrong key", wrong.content
    yield "no body", admin.post("/api/v1/deployments", content=b"{").content


def shown_by(pid: int) -> Iterator[tuple[str, bytes]]:
    """What a process shows; of one that is not dumpable only root sees the environment (proc(5))."""
    for name in ("environ", "cmdline"):
        path = Path(f"/proc/{pid}/{name}")
        try:
            yield str(path), path.read_bytes()
        except PermissionError:
            assert (name, os.geteuid() != 0) == ("environ", True)


def test_a_secret_appears_in_no_log_answer_file_or_process(site):
    site.strategy("held", "def on_tick(self, data):\n    raise ValueError('boom')\n")
    daemon = site.daemon()
    with client(site, SECRETS["API_KEY"]) as admin:
        made = admin.post("/api/v1/api-keys", json={"name": "bot", "scopes": ["read", "admin"]}).json()["key"]
        assert admin.post("/api/v1/notifications", json=ADDED).status_code == 201
        daemon.start("held", "held")
        daemon.strategy("held").kill()
        wait_until(lambda: daemon.deaths("held"), timeout=PATIENCE, what="a death in the records")
        daemon.until_state("held", "running")
        secrets = {*SECRETS.values(), ADDED["url"], made, made.rpartition("_")[2]}
        secrets |= {one.rpartition("/")[2] for one in secrets if "secret-path" in one}
        with client(site, made) as bot:
            seen = [*asked(admin, made), *asked(bot, made)]
        tests = [admin.post(f"/api/v1/notifications/{name}/test") for name in ("pager", "phone", "team")]
        assert all(not one.json()["delivered"] for one in tests), "nobody is at port 9"
        seen += [("a test message", one.content) for one in tests]
        processes = daemon.tree()
        seen += [found for one in processes for found in shown_by(one.pid)]
        assert len(processes) >= 4, "engine, zygote, warden, strategy"
    assert daemon.terminate() == 0
    seen += [("stderr", daemon.stderr().encode()), *texts(site.state), *texts(site.runtime)]
    kept = str(site.state / "notifications.json")  # the one place, which nobody else may read
    assert (1, 0o600) == (sum(where == kept for where, _ in seen), Path(kept).stat().st_mode & 0o777)
    seen = [(where, text) for where, text in seen if where != kept]
    shown = {where for where, text in seen for secret in secrets if secret.encode() in text}
    assert shown == set()
    assert [where for where, text in seen if b"daemon_started" in text], "the log was looked through"


def test_keys_outlive_the_daemon_and_revoked_ones_stay_away(site):
    daemon = site.daemon()
    with client(site, SECRETS["API_KEY"]) as admin:
        keys = [admin.post("/api/v1/api-keys", json={"scopes": ["read"]}).json() for _ in range(2)]
        assert admin.delete(f"/api/v1/api-keys/{keys[1]['id']}").status_code == 200
    assert daemon.terminate() == 0
    daemon = site.daemon()
    with client(site, keys[0]["key"]) as kept, client(site, keys[1]["key"]) as gone:
        assert (kept.get("/api/v1/status").status_code, gone.get("/api/v1/status").status_code) == (200, 401)
    ended = site.stratd("keys", "list", "--json")
    assert [one["id"] for one in ended.json] == [keys[0]["id"]]
    made = [event["detail"] for event in daemon.events("key_created", "key_revoked")]
    assert [line.split(" ")[0] for line in made] == [keys[0]["id"], keys[1]["id"], keys[1]["id"]]


def test_a_port_that_is_taken_ends_a_start_with_one_line_and_nothing_was_started(site):
    with socket.create_server((HOST, site.settings["api"]["port"])):
        daemon: Daemon = site.daemon(ready=False)
        assert daemon.wait() == 1
    last = daemon.stderr().splitlines()[-1]
    port = site.settings["api"]["port"]
    assert last == (
        f"stratd: {HOST}:{port}: cannot listen there: Address already in use (set [api] port; 0: no TCP)"
    )
