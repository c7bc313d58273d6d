"""Keys and webhooks as tables. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from cli.tables import Column, Sheet, clean, columns
from cli.words import NOTHING, instant
from supervisor.schema.keys import KeyView
from supervisor.schema.webhooks import WebhookView


def keys(known: Sequence[KeyView]) -> Sheet:
    """One row a key, the oldest first."""
    return Sheet(
        columns("ID", Column("NAME", 1, flexible=True), "SCOPES", "ACCOUNT", "EXPIRES", Column("USED", 2)),
        tuple(
            (
                one.id,
                clean(one.name) or NOTHING,
                " ".join(one.scopes),
                one.account or "all",
                _until(one),
                NOTHING if one.used_at is None else instant(one.used_at),
            )
            for one in sorted(known, key=lambda one: one.created_at)
        ),
        "no keys; 'stratd keys create' makes one",
    )


def webhooks(known: Sequence[WebhookView]) -> Sheet:
    """One row a webhook, the oldest first."""
    return Sheet(
        columns(
            "ID", Column("NAME", 1, flexible=True), "DEPLOYMENT", "ACCOUNT", "EXPIRES", Column("USED", 2)
        ),
        tuple(
            (
                one.id,
                clean(one.name) or NOTHING,
                one.deployment_id,
                one.account or NOTHING,
                _until(one),
                NOTHING if one.used_at is None else instant(one.used_at),
            )
            for one in sorted(known, key=lambda one: one.created_at)
        ),
        "no webhooks; 'stratd webhooks create DEPLOYMENT' makes one",
    )


def _until(one: KeyView | WebhookView) -> str:
    return "expired" if one.expired else NOTHING if one.expires_at is None else instant(one.expires_at)
