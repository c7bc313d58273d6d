"""The API over TCP: who comes in with which key, what stands before the routes. Real sockets, real TLS."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
import ssl
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import websockets.sync.client as websockets
from msgspec.structs import replace
from websockets.exceptions import InvalidStatus

from supervisor.api.bounds import MOST_WAITING
from supervisor.api.listeners import Tls, listen_tcp, tls_context
from supervisor.api.request_ids import uuid7
from supervisor.api.routes import docs
from supervisor.api.server import Tcp
from supervisor.errors import Failed
from tests.supervisor.door_world import FIRST, PATIENCE, Answered, World, answer_of
from tests.supervisor.fake_daemon import FakeDaemon
from tests.waiting import wait_until

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as made:
        yield made


# ---- who comes in ---------------------------------------------------------------------------------
def test_without_a_key_there_is_nothing_but_what_everybody_may_read(world):
    assert world.ask("/health", None).status == 200
    for target in ("/api/v1/status", "/api/v1/nothing", "/api/v1/deployments", "/nothing"):
        refused = world.ask(target, None)
        assert (refused.status, refused.body["type"]) == (401, "urn:stratd:unauthenticated")
        assert refused.headers["WWW-Authenticate"] == 'Bearer realm="stratd"'


def test_what_everybody_may_read_nobody_may_change(world):
    assert world.ask("/health", None, method="POST").status == 401


def test_a_key_comes_in_under_either_header(world):
    key = world.key()
    assert world.ask("/api/v1/status", key).status == 200
    assert world.ask("/api/v1/status", None, Authorization=f"Bearer {key}").status == 200
    assert world.ask("/api/v1/status", FIRST).status == 200


def test_a_wrong_key_is_401_even_where_none_is_needed(world):
    wrong = world.key()[:-4] + "0000"
    for target in ("/health", "/api/v1/status"):
        refused = world.ask(target, wrong)
        assert (refused.status, "wrong or was revoked" in refused.body["title"]) == (401, True)
        assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
        assert wrong not in json.dumps(refused.body)


def test_a_revoked_key_is_out_at_once(world):
    key = world.key()
    assert world.ask("/api/v1/status", key).status == 200
    world.run(world.keyring.revoke(key.split("_")[1], by="test"))
    assert world.ask("/api/v1/status", key).status == 401


def test_a_scope_is_needed_and_named(world):
    refused = world.ask("/api/v1/actions/stop", world.key("read"), {"ids": ["eurusd"]})
    assert (refused.status, refused.body["rule"]) == (403, "scope")
    assert "k may not start, stop or trade" in refused.body["title"]
    assert world.ask("/api/v1/status", world.key("trade")).status == 403
    assert world.daemon.calls == []


def test_a_key_of_an_account_sees_that_account(world):
    key = world.key("read", account="demo")
    assert world.ask("/api/v1/deployments/eurusd", key).status == 404
    assert world.ask("/api/v1/deployments/eurusd", world.key("read", account="default")).status == 200


def test_nobody_gives_what_he_has_not(world):
    refused = world.ask("/api/v1/api-keys", world.key("admin"), {"scopes": ["admin", "trade"]})
    assert (refused.status, "cannot give what it has not: trade" in refused.body["title"]) == (403, True)


def test_a_key_of_an_account_makes_no_keys(world):
    refused = world.ask("/api/v1/api-keys", world.key("admin", account="demo"), {"scopes": ["admin"]})
    assert (refused.status, refused.body["rule"]) == (403, "account_binding")


def test_the_socket_needs_no_key_and_asks_for_none(world):
    class Unix(http.client.HTTPConnection):
        def connect(self) -> None:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(PATIENCE)
            self.sock.connect(str(world.served.path))

    answered = answer_of(Unix("localhost"), "/api/v1/status", "stratd_what_ever")
    assert (answered.status, answered.headers["RateLimit"]) == (200, None)


def test_a_websocket_needs_a_key_too(world):
    def connect(**headers: str) -> Any:
        return websockets.connect(
            f"ws://127.0.0.1:{world.port}/api/v1/stream?topics=events",
            additional_headers=headers,
            open_timeout=PATIENCE,
        )

    for headers, status in (
        ({}, 401),
        ({"X-API-Key": "wrong"}, 401),
        ({"X-API-Key": world.key("code")}, 403),
    ):
        with pytest.raises(InvalidStatus) as refused:
            connect(**headers)
        assert refused.value.response.status_code == status
    with connect(**{"X-API-Key": world.key("read")}) as stream:
        assert stream.response.status_code == 101


def refused(world: World, path: str, key: str = FIRST) -> tuple[int, dict[str, Any]]:
    with pytest.raises(InvalidStatus) as caught:
        websockets.connect(
            f"ws://127.0.0.1:{world.port}{path}",
            additional_headers={"X-API-Key": key},
            open_timeout=PATIENCE,
        )
    answer = caught.value.response
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status_code, json.loads(answer.body or b"{}")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/v1/nothing", 404, "the stream is /api/v1/stream"),
        ("/api/v1/stream?deployment_id=" + "a" * 65, 422, "deployment_id = 'aaa"),
        ("/api/v1/stream?topics=nothing", 422, "topics = 'nothing': no such topic"),
    ],
)
def test_why_a_websocket_is_refused_is_a_problem_as_every_other_error(world, path, status, said):
    found, problem = refused(world, path)
    assert (found, said in problem["title"]) == (status, True), problem
    assert (problem["instance"], bool(problem["request_id"])) == (path.partition("?")[0], True)


def test_a_refused_websocket_is_no_error_in_the_log(world, caplog):
    refused(world, "/api/v1/stream", "wrong")
    assert [one.message for one in caplog.records if one.name == "uvicorn.error" and one.levelno > 30] == []


def test_a_page_of_another_origin_comes_no_further_than_anybody_without_a_key(world):
    elsewhere = {"Origin": "https://evil.example", "Cookie": f"key={FIRST}"}
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    answers = [
        world.ask("/api/v1/deployments", None, method="OPTIONS", **elsewhere, **preflight),
        world.ask("/api/v1/deployments", None, method="POST", **elsewhere),
        world.ask("/api/v1/deployments", None, **elsewhere),
        world.ask("/health", None, **elsewhere),
        world.ask("/api/v1/deployments", **elsewhere),
    ]
    assert [one.status for one in answers] == [401, 403, 401, 200, 200]
    given = {name.lower() for one in answers for name in one.headers}
    assert not {name for name in given if name.startswith("access-control-")} | given & {"set-cookie"}


def test_who_asks_for_the_head_alone_gets_it(world):
    for path in ("/health", "/livez", "/readyz"):
        head = world.ask(path, None, method="HEAD")
        assert (head.status, head.body) == (world.ask(path, None).status, None)


def test_no_answer_sends_a_client_elsewhere(world):
    assert [world.ask(path).status for path in ("/api/v1/status/", "/docs//")] == [404, 404]


def test_a_key_has_so_many_open_requests_and_no_more(world, monkeypatch):
    monkeypatch.setattr("supervisor.api.door.MOST_AT_ONCE", 1)
    key = world.key()
    with websockets.connect(
        f"ws://127.0.0.1:{world.port}/api/v1/stream?topics=events",
        additional_headers={"X-API-Key": key},
        open_timeout=PATIENCE,
    ):
        answer = world.ask("/api/v1/status", key)
        assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
        assert "too many requests at once" in answer.body["title"]
        assert world.ask("/api/v1/status", world.key()).status == 200
    wait_until(lambda: world.ask("/api/v1/status", key).status == 200, PATIENCE, "the stream to end")


def test_what_is_no_http_is_a_problem_as_every_other_error(world):
    with world.dial() as connection:
        connection.sendall(b"\x16\x03\x01 what?\r\n\r\n")
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request")
    assert json.loads(body)["title"] == "Invalid HTTP request received"


# ---- how often ------------------------------------------------------------------------------------
def test_a_key_has_its_rate_and_is_told_of_it():
    with World(rate="3/hour") as world:
        one, other = world.key(), world.key()
        answers = [world.ask("/api/v1/status", one) for _ in range(4)]
        assert [answered.status for answered in answers] == [200, 200, 200, 429]
        assert answers[0].headers["RateLimit-Policy"] == '"key";q=3;w=3600'
        assert answers[0].headers["RateLimit"].startswith('"key";r=2;t=')
        assert 0 < int(answers[3].headers["Retry-After"]) <= 3600
        assert answers[3].body["type"] == "urn:stratd:rate-limited"
        assert world.ask("/api/v1/status", other).status == 200


def test_an_address_that_is_wrong_too_often_waits_and_known_keys_pass():
    with World(failures="2/hour") as world:
        known, fresh = world.key(), world.key()
        world.ask("/api/v1/status", known)
        guesses = [world.ask("/api/v1/status", f"guess-{n}").status for n in range(4)]
        assert guesses == [401, 401, 429, 429]
        assert world.keyring.refused == {"unknown": 2}
        assert world.ask("/api/v1/status", known).status == 200
        assert world.ask("/api/v1/status", fresh).status == 429


# ---- what changed since it was read -----------------------------------------------------------------
def test_what_can_be_changed_has_a_strong_tag(world):
    targets = ("deployments/eurusd", "accounts/default")
    tags = [world.ask(f"/api/v1/{target}").headers["ETag"] for target in targets]
    assert [re.fullmatch(r'"[0-9a-f]{32}"', tag) is not None for tag in tags] == [True, True]


# ---- names of requests, the trail -----------------------------------------------------------------
def test_a_request_keeps_the_name_it_was_given_if_that_is_well_formed(world):
    assert world.ask("/health", X_Request_Id="a-b.C:1_2").headers["X-Request-Id"] == "a-b.C:1_2"
    for odd in ("a b", "x" * 200, "a;b"):
        made = world.ask("/health", X_Request_Id=odd).headers["X-Request-Id"]
        assert uuid.UUID(made).version == 7


def test_a_problem_names_its_request(world):
    missing = world.ask("/api/v1/deployments/nope", X_Request_Id="find-me")
    assert (missing.status, missing.body["request_id"]) == (404, "find-me")
    world.daemon.fail = RuntimeError("bug")
    try:
        broken = world.ask("/api/v1/status", X_Request_Id="find-me-too")
    finally:
        world.daemon.fail = None
    assert (broken.status, broken.headers["X-Request-Id"]) == (500, "find-me-too")
    assert broken.body["request_id"] == "find-me-too"


def test_made_names_sort_as_requests_came():
    names = [uuid7(at, bytes(10)) for at in (1, 2, 2**40)]
    assert names == sorted(names)
    assert {uuid.UUID(name).version for name in names} == {7}
    assert {uuid.UUID(name).variant for name in names} == {uuid.RFC_4122}


def test_what_changes_something_is_in_the_trail_and_what_reads_is_not(world):
    key = world.key("trade")
    world.ask("/api/v1/status", FIRST, X_Request_Id="reads")
    world.ask("/api/v1/actions/pause", key, {"ids": ["nope"]}, X_Request_Id="does")
    world.ask("/api/v1/actions/pause", world.key("read"), {"ids": ["x"]}, X_Request_Id="refused")
    world.ask("/api/v1/actions/pause", None, {"ids": ["x"]}, X_Request_Id="nobody")
    names = {"reads", "does", "refused", "nobody"}
    wait_until(lambda: "refused" in {one.request_id for one in world.audit.records}, what="the records")
    found = {one.request_id: one for one in world.audit.records if one.request_id in names}
    assert {name: one.status for name, one in found.items()} == {"does": 200, "refused": 403}
    done = found["does"]
    assert (done.who, done.key, done.address) == ("k", key.split("_")[1], "127.0.0.1")
    assert (done.method, done.path) == ("POST", "/api/v1/actions/pause")


def test_the_trail_waits_for_a_database_and_loses_nothing():
    with World() as world:
        world.audit.fail = True
        world.ask("/api/v1/actions/pause", FIRST, {"ids": ["a"]}, X_Request_Id="one")
        assert world.audit.records == []
        world.audit.fail = False
        world.ask("/api/v1/actions/pause", FIRST, {"ids": ["a"]}, X_Request_Id="two")
        wait_until(lambda: len(world.audit.records) == 2, what="both records")
        assert [one.request_id for one in world.audit.records] == ["one", "two"]


# ---- once and no more -----------------------------------------------------------------------------
def starts(world: World) -> int:
    return sum(call[0] == "start" for call in world.daemon.calls)


def test_a_request_that_is_sent_again_is_not_done_again():
    with World() as world:
        body = {"id": "new", "strategy": "crossover"}
        first = world.ask("/api/v1/deployments", FIRST, body, Idempotency_Key='"k-1"')
        again = world.ask("/api/v1/deployments", FIRST, body, Idempotency_Key="k-1")
        assert (first.status, again.status, first.body) == (201, 201, again.body)
        assert (first.headers["Idempotency-Replayed"], again.headers["Idempotency-Replayed"]) == (
            None,
            "true",
        )
        assert starts(world) == 1
        other = world.ask("/api/v1/deployments", FIRST, {**body, "id": "other"}, Idempotency_Key="k-1")
        assert (other.status, "another request" in other.body["title"], starts(world)) == (422, True, 1)
        mine = world.ask("/api/v1/deployments", world.key("trade"), body, Idempotency_Key="k-1")
        assert (mine.status, mine.headers["Idempotency-Replayed"], starts(world)) == (200, None, 2)


def test_what_was_answered_is_known_after_a_restart_and_what_was_cut_off_is_said():
    body = {"id": "new", "strategy": "crossover"}
    with World() as world:
        first = world.ask("/api/v1/deployments", FIRST, body, Idempotency_Key="k")
        kept = dict(world.answers.kept)
    with World() as world:
        world.answers.kept = kept
        again = world.ask("/api/v1/deployments", FIRST, body, Idempotency_Key="k")
        assert (again.status, again.body, starts(world)) == (201, first.body, 0)
    with World() as world:
        world.answers.kept = {name: replace(one, status=0, media="", body=b"") for name, one in kept.items()}
        lost = world.ask("/api/v1/deployments", FIRST, body, Idempotency_Key="k")
        assert (lost.status, "the daemon ended while" in lost.body["title"], starts(world)) == (409, True, 0)


def test_a_failure_of_the_daemon_may_be_tried_again_under_the_same_key():
    with World() as world:
        body = {"id": "eurusd"}
        world.daemon.fail = RuntimeError("bug")
        assert world.ask("/api/v1/deployments", FIRST, body, Idempotency_Key="k").status == 500
        world.daemon.fail = None
        assert world.ask("/api/v1/deployments", FIRST, body, Idempotency_Key="k").status == 200
        world.answers.fail = True
        held = world.ask("/api/v1/deployments", FIRST, body, Idempotency_Key="other")
        assert (held.status, "cannot be kept now: the disk is full" in held.body["title"]) == (503, True)


def test_a_key_is_not_shown_a_second_time_and_no_second_one_is_made():
    with World() as world:
        first = world.ask("/api/v1/api-keys", FIRST, {"scopes": ["read"]}, Idempotency_Key="k")
        again = world.ask("/api/v1/api-keys", FIRST, {"scopes": ["read"]}, Idempotency_Key="k")
        assert (first.status, first.headers["Cache-Control"], again.status) == (201, "no-store", 409)
        assert (len(world.daemon.issued), "shown only once" in again.body["title"]) == (1, True)


@pytest.mark.parametrize("odd", ["", "a b", 'a"b', "x" * 256])
def test_a_key_of_idempotency_that_is_none_is_told(world, odd):
    refused = world.ask("/api/v1/actions/pause", FIRST, {"ids": ["x"]}, Idempotency_Key=odd)
    assert (refused.status, "1 to 255 printable characters" in refused.body["title"]) == (422, True)


def test_a_request_that_is_too_large_is_refused_with_a_key_of_idempotency_too():
    with World(max_body=1024) as world:
        large = world.ask("/api/v1/deployments", FIRST, {"id": "x" * 2000}, Idempotency_Key="k")
        assert large.status == 413


# ---- those who hang -------------------------------------------------------------------------------
def test_a_request_that_takes_too_long_is_answered_and_what_it_changes_goes_on():
    with World(timeout=0.05) as world:
        free = asyncio.Event()
        done: list[str] = []

        async def slow(*_: object, **__: object) -> Any:
            await free.wait()
            done.append("changed")
            raise Failed("too late to be heard")

        world.daemon.status = world.daemon.rescan = slow
        late = world.ask("/api/v1/status")
        assert (late.status, "it was broken off" in late.body["title"]) == (504, True)
        late = world.ask("/api/v1/strategies/rescan", method="POST")
        assert (late.status, "it goes on" in late.body["title"]) == (504, True)
        world.served.call(free.set)
        wait_until(lambda: done, what="the verb to end")
        assert done == ["changed"]


def test_a_thousand_connections_that_hang_change_nothing_for_the_others():
    with World() as world:
        hanging = [world.dial() for _ in range(1000)]
        try:
            for connection in hanging[::2]:
                connection.sendall(b"POST /api/v1/deployments HTTP/1.1\r\nHost: x\r\n")
            assert [world.ask("/api/v1/status").status for _ in range(20)] == [200] * 20
            doorman = world.served.server.tcp_doorman
            wait_until(lambda: doorman.dropped >= 1000 - MOST_WAITING, what="the oldest ones to be dropped")
            assert len(doorman.waiting) <= MOST_WAITING
        finally:
            for connection in hanging:
                connection.close()


# ---- TLS ------------------------------------------------------------------------------------------
class Authority:
    """A certificate authority of the test's own, and certificates of it as files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = trustme.CA()
        self.ca.cert_pem.write_to_path(folder / "ca.pem")
        server = self.ca.issue_cert("localhost", "127.0.0.1")
        server.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")

    def tls(self, **given: Path) -> Tls:
        return Tls(self.folder / "server.pem", **given)

    def client(self, certificate: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        if certificate:
            self.ca.issue_cert("client@example.org").configure_cert(context)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def over_tls(world: World, context: ssl.SSLContext, target: str = "/api/v1/status") -> Answered:
    connection = http.client.HTTPSConnection("localhost", world.port, context=context, timeout=PATIENCE)
    return answer_of(connection, target, FIRST)


def test_over_tls_a_key_comes_in_and_plain_text_does_not(authority):
    with World(tls=authority.tls()) as world:
        assert over_tls(world, authority.client()).status == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            over_tls(world, ssl.create_default_context())
        with world.dial() as plain:
            plain.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200" not in plain.recv(1024)


def test_with_mutual_tls_a_client_needs_a_certificate_and_its_key_still(authority):
    with World(tls=authority.tls(client_ca=authority.folder / "ca.pem")) as world:
        assert over_tls(world, authority.client(certificate=True)).status == 200
        with pytest.raises((ssl.SSLError, ConnectionError)):
            over_tls(world, authority.client())
        stranger = trustme.CA()
        context = authority.client()
        stranger.issue_cert("client@example.org").configure_cert(context)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            over_tls(world, context)


def test_tls_is_never_older_than_1_2(authority):
    assert tls_context(authority.tls()).minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_file_of_tls_that_cannot_be_used_is_one_line(authority, tmp_path):
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for tls, line in (
        (Tls(tmp_path / "none.pem"), r"api\.tls_cert: .*none\.pem: No such file"),
        (Tls(empty), r"api\.tls_cert: .*empty\.pem: "),
        (authority.tls(client_ca=tmp_path / "no-ca.pem"), r"api\.tls_client_ca: .*no-ca\.pem: No such file"),
        (authority.tls(client_ca=empty), r"api\.tls_client_ca: .*empty\.pem: "),
    ):
        with pytest.raises(Failed) as wrong:
            tls_context(tls)
        assert re.match(line, str(wrong.value))
        assert "\n" not in str(wrong.value)


# ---- ports ----------------------------------------------------------------------------------------
def test_a_port_that_is_taken_is_one_line():
    with listen_tcp("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Failed, match=rf"^127.0.0.1:{port}: cannot listen there: Address already in use"):
            listen_tcp("127.0.0.1", port)


def test_a_default_port_that_is_taken_is_told_and_one_that_was_chosen_ends_the_start(tmp_path):
    from supervisor.api.server import ApiServer

    with listen_tcp("127.0.0.1", 0) as taken:
        told: list[str] = []

        def server(*, chosen: bool) -> ApiServer:
            tcp = Tcp(host="127.0.0.1", port=taken.getsockname()[1], chosen=chosen)
            path = tmp_path / "api.sock"
            return ApiServer(FakeDaemon(), path, version="0", tcp=tcp, on_problem=told.append)

        server(chosen=False).open()
        assert (len(told), "set [api] port; 0: no TCP" in told[0]) == (1, True)
        with pytest.raises(Failed, match="Address already in use"):
            server(chosen=True).open()


def test_a_host_that_is_none_of_ours_is_one_line():
    with pytest.raises(Failed, match="cannot listen there: Cannot assign requested address"):
        listen_tcp("192.0.2.1", 0)


def test_no_key_has_the_daemon_read_a_path_of_its_host(world):
    """What is registered can be read again: a key to code would be one to every module on that host."""
    for key in (FIRST, world.key("code", "read")):
        refused = world.ask("/api/v1/strategies/register-path", key, {"path": "/home/USER/settings.py"})
        assert (403, "local_only") == (refused.status, refused.body["rule"])
    assert not [call for call in world.daemon.calls if call[0] == "register"]


def test_the_schema_is_made_once_on_a_thread_and_kept(world, monkeypatch):
    """It takes a second to make, and who asks for it needs no key."""
    told = world.ask("/openapi.json", None)
    assert (200, "application/json", "3.1.0") == (
        told.status,
        told.headers["content-type"],
        told.body["openapi"],
    )
    dumped = []
    monkeypatch.setattr(docs.json, "dumps", lambda *_, **__: dumped.append(1))
    again = world.ask("/openapi.json", None, if_none_match=told.headers["etag"])
    assert (304, None) == (again.status, again.body)
    assert dumped == []
