"""The way out: accepted signals on a PUB socket, and a ROUTER beside it for whoever was away.

Rules of this file. Trading does not depend on who listens: an endpoint that cannot be had is told, by its
name, and tried again once a second, while signals are judged and journalled as ever. What was not sent
meanwhile is in the journal, and so with the ROUTER.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from bus import topics
from bus.messages import AcceptedSignal, encode
from bus.sockets import Hub, OutSocket, ReplaySocket
from strategies.trading.core import Outcome
from supervisor.control import SignalsSpec

REPLAY_LIMIT = 10_000
"""Signals in one answer; a consumer asks again from the last one."""
S = TypeVar("S", OutSocket, ReplaySocket)


class Outlet:
    """Owns both sockets. Neither is there before the first ``configure``.

    ``accepted(after, limit)`` reads the journal, ``event(kind, detail)`` tells the supervisor.
    """

    def __init__(
        self,
        hub: Hub,
        runtime: Path,
        *,
        accepted: Callable[[int, int], list[AcceptedSignal]],
        event: Callable[[str, str], None],
    ) -> None:
        self._hub = hub
        self._runtime = runtime
        self._accepted = accepted
        self._event = event
        self._spec: SignalsSpec | None = None
        self._out: OutSocket | None = None
        self._replay: ReplaySocket | None = None
        self._failed: set[str] = set()  # endpoints of which that was told

    @property
    def endpoint(self) -> str:
        """Where signals are published, "" while nowhere."""
        return self._out.endpoint if self._out else ""

    @property
    def replay_endpoint(self) -> str:
        """Where missed ones are asked for, "" while nowhere."""
        return self._replay.endpoint if self._replay else ""

    def configure(self, spec: SignalsSpec) -> None:
        """Be bound as ``spec`` says; the same one again changes nothing."""
        if spec == self._spec:
            return
        for socket in (self._out, self._replay):
            if socket is not None:
                socket.release()
        self.close()
        self._spec = spec
        self._failed.clear()
        self.bind()

    def bind(self) -> None:
        """Bind what is not bound yet. Called once a second, so a port that becomes free is taken."""
        spec = self._spec
        if spec is None or (self._out and self._replay):
            return
        if self._out is None:
            endpoint = spec.endpoint or f"ipc://{self._runtime}/signals.out"
            self._out = self._try(OutSocket, endpoint, spec.curve_secret_key)
            if self._out is not None:
                self._hub.watch(self._out, self._out.listen)
        if self._replay is None:
            endpoint = spec.replay_endpoint or f"ipc://{self._runtime}/signals.replay"
            self._replay = self._try(ReplaySocket, endpoint, spec.curve_secret_key)
            if self._replay is not None:
                self._hub.watch(self._replay, self._answer)

    def _try(self, kind: Callable[[Hub, str, str], S], endpoint: str, key: str) -> S | None:
        try:
            socket = kind(self._hub, endpoint, key)
        except OSError as error:
            if endpoint not in self._failed:
                self._failed.add(endpoint)
                self._event("signals_failed", f"accepted signals do not leave: {error.strerror or error}")
            return None
        if endpoint in self._failed:
            self._failed.remove(endpoint)
            if not self._failed:
                self._event("signals_bound", f"accepted signals at {endpoint}: bound at last")
        return socket

    def send(self, outcome: Outcome) -> None:
        """Publish what was accepted, if anybody listens; it is in the journal already."""
        if self._out is None or not self._out.heard:
            return
        for accepted in outcome.accepted:
            self._out.send(topics.signal(accepted.deployment_id), encode(accepted))

    def _answer(self) -> None:
        if self._replay is None:
            return
        for envelope, question in self._replay.questions():
            try:
                (from_seq,) = _decode_question(question)
            except (msgspec.DecodeError, msgspec.ValidationError):
                self._event("replay_refused", "a question to signals.replay is not [from_seq]")
                continue
            self._replay.answer(envelope, encode(self._accepted(from_seq - 1, REPLAY_LIMIT)))

    def close(self) -> None:
        """Close both, giving what was published a second to leave. Twice is fine."""
        if self._replay is not None:
            self._hub.unwatch(self._replay)
            self._replay.close()
        if self._out is not None:
            self._hub.unwatch(self._out)
            self._out.close(1000)
        self._out = self._replay = None


_decode_question = msgspec.msgpack.Decoder(tuple[int]).decode
