"""What the API asks of notifications, answered for one daemon."""

from __future__ import annotations

import time

from supervisor.daemon import Daemon
from supervisor.notifying.target import target_of
from supervisor.notifying.views import view, views
from supervisor.schema.notifications import NotificationRequest, NotificationTest, NotificationView


class Notifying:
    """``supervisor.api.routes.notifications.NotificationPort``; a part of ``Port``."""

    _daemon: Daemon

    async def notifications(self) -> list[NotificationView]:
        """Return every target, by name."""
        return views(self._daemon.notifications)

    async def add_notification(self, request: NotificationRequest, *, by: str) -> NotificationView:
        """Tell a target from now on."""
        said = request.model_dump()
        target = target_of(said.pop("name"), said)
        await self._daemon.notifications.add(target, by=by)
        return view(self._daemon.notifications, target)

    async def remove_notification(self, name: str, *, by: str) -> NotificationView:
        """Tell it no more."""
        target = self._daemon.notifications.find(name)
        before = view(self._daemon.notifications, target)
        await self._daemon.notifications.remove(name, by=by)
        return before

    async def test_notification(self, name: str) -> NotificationTest:
        """Send a test message now."""
        began = time.perf_counter()
        delivered, detail = await self._daemon.notifications.test(name)
        took = round((time.perf_counter() - began) * 1e3, 1)
        return NotificationTest(name=name, delivered=delivered, detail=detail, took_ms=took)
