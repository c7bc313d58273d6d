"""Targets as views: what is told of one to people and to metrics."""

from __future__ import annotations

from supervisor.notifying.dispatcher import Dispatcher
from supervisor.notifying.target import Target
from supervisor.schema.notifications import NotificationView


def views(dispatcher: Dispatcher) -> list[NotificationView]:
    """Return every target, by name."""
    return [view(dispatcher, one) for _, one in sorted(dispatcher.targets().items())]


def view(dispatcher: Dispatcher, target: Target) -> NotificationView:
    """Return one target as people see it: without its secrets, and with what has become of its messages."""
    postman = dispatcher.postman(target.name)
    found = NotificationView(
        name=target.name,
        kind=target.kind,
        where=target.where,
        origin="settings" if dispatcher.is_configured(target.name) else "api",
        enabled=target.enabled,
        events=list(target.events),
        severity=target.severity,
        deployments=list(target.deployments),
        accounts=list(target.accounts),
        every=target.every,
        state="opening" if target.enabled else "off",
    )
    if postman is None:
        return found
    tallies = postman.tallies
    return found.model_copy(
        update={
            "state": postman.state,
            "seen": postman.at,
            "lag": max(0, dispatcher.last - postman.at),
            "waiting": postman.waiting,
            "delivered": tallies.delivered,
            "dropped": tallies.dropped,
            "failures": tallies.failures,
            "last_error": tallies.last_error,
            "last_error_at": tallies.last_error_at,
            "last_delivered_at": tallies.last_delivered_at,
        }
    )
