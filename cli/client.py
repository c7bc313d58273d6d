"""The daemon, as a command sees it: HTTP/1.1 over its Unix socket.

http.client and not httpx2: a command lives for a tenth of a second, of which httpx2 alone would take half to
be imported (docs/cli.md has the figures), and one connection to one socket needs nothing of what it adds.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from cli.errors import FAILED, NO_DAEMON, NOT_FOUND, REFUSED, CommandError, of_problem
from supervisor.paths import api_socket

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 30.0
"""For what the daemon answers out of memory."""
ACTION_TIMEOUT = 900.0
"""For verbs that wait for a start or a stop: longer than any timeout that the daemon itself may have."""


class DaemonGone(CommandError):
    """Nobody answers, or the daemon went away in the middle of an answer; it may come back."""


class Client:
    """Talks to the daemon at ``path``; a connection a request. Every failure is a ``CommandError``."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or api_socket(os.environ, os.geteuid())

    def get(self, route: str, **query: Any) -> bytes:
        """Return the body of ``GET route``, a JSON document."""
        with self._ask("GET", route, query, READ_TIMEOUT) as response:
            return response.read()

    def post(self, route: str, body: Mapping[str, Any]) -> bytes:
        """Return the body of ``POST route`` with ``body`` as JSON."""
        with self._ask("POST", route, {}, ACTION_TIMEOUT, json.dumps(body).encode()) as response:
            return response.read()

    def delete(self, route: str) -> bytes:
        """Return the body of ``DELETE route``."""
        with self._ask("DELETE", route, {}, ACTION_TIMEOUT) as response:
            return response.read()

    def lines(self, route: str, **query: Any) -> Iterator[bytes]:
        """Yield the JSON Lines of ``GET route`` as they come, for as long as the daemon sends them."""
        timeout = None if query.get("follow") else READ_TIMEOUT
        with self._ask("GET", route, query, timeout) as response:
            while line := response.readline():
                yield line
            # http.client takes a connection that breaks off for the end; only after the chunk of length 0,
            # which ends a whole answer, is nothing left of the last one.
            if response.chunked and getattr(response, "chunk_left", None) is not None:
                raise DaemonGone(
                    FAILED, f"the daemon at {self.path} broke off in the middle of its answer; see its log"
                )

    @contextlib.contextmanager
    def _ask(
        self,
        method: str,
        route: str,
        query: Mapping[str, Any],
        timeout: float | None,
        body: bytes | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        given = {key: _text(value) for key, value in query.items() if value is not None}
        target = f"/api/v1/{route}?{urlencode(given)}" if given else f"/api/v1/{route}"
        connection = _UnixConnection(self.path, timeout)
        with contextlib.closing(connection):
            try:
                connection.request(method, target, body, {"Content-Type": "application/json"} if body else {})
                response = connection.getresponse()
                if response.status >= 300:
                    raise _refusal(response.status, response.read())
                yield response
            except TimeoutError:
                raise DaemonGone(NO_DAEMON, f"the daemon at {self.path} does not answer") from None
            except (FileNotFoundError, ConnectionRefusedError):
                raise DaemonGone(NO_DAEMON, self._nobody()) from None
            except PermissionError:
                what = f"{self.path} belongs to another user; run this as that user, or as root"
                raise CommandError(REFUSED, f"refused by peer_credentials: {what}") from None
            except (http.client.HTTPException, ConnectionError):
                raise DaemonGone(NO_DAEMON, f"the daemon at {self.path} went away") from None

    def _nobody(self) -> str:
        return (
            f"no daemon answers at {self.path}: start it with 'stratd serve' or 'systemctl start stratd', "
            "or set STRATD_RUNTIME_DIR if it runs elsewhere"
        )


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost", timeout=CONNECT_TIMEOUT)
        self._path = path
        self._read_timeout = timeout

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONNECT_TIMEOUT)
        self.sock.connect(str(self._path))
        self.sock.settimeout(self._read_timeout)


def _refusal(status: int, body: bytes) -> CommandError:
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        return CommandError(FAILED, f"the daemon answered {status} and no reason; see its log")
    if problem.get("type", "").startswith("urn:stratd:") or status != http.HTTPStatus.NOT_FOUND:
        return of_problem(problem)
    return CommandError(
        FAILED, "the daemon does not know this request: it is another version than this stratd"
    )


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def segment(name: str) -> str:
    """Return the id of a deployment as one segment of a route; nothing that is no segment can be one's id."""
    if not name or "/" in name:  # a server takes %2F for a slash
        raise CommandError(NOT_FOUND, f"no deployment {name!r}")
    return quote(name, safe="")
