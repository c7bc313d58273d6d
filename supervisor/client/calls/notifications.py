"""Notifications: who is told of what happens, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from supervisor.client.call import Call, get, given, listed, segment, send

if TYPE_CHECKING:
    from supervisor.schema.notifications import NotificationTest, NotificationView


def notifications() -> Call[list[NotificationView]]:
    """Every target, how it goes, and what it said last; without its secrets."""
    return get("notifications")


def add_notification(
    name: str,
    kind: Literal["webhook", "slack", "telegram", "email"],
    *,
    enabled: bool | None = None,
    events: Sequence[str] | None = None,
    severity: Literal["info", "warning", "critical"] | None = None,
    deployments: Sequence[str] | None = None,
    accounts: Sequence[str] | None = None,
    every: float | None = None,
    url: str | None = None,
    secret: str | None = None,
    token: str | None = None,
    chat: str | None = None,
    host: str | None = None,
    port: int | None = None,
    user: str | None = None,
    password: str | None = None,
    sender: str | None = None,
    to: Sequence[str] | None = None,
    security: Literal["starttls", "tls", "none"] | None = None,
) -> Call[NotificationView]:
    """Have a target told of what happens from now on.

    ``events``, ``deployments`` and ``accounts`` are globs; ``every``: seconds between two messages.
    Which of the others a kind takes: docs/notifications.md.
    """
    body = given(
        name=name,
        kind=kind,
        enabled=enabled,
        events=listed(events),
        severity=severity,
        deployments=listed(deployments),
        accounts=listed(accounts),
        every=every,
        url=url,
        secret=secret,
        token=token,
        chat=chat,
        host=host,
        port=port,
        user=user,
        password=password,
        sender=sender,
        to=listed(to),
        security=security,
    )
    return send("POST", "notifications", body)


def remove_notification(name: str) -> Call[NotificationView]:
    """Tell a target no more; one of the settings goes with those."""
    return send("DELETE", f"notifications/{segment(name, 'target')}")


def test_notification(name: str) -> Call[NotificationTest]:
    """Send a test message to a target now, and return what it said."""
    return send("POST", f"notifications/{segment(name, 'target')}/test")
