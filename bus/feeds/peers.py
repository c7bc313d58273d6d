"""How many publishers a feed is connected to, from what its socket tells of them. Pure.

A connection counts once its ZMTP handshake is done: proxies and port scanners that only open a TCP
connection are no publishers. libzmq names no peer in these events, but reports a failed handshake right
before the end of that same connection (zmq_socket_monitor(3); stream_engine_base.cpp, ``error``).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

PeerEvent: TypeAlias = Literal["joined", "refused", "left"]
"""A handshake was done, a handshake failed, a connection ended."""


class Peers:
    """Counts the publishers. Peers of ZMTP 2 and older, which have no such handshake, are not seen."""

    def __init__(self) -> None:
        self.count = 0
        self._refused = False

    def step(self, event: PeerEvent) -> bool:
        """Take one event; True if by it the last publisher has gone."""
        if event == "joined":
            self.count += 1
            return False
        if event == "refused":
            self._refused = True
            return False
        refused, self._refused = self._refused, False
        if refused or not self.count:
            return False
        self.count -= 1
        return self.count == 0
