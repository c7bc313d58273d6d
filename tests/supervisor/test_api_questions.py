"""Commands, ``inspect`` and checkpoints over the real server and through the client, over a fake daemon."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from supervisor.api.bound import bound
from supervisor.api.caller import Caller, asking
from supervisor.client import Client
from supervisor.client.errors import Failed, Invalid, NotFound
from supervisor.errors import Late
from supervisor.errors import NotFound as Unknown
from tests.supervisor.door_world import World
from tests.supervisor.fake_daemon import FakeDaemon, Served, make_row

pytestmark = pytest.mark.system
BY = "/api/v1/deployments/eurusd"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """One server for all of these, over a daemon that is made anew for each."""
    with Served(FakeDaemon()) as one:
        yield one


@pytest.fixture
def daemon(served: Served) -> FakeDaemon:
    fake = served.daemon
    fake.__init__()  # type: ignore[misc]  # the server keeps the object
    for name, state, account in (("eurusd", "running", "mine"), ("gold", "stopped", "other")):
        fake.rows[name] = make_row(name, state).model_copy(update={"account": account})
    return fake


@pytest.fixture
def client(served: Served, daemon: FakeDaemon) -> Iterator[Client]:
    with Client(served.path, retries=0) as one:
        yield one


def post(served: Served, target: str, body: bytes, **headers: str) -> tuple[int, Any, Any]:
    connection = http.client.HTTPConnection("localhost", timeout=60)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(60)
    try:
        connection.sock.connect(str(served.path))
        connection.request("POST", target, body, {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        return response.status, json.loads(response.read()), response.headers
    finally:
        connection.close()


def test_a_command_passes_any_json_and_answers_what_the_strategy_answered(client: Client, daemon: FakeDaemon):
    for payload in ({"bias": [0.5, None, {"a": True}]}, None, "text", 7):
        answer = client.command("eurusd", "echo", payload, timeout=3)
        assert ("eurusd", "echo", payload) == (answer.deployment_id, answer.name, answer.answer)
    assert ("command", "eurusd", "echo", 7, 3.0) == daemon.calls[-1][:5]


def test_what_a_strategy_shows_and_a_checkpoint_on_demand(client: Client):
    assert {"bias": 0.5, "armed": True} == client.inspect("eurusd").shown
    assert 7 == client.save_state("eurusd").seq


def test_refusals_are_of_the_kind_that_they_are(client: Client):
    with pytest.raises(Invalid, match="Fake takes no command 'dance'"):
        client.command("eurusd", "dance")
    for question in (lambda: client.command("gold", "echo"), lambda: client.inspect("gold")):
        with pytest.raises(Failed, match="gold does not run, it is stopped"):
            question()
    with pytest.raises(Failed, match="gold does not run"):
        client.save_state("gold")
    with pytest.raises(NotFound):
        client.inspect("nobody")


@pytest.mark.parametrize("name", ["", "1st", "two words", "a" * 65, "ü"])
def test_a_name_that_is_none_is_refused_by_what_is_allowed(client: Client, daemon: FakeDaemon, name: str):
    with pytest.raises(Invalid, match="name"):
        client.command("eurusd", name)
    assert [] == daemon.calls


@pytest.mark.parametrize("timeout", ["0.5", "51", "nan", "inf", "soon"])
def test_a_wait_that_is_none_is_refused(served: Served, daemon: FakeDaemon, timeout: str):
    status, problem, _ = post(served, f"{BY}/checkpoint?timeout={timeout}", b"")
    assert (422, True) == (status, problem["title"].startswith(f"timeout = '{timeout}'"))
    assert [] == daemon.calls


def test_a_body_nested_without_end_is_refused_and_hurts_nobody(served: Served, daemon: FakeDaemon):
    deep = b'{"name": "echo", "payload": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    status, _, _ = post(served, f"{BY}/command", deep)
    assert status in (400, 422)
    assert [] == daemon.calls


def test_a_command_without_an_answer_is_not_done_again_under_its_key(served: Served, daemon: FakeDaemon):
    daemon.fail = Late("eurusd has not answered within 10 s: the command 'echo' may still be done")
    body, key = b'{"name": "echo"}', {"Idempotency-Key": "once"}
    status, problem, headers = post(served, f"{BY}/command", body, **key)
    assert (504, None) == (status, headers["Idempotency-Replayed"])
    daemon.fail = None
    again, same, headers = post(served, f"{BY}/command", body, **key)
    assert (504, problem["title"], "true") == (again, same["title"], headers["Idempotency-Replayed"])
    assert [] == daemon.calls
    assert 200 == post(served, f"{BY}/command", body, **{"Idempotency-Key": "twice"})[0]


def test_a_key_with_an_account_asks_its_own_deployments_alone(daemon: FakeDaemon):
    daemon.rows["gold"] = make_row("gold", "running").model_copy(update={"account": "other"})
    seen = bound(daemon)

    async def ask() -> None:
        assert 1 == (await seen.command("eurusd", "echo", 1, patience=1, by="key")).answer
        for question in (
            lambda: seen.command("gold", "echo", 1, patience=1, by="key"),
            lambda: seen.inspect("gold", patience=1),
            lambda: seen.save_state("gold", patience=1),
        ):
            with pytest.raises(Unknown):
                await question()

    token = asking.set(Caller(name="key", account="mine", scopes=frozenset({"trade"})))
    try:
        asyncio.run(ask())
    finally:
        asking.reset(token)


def test_over_tcp_a_command_needs_the_scope_trade_and_is_audited_and_kept_for_a_restart():
    with World() as world:
        reads, trades = world.key("read"), world.key("trade")
        body = {"name": "echo", "payload": "the secret"}
        assert 403 == world.ask(f"{BY}/command", reads, body).status
        assert 403 == world.ask(f"{BY}/checkpoint", reads, method="POST").status
        assert 200 == world.ask(f"{BY}/inspect", reads).status
        assert [] == [call for call in world.daemon.calls if call[0] != "inspect"]
        assert 200 == world.ask(f"{BY}/command", trades, body, Idempotency_Key="one").status
        assert 200 == world.ask(f"{BY}/checkpoint", trades, method="POST", Idempotency_Key="two").status
        (kept,) = world.answers.kept.values()
        assert b"the secret" in kept.body, "the command, and not the checkpoint"
        world.run(world.trail.close())
        noted = [(one.path, one.status) for one in world.audit.records]
        assert (f"{BY}/command", 200) in noted
        assert (f"{BY}/command", 403) in noted
        assert "secret" not in repr(world.audit.records)
