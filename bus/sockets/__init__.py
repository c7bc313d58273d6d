"""Every 0MQ socket of stratd, and the only package that imports zmq.

Rules of this package. A context belongs to one process and never crosses a fork. Every socket has a bounded
queue, a bounded message, ``LINGER`` of its own, and an owner that closes it. The hot loops block on one
source or poll; nothing here knows asyncio (measured: it doubles the round trip, docs/performance.md).

On the wires inside stratd a message is ONE frame, ``topic|name|payload``: libzmq matches a subscription
against the start of the frame, and every subscriber costs one message instead of two.
"""

from __future__ import annotations

from bus.sockets.cell import CellLink, split
from bus.sockets.gateway import GatewayLink, NobodyThere
from bus.sockets.hub import Hub
from bus.sockets.inward import FeedSocket, Gatekeeper, MarketSocket, ReportSocket, folder_for_cells
from bus.sockets.monitor import Monitor
from bus.sockets.outward import OutSocket, ReplaySocket
from bus.sockets.publisher import Publisher
from bus.sockets.recovery import RecoveryLink, RecoverySocket

__all__ = [
    "CellLink",
    "FeedSocket",
    "Gatekeeper",
    "GatewayLink",
    "Hub",
    "MarketSocket",
    "Monitor",
    "NobodyThere",
    "OutSocket",
    "Publisher",
    "RecoveryLink",
    "RecoverySocket",
    "ReplaySocket",
    "ReportSocket",
    "folder_for_cells",
    "split",
]
