"""What the API asks of the stream and of the metrics, answered for one daemon."""

from __future__ import annotations

from supervisor.daemon import Daemon
from supervisor.metrics.requests import Requests
from supervisor.selection import find
from supervisor.streaming.cursor import Cursor
from supervisor.streaming.message import Subscription
from supervisor.streaming.stream import Stream


class Streaming:
    """``StreamPort`` and ``MetricsPort`` of ``supervisor.api.routes``; a part of ``Port``."""

    _daemon: Daemon

    async def stream(self, wanted: Subscription, last: Cursor | None) -> Stream:
        """Return what ``wanted`` names from now on, with ``last`` what is kept since, too."""
        if wanted.deployment_id:
            find(self._daemon.actors, wanted.deployment_id)
        return await self._daemon.hub.open(wanted, last)

    async def scrape(self, requests: Requests, accept: str) -> tuple[str, bytes]:
        """Return (content type, text) of everything that is counted and measured."""
        return await self._daemon.scrape.answer(requests, accept)
