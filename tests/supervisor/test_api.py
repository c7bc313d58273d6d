"""The HTTP API over its Unix socket: the real server, a daemon without processes behind it."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator

import pytest

from supervisor.api.bounds import MOST_WAITING
from supervisor.api.listeners import listen
from supervisor.api.peers import Admission, Peer, peer_of
from supervisor.errors import Failed, Refused, Unavailable
from tests.supervisor.fake_daemon import FakeDaemon, Served, make_row
from tests.waiting import wait_until

pytestmark = pytest.mark.system


@pytest.fixture
def daemon() -> FakeDaemon:
    fake = FakeDaemon()
    fake.rows["eurusd"] = make_row("eurusd")
    return fake


@pytest.fixture
def served(daemon: FakeDaemon) -> Iterator[Served]:
    with Served(daemon) as server:
        yield server


class Unix(http.client.HTTPConnection):
    def __init__(self, served: Served) -> None:
        super().__init__("localhost", timeout=60)
        self._path = str(served.path)

    def connect(self) -> None:
        self.sock = dial(self._path)


def dial(path: object) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(60)
    connection.connect(str(path))
    return connection


def ask(served: Served, method: str, target: str, body: object = None) -> tuple[int, object]:
    connection = Unix(served)
    try:
        connection.request(
            method,
            target,
            *([] if body is None else [json.dumps(body), {"Content-Type": "application/json"}]),
        )
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def raw(served: Served, request: bytes) -> bytes:
    with dial(served.path) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def test_health_is_the_document_that_other_services_expect(served):
    assert ask(served, "GET", "/health") == (200, {"status": "healthy", "version": "0.1.0"})


def test_text_that_no_answer_could_repeat_is_refused_in_a_sentence(served):
    for path in ("strategies/crossover/validate", "execute", "strategies/register"):
        status, problem = ask(served, "POST", f"/api/v1/{path}", {"parameters": {"a": ["x\ud83d"]}})
        assert status == 422, path
        assert r"'x\ud83d' holds half of a surrogate pair, which is no text" in problem["title"]
    assert (
        ask(served, "POST", "/api/v1/strategies/crossover/validate", {"parameters": {"\ud800": 1}})[0] == 422
    )


def test_who_forgets_to_say_that_it_is_json_is_told(served):
    # As `curl -d` does.
    sent = (
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    )
    answer = raw(served, f"POST /api/v1/execute HTTP/1.1\r\nHost: x\r\n{sent}".encode())
    assert b"422" in answer.splitlines()[0]
    assert b'"title":"body: is not said to be JSON: send it with Content-Type: application/json"' in answer


def test_the_socket_is_for_its_user_alone(served):
    assert stat.S_IMODE(served.path.stat().st_mode) == 0o600


def test_a_deployment_has_every_field_of_the_contract(served):
    _, rows = ask(served, "GET", "/api/v1/deployments")
    contract = [
        "id",
        "strategy",
        "version",
        "account",
        "mode",
        "symbols",
        "timeframes",
        "state",
        "desired",
        "pid",
        "generation",
        "restarts",
        "uptime_s",
        "cpu_percent",
        "memory_mb",
        "quota",
        "enforcer",
        "ticks",
        "candles",
        "gaps",
        "stale",
        "lag_ms",
        "signals",
        "last_death",
    ]
    assert [name for name in contract if name not in rows[0]] == []
    assert (set(rows[0]["quota"]), set(rows[0]["enforcer"])) == ({"memory_mb", "cpu"}, {"memory", "cpu"})
    assert set(rows[0]["signals"]) == {"accepted", "rejected", "duplicate", "expired"}


def test_a_new_deployment_is_201_and_a_known_one_200(served):
    start = {"id": "gold", "strategy": "crossover", "symbols": ["XAUUSD"], "memory": "64M"}
    assert ask(served, "POST", "/api/v1/deployments", start)[0] == 201
    assert ask(served, "POST", "/api/v1/deployments", {"id": "gold"})[0] == 200
    assert served.daemon.calls[0][1].memory == 64 * 2**20


def test_an_unknown_name_is_404_and_lists_near_ones(served):
    status, problem = ask(served, "GET", "/api/v1/deployments/eurusdd")
    assert status == 404
    assert problem["title"] == "no deployment 'eurusdd'; did you mean 'eurusd'?"
    assert (problem["near"], problem["type"]) == (["eurusd"], "urn:stratd:not-found")
    assert problem["instance"] == "/api/v1/deployments/eurusdd"


def test_a_refusal_is_403_and_names_its_rule(served, daemon):
    daemon.fail = Refused("account_latch", "account demo is halted")
    status, problem = ask(served, "GET", "/api/v1/deployments/eurusd")
    assert (status, problem["rule"]) == (403, "account_latch")
    assert problem["title"] == "refused by account_latch: account demo is halted"


def test_what_cannot_be_read_is_503_and_never_an_empty_list(served, daemon):
    daemon.fail = Unavailable("the journal cannot be read")
    for route in ("positions", "orders", "trades", "accounts", "accounts/default"):
        status, problem = ask(served, "GET", f"/api/v1/{route}")
        assert (503, "the journal cannot be read") == (status, problem["title"])


def test_a_failure_is_409(served, daemon):
    daemon.fail = Failed("the zygote does not answer")
    assert ask(served, "GET", "/api/v1/status")[0] == 409


def test_every_mistake_of_a_request_comes_back_at_once(served):
    wrong = {"id": "no spaces", "symbols": ["!!"], "timeframes": ["7x"], "memory": "lots", "colour": "red"}
    status, problem = ask(served, "POST", "/api/v1/deployments", wrong)
    assert status == 422
    named = sorted(error.split(" ")[0].rstrip(":").split(".")[0] for error in problem["errors"])
    assert named == ["colour", "id", "memory", "symbols", "timeframes"]


def test_a_verb_needs_exactly_one_way_to_select(served):
    for body in ({}, {"ids": ["eurusd"], "all": True}, {"account": "a", "all": True}):
        status, problem = ask(served, "POST", "/api/v1/actions/stop", body)
        assert (status, "exactly one of them" in problem["title"]) == (422, True)


def test_an_unknown_verb_lists_near_ones(served):
    status, problem = ask(served, "POST", "/api/v1/actions/stopp", {"all": True})
    assert (status, problem["near"][0]) == (404, "stop")


def test_one_bad_id_among_good_ones_does_not_stop_the_others(served):
    status, result = ask(served, "POST", "/api/v1/actions/pause", {"ids": ["eurusdd", "eurusd"]})
    assert status == 200
    assert [outcome["problem"] is None for outcome in result["outcomes"]] == [False, True]
    assert served.daemon.rows["eurusd"].state == "paused"


def test_an_unexpected_exception_is_a_problem_without_a_traceback(served, daemon, caplog):
    daemon.fail = RuntimeError("secret detail")
    status, problem = ask(served, "GET", "/api/v1/status")
    assert status == 500
    assert problem["title"] == "the daemon failed on this request (RuntimeError); its log has the details"
    wait_until(lambda: "RuntimeError: secret detail" in caplog.text, what="the traceback in the daemon's log")


def test_an_unknown_route_is_a_problem_too(served):
    assert ask(served, "GET", "/api/v1/nothing")[1]["status"] == 404


def test_streams_are_json_lines_and_end_by_themselves(served):
    connection = Unix(served)
    connection.request("GET", "/api/v1/events?n=2")
    response = connection.getresponse()
    assert response.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["seq"] for line in response.read().splitlines()] == [4, 5]
    connection.close()


def test_a_follower_gets_what_comes_later_and_is_forgotten_when_it_goes(served, daemon):
    connection = Unix(served)
    connection.request("GET", "/api/v1/deployments/eurusd/logs?n=1&follow=true")
    response = connection.getresponse()
    assert json.loads(response.readline())["text"] == "line 4"

    def more() -> None:
        daemon.lines.append(daemon.lines[0].model_copy(update={"text": "later"}))
        daemon.news.set()

    served.call(more)
    assert json.loads(response.readline())["text"] == "later"
    assert daemon.followers == 1
    response.close()
    connection.close()
    wait_until(lambda: daemon.followers == 0, what="the stream of the follower that went away to be closed")


def test_a_stream_of_an_unknown_deployment_is_a_404_before_it_begins(served):
    assert ask(served, "GET", "/api/v1/deployments/nope/logs?follow=true")[0] == 404


def test_a_body_that_is_too_large_is_refused(daemon):
    with Served(daemon, max_body=1024) as served:
        status, problem = ask(served, "POST", "/api/v1/deployments", {"id": "x" * 2000})
        assert (status, problem["title"]) == (413, "the request is too large: at most 1024 bytes")


@pytest.mark.parametrize(
    "garbage", [b"\x00\xff" * 100 + b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n"]
)
def test_garbage_is_answered_400_and_stops_nothing(served, garbage):
    assert raw(served, garbage).startswith(b"HTTP/1.1 400")
    assert ask(served, "GET", "/health")[0] == 200


def test_a_body_that_is_no_json_is_422_and_told_where_it_is_wrong(served):
    answer = raw(
        served,
        b"POST /api/v1/deployments HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: 4\r\n\r\n{{{{",
    )
    assert answer.startswith(b"HTTP/1.1 422")
    assert re.search(rb'"title":"body: is not JSON: [^"]+ at character 1"', answer)


def test_clients_that_hang_do_not_keep_others_out(served):
    hanging = [dial(served.path) for _ in range(MOST_WAITING + 50)]
    try:
        assert ask(served, "GET", "/health")[0] == 200
        assert served.server.doorman.dropped >= 50
        assert len(served.server.doorman.waiting) <= MOST_WAITING
    finally:
        for connection in hanging:
            connection.close()


def test_root_and_the_daemons_user_are_admitted_and_others_are_not():
    admission = Admission(uid=1000)
    assert admission.admits(Peer(1, uid=0, gid=0))
    assert admission.admits(Peer(1, uid=1000, gid=5))
    assert not admission.admits(Peer(1, uid=1001, gid=1000))


def test_a_socket_for_a_group_can_be_opened_by_it_whatever_the_umask(tmp_path):
    path = tmp_path / "run" / "api.sock"
    before = os.umask(0o077)
    try:
        path.parent.mkdir()
        with listen(path, os.getegid()):
            modes = [stat.S_IMODE(made.stat().st_mode) for made in (path.parent, path)]
    finally:
        os.umask(before)
    assert modes == [0o710, 0o660]


def test_a_group_is_admitted_by_its_first_or_any_further_membership():
    admission = Admission(uid=1000, gid=50)
    assert admission.admits(Peer(1, uid=7, gid=50))
    assert admission.admits(Peer(1, uid=7, gid=7, groups=(3, 50)))
    assert not admission.admits(Peer(1, uid=7, gid=7, groups=(3,)))


def test_the_kernel_tells_who_connected():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        peer = peer_of(ours)
    assert (peer.pid, peer.uid, peer.gid) == (os.getpid(), os.geteuid(), os.getegid())
    assert set(peer.groups) == set(os.getgroups())


def test_a_start_by_the_daemons_own_user_is_the_owners(served, daemon):
    assert ask(served, "POST", "/api/v1/deployments", {"id": "eurusd", "trust": True})[0] == 200
    assert daemon.owner is True
    assert daemon.calls[-1][1].trust is True


ASK_AS_NOBODY = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
try:
    connection.sendall(sys.argv[2].encode())
except BrokenPipeError:
    pass
sys.stdout.write(connection.recv(65536).decode())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user to try")
def test_another_user_is_refused_by_the_kernels_word_even_if_the_folder_lets_it_in(served):
    served.folder.chmod(0o755)
    served.path.chmod(0o666)
    answer = as_nobody(served, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith("HTTP/1.1 403")
    assert '"rule":"peer_credentials"' in answer
    wait_until(lambda: served.refused, what="the refusal to be told")
    assert (served.refused[0].uid, served.server.doorman.refused) == (65534, 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user to try")
def test_a_member_of_the_group_may_start_and_is_no_owner(served, daemon):
    served.folder.chmod(0o755)
    served.path.chmod(0o666)
    served.server.doorman.admission = Admission(os.geteuid(), gid=65534)
    body = json.dumps({"id": "eurusd"})
    head = f"Host: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    answer = as_nobody(served, f"POST /api/v1/deployments HTTP/1.1\r\n{head}\r\n\r\n{body}")
    assert answer.startswith("HTTP/1.1 200")
    assert daemon.owner is False


def as_nobody(served: Served, request: str) -> str:
    """Return what a process of another user is answered."""
    command = [sys.executable, "-I", "-S", "-c", ASK_AS_NOBODY, served.path, request]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_socket_that_a_dead_daemon_left_behind_is_taken_over(daemon):
    served = Served(daemon)
    with socket.socket(socket.AF_UNIX) as leftover:
        leftover.bind(str(served.path))
    with served:
        assert ask(served, "GET", "/health")[0] == 200


def test_closing_ends_followers_and_removes_the_socket(daemon):
    with Served(daemon) as served:
        connection = Unix(served)
        connection.request("GET", "/api/v1/events?follow=true")
        response = connection.getresponse()
        response.readline()
        path = served.path
    assert not path.exists()
    response.close()
    connection.close()
