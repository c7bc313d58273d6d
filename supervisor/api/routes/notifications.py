"""The routes of notifications: who is told of what happens. No decision is made here."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Path

from supervisor.api.caller import Caller, caller, needs
from supervisor.api.pages import Paging
from supervisor.schema.notifications import NotificationRequest, NotificationTest, NotificationView

Who = Annotated[Caller, Depends(caller)]
Name = Annotated[str, Path(max_length=64)]


class NotificationPort(Protocol):
    """The daemon, as these routes see it. Every method may raise the errors of supervisor/errors.py."""

    async def notifications(self) -> list[NotificationView]:
        """Return every target, by name."""
        ...

    async def add_notification(self, request: NotificationRequest, *, by: str) -> NotificationView:
        """Tell a target from now on; its secrets are in no answer."""
        ...

    async def remove_notification(self, name: str, *, by: str) -> NotificationView:
        """Tell it no more."""
        ...

    async def test_notification(self, name: str) -> NotificationTest:
        """Send a test message now, and return what the target said."""
        ...


def notification_routes(api: APIRouter, daemon: NotificationPort) -> None:
    """Add the routes to ``api``."""
    # Whoever adds a target has the daemon send to where he says, from where the daemon is: admin alone.
    admin = [needs("admin")]

    @api.get("/notifications", dependencies=admin)
    async def notifications(page: Paging) -> list[NotificationView]:
        """Who is told of what happens, how it goes, and what each target said last; no secret."""
        return page.of(await daemon.notifications(), key=lambda one: one.name)

    @api.post("/notifications", status_code=201, dependencies=admin)
    async def add(request: NotificationRequest, who: Who) -> NotificationView:
        """Have a target told of what happens from now on."""
        return await daemon.add_notification(request, by=who.name)

    @api.delete("/notifications/{name}", dependencies=admin)
    async def remove(name: Name, who: Who) -> NotificationView:
        """Tell a target no more. One of the settings goes with those."""
        return await daemon.remove_notification(name, by=who.name)

    @api.post("/notifications/{name}/test", dependencies=admin)
    async def test(name: Name) -> NotificationTest:
        """Send a test message to a target now, and show what it said."""
        return await daemon.test_notification(name)
