"""Webhooks: tokens by which alerts from outside become signals of one deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervisor.client.call import Call, get, given, segment, send

if TYPE_CHECKING:
    from supervisor.schema.webhooks import WebhookCreated, WebhookView


def create_webhook(
    deployment_id: str, *, name: str | None = None, expires_in: float | str | None = None
) -> Call[WebhookCreated]:
    """Make a token for the alerts of a deployment; it is in the answer, once.

    ``expires_in`` is seconds, or text as ``90d``.
    """
    body = given(deployment_id=deployment_id, name=name, expires_in=expires_in)
    return send("POST", "webhooks", body)


def webhooks() -> Call[list[WebhookView]]:
    """Every webhook, without its token."""
    return get("webhooks")


def revoke_webhook(webhook_id: str) -> Call[WebhookView]:
    """Take a token back: the next alert with it is refused."""
    return send("DELETE", f"webhooks/{segment(webhook_id, 'webhook')}")
