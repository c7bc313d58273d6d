"""What libzmq tells of the peers of a socket."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import zmq

from bus.feeds.peers import PeerEvent
from bus.sockets.owned import Owned

_PEER_EVENTS: dict[int, PeerEvent] = {
    zmq.Event.HANDSHAKE_SUCCEEDED: "joined",
    zmq.Event.HANDSHAKE_FAILED_NO_DETAIL: "refused",
    zmq.Event.HANDSHAKE_FAILED_PROTOCOL: "refused",
    zmq.Event.HANDSHAKE_FAILED_AUTH: "refused",
    zmq.Event.DISCONNECTED: "left",
}
_MONITOR_EVENT = struct.Struct("=Hi")
"""Event and value, in native order. ``zmq.utils.monitor`` reads it too, and would bring asyncio and ssl
into every warden."""


class Monitor(Owned):
    """What libzmq tells of the peers of one socket (zmq_socket_monitor(3)): made before it is attached."""

    def __init__(self, watched: zmq.Socket[bytes]) -> None:
        super().__init__(watched.get_monitor_socket(sum(_PEER_EVENTS)))
        self._watched = watched

    def events(self) -> Iterator[PeerEvent]:
        """Yield what happened since the last call, in order."""
        for event, _address in self.frames():
            yield _PEER_EVENTS[_MONITOR_EVENT.unpack(event)[0]]

    def close(self, linger_ms: int = 0) -> None:
        """End the monitoring, then its socket. Twice is fine."""
        if not self._watched.closed:
            self._watched.disable_monitor()
        super().close(linger_ms)
