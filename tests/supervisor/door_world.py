"""A served fake daemon on TCP with keys, and one request to it. Real sockets."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from typing import Any, NamedTuple, Self

from supervisor.api.app import Guards
from supervisor.api.door import Keys
from supervisor.api.idempotency import Durable
from supervisor.api.listeners import listen_tcp
from supervisor.api.server import Tcp
from supervisor.audit_trail import AuditTrail
from supervisor.keys.keyring import Keyring
from tests.supervisor.fake_access import MemoryAnswers, MemoryAudit, MemoryShelf, at_once
from tests.supervisor.fake_daemon import FakeDaemon, Served, make_row

FIRST = "a-key-of-the-settings"
PATIENCE = 60.0


class Answered(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: Any


class World:
    """A served fake daemon on TCP, with keys."""

    def __init__(self, **given: Any) -> None:
        self.daemon = FakeDaemon()
        self.daemon.rows["eurusd"] = make_row("eurusd")
        self.audit, self.answers = MemoryAudit(), MemoryAnswers()
        self.keyring = Keyring(MemoryShelf(), at_once, bootstrap=FIRST)
        self.trail = AuditTrail(self.audit, at_once)
        rates = {"rate": "1000/second", "failures": "1000/minute"}
        rates |= {name: given.pop(name) for name in rates if name in given}
        tls = given.pop("tls", None)
        more = {name: given.pop(name) for name in ("bounds",) if name in given}
        self.guards = Guards(
            keys=Keys(self.keyring, **rates),
            trail=self.trail,
            durable=Durable(self.answers, at_once),
            **given,
        )
        tcp = Tcp(host="127.0.0.1", port=0, tls=tls)
        # Any free port: 0 means none in the settings, so the test says it as systemd would.
        inherited = {"http": listen_tcp("127.0.0.1", 0)}
        self.served = Served(self.daemon, guards=self.guards, tcp=tcp, inherited=inherited, **more)

    def __enter__(self) -> Self:
        self.served.__enter__()
        self.run(self.trail.start())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.trail.close())
        self.run(self.keyring.close())
        self.served.__exit__()

    def run(self, work: Any) -> Any:
        """Run a coroutine on the daemon's loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self.served.loop).result(PATIENCE)

    @property
    def port(self) -> int:
        return self.served.server.address[1]

    def key(self, *scopes: str, account: str = "", expires_at: int | None = None) -> str:
        made = self.keyring.create(
            name="k", scopes=scopes or ("read",), account=account, expires_at=expires_at, by="test"
        )
        return self.run(made)[1]

    def dial(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def ask(
        self, target: str, key: str | None = FIRST, body: object = None, *, method: str = "", **headers: str
    ) -> Answered:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        return answer_of(connection, target, key, body=body, method=method, headers=headers)


def answer_of(
    connection: http.client.HTTPConnection,
    target: str,
    key: str | None,
    *,
    body: object = None,
    method: str = "",
    headers: dict[str, str] | None = None,
) -> Answered:
    told = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
    told |= {"X-API-Key": key} if key else {}
    told |= {} if body is None else {"Content-Type": "application/json"}
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method or ("GET" if body is None else "POST"), target, sent, told)
        response = connection.getresponse()
        read = response.read()
        return Answered(response.status, response.headers, json.loads(read) if read else None)
    finally:
        connection.close()
