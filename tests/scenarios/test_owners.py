"""Keys of two accounts over TCP: what one has registered, the other can neither run nor find out about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx2 as httpx
import pytest

from tests.ports import HOST, free_port
from tests.scenarios.rig import PATIENCE, Daemon, Site

pytestmark = pytest.mark.system
CODE = """
from strategies import IStrategy

class Mine(IStrategy):
    def initialize(self, config):
        self.number = {number}

    def on_candle_complete(self, timeframe, candle, data):
        return None
"""
RUN = {"capital_allocation": 1000.0, "parameters": {}}


def body(name: str, number: int = 1) -> dict[str, Any]:
    return {"name": name, "code": CODE.format(number=number), "instruments": ["EURUSD"], "timeframe": "1m"}


class World(NamedTuple):
    """A daemon with ``hers``, which a key of the account "a" registered, and ``common``, which root did."""

    daemon: Daemon
    anne: httpx.Client
    bert: httpx.Client
    version: str


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    site = Site(api={"host": HOST, "port": free_port()})
    daemon = site.daemon()
    clients = [key_of(daemon, account) for account in ("a", "b")]
    made = clients[0].post("/strategies/register", json=body("hers"))
    assert (201, "a") == (made.status_code, made.json()["version"]["owner"]), made.text
    common = daemon.http.post("/strategies/register", json=body("common"))
    assert (201, "") == (common.status_code, common.json()["version"]["owner"]), common.text
    yield World(daemon, *clients, made.json()["version"]["version"])
    for one in clients:
        one.close()
    site.remove()


def key_of(daemon: Daemon, account: str) -> httpx.Client:
    wanted = {"name": account, "scopes": ["read", "trade", "code"], "account": account}
    key = daemon.http.post("/api-keys", json=wanted).json()["key"]
    port = daemon.site.settings["api"]["port"]
    base = f"http://{HOST}:{port}/api/v1"
    return httpx.Client(base_url=base, headers={"X-API-Key": key}, timeout=PATIENCE)


def asked_of(version: str, name: str) -> list[tuple[str, str, dict[str, Any] | None]]:
    """Everything that names a strategy: method, route, body."""
    exactly = f"{name}@{version}"
    of_it = f"/strategies/{name}"
    return [
        *(("GET", f"/strategies/{one}{what}", None) for one in (name, exactly) for what in ("", "/schema")),
        ("GET", f"{of_it}/source", None),
        ("GET", f"{of_it}/versions", None),
        ("GET", f"{of_it}/versions/{version}/source", None),
        ("POST", f"{of_it}/validate", {"parameters": {}}),
        ("POST", f"{of_it}/versions/{version}/activate", {}),
        ("POST", f"{of_it}/rollback", {}),
        ("DELETE", f"{of_it}/versions/{version}", None),
        ("PATCH", of_it, {"title": "x"}),
        ("POST", "/execute", {"strategy_id": name, **RUN}),
        ("POST", "/execute", {"strategy_id": exactly, **RUN}),
        ("POST", "/deployments", {"id": "stolen", "strategy": name, "wait": False}),
        ("POST", "/deployments", {"id": "stolen", "strategy": exactly, "wait": False}),
        (
            "POST",
            "/backtest",
            {
                "strategy_id": name, "start_date": "2024-01-01", "end_date": "2024-02-01",
                "initial_capital": 1.0, "parameters": {},
            },
        ),
    ]  # fmt: skip


def told(client: httpx.Client, method: str, route: str, sent: dict[str, Any] | None) -> tuple[int, str]:
    answer = client.request(method, route, **({} if sent is None else {"json": sent}))
    return answer.status_code, answer.json().get("title", "")


def test_what_another_account_registered_is_answered_as_what_is_not_there(world: World):
    for real, never in zip(asked_of(world.version, "hers"), asked_of(world.version, "hexs"), strict=True):
        status, title = told(world.bert, *real)
        assert (404, title) == (status, told(world.bert, *never)[1].replace("hexs", "hers")), real
    assert ["a", "default"] == sorted(
        {"a", "default"}
        | {row["account"] for row in world.daemon.rows().values() if row["strategy"] == "hers"}
    ), "nobody else runs it"
    assert world.daemon.get("strategies/hers/versions")["active"] == world.version


def test_no_list_and_no_scan_has_it(world: World):
    def names(client: httpx.Client) -> set[str]:
        listed = [one["id"] for one in client.get("/strategies").json()["strategies"]]
        every = [one["name"] for one in client.get("/catalogue").json()]
        scanned = client.post("/strategies/rescan").json()
        return {*listed, *every, *(name.partition("@")[0] for name in scanned["added"])}

    assert {"hers"} == names(world.anne) - names(world.bert)
    assert "common" in names(world.bert)


def test_its_owner_and_who_is_bound_to_no_account_read_and_run_it(world: World):
    for client, name in ((world.anne, "of-anne"), (world.daemon.http, "of-root")):
        assert "self.number = 1" in client.get("/strategies/hers/source").text
        started = client.post("/deployments", json={"id": name, "strategy": "hers"})
        assert (201, world.version) == (started.status_code, started.json()["deployment"]["version"])
    assert ["a", "default"] == [world.daemon.row(name)["account"] for name in ("of-anne", "of-root")]


def test_what_root_registered_is_everybodys_to_read_and_to_run_and_nobodys_to_change(world: World):
    assert "self.number = 1" in world.bert.get("/strategies/common/source").text
    assert 201 == world.bert.post("/execute", json={"strategy_id": "common", **RUN}).status_code
    for method, route, sent in (
        ("PATCH", "/strategies/common", {"title": "x"}),
        ("PUT", "/strategies/common", body("common", 2)),
        ("POST", "/strategies/common/rollback", {}),
    ):
        assert (403, "refused by account: common was not registered for the account 'b'") == told(
            world.bert, method, route, sent
        )


def test_its_name_is_taken_and_whose_it_is_is_not_said(world: World):
    for method, route in (("POST", "/strategies/register"), ("PUT", "/strategies/hers")):
        assert (403, "refused by name_taken: the name hers is taken; choose another") == told(
            world.bert, method, route, body("hers", 2)
        )
    assert world.bert.get("/strategies/hers").json()["near"] == []
