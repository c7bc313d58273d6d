"""Somebody who is told of what happens: an HTTP server on a thread, one message after the other."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Self


class ThreadedSink:
    """Takes every message. ``events``: what came, in order, twice what came twice."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._server = HTTPServer(("127.0.0.1", 0), _handler(self.events))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="sink")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def details(self, kind: str, deployment: str = "") -> set[str]:
        """Return what was told of events of one kind."""
        return {
            one["detail"]
            for one in list(self.events)
            if (one["kind"], one["deployment_id"]) == (kind, deployment)
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(events: list[dict[str, Any]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            events.extend(body["events"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
