"""What the API asks of webhooks, answered for one daemon."""

from __future__ import annotations

import time

from supervisor.alerts import STRATEGY
from supervisor.daemon import Daemon
from supervisor.errors import NotFound, Refused, near_matches
from supervisor.keys import hooks
from supervisor.keys.keyring import Keyring
from supervisor.keys.record import KeyRecord
from supervisor.schema.webhooks import AlertRequest, AlertResult, WebhookCreated, WebhookRequest, WebhookView
from supervisor.selection import find


class Webhooks:
    """``supervisor.api.routes.webhooks.WebhookPort``; a part of ``Port``."""

    _daemon: Daemon
    keyring: Keyring

    async def create_webhook(self, request: WebhookRequest, *, by: str) -> WebhookCreated:
        """Make a token for a deployment of the strategy that is there for alerts; it is shown once."""
        mine = find(self._daemon.actors, request.deployment_id).deployment
        if mine.strategy != STRATEGY:
            raise Refused(
                "webhook_strategy",
                f"{mine.id} runs {mine.strategy!r}: alerts are for a deployment of {STRATEGY!r}, which "
                "has no will of its own",
            )
        lasts = request.expires_in
        record, token = await self.keyring.create(
            name=request.name,
            scopes=[hooks.scope_of(mine.id)],
            account=mine.account,
            expires_at=None if lasts is None else time.time_ns() + round(lasts * 1e9),
            by=by,
        )
        return WebhookCreated(**_view(record).model_dump(), token=token, path=hooks.PATH + token)

    async def webhooks(self) -> list[WebhookView]:
        """Return every webhook, the oldest first."""
        return [_view(record) for record in self.keyring.records() if hooks.deployment_of(record)]

    async def revoke_webhook(self, webhook_id: str, *, by: str) -> WebhookView:
        """Take a token back: the next alert with it is refused."""
        known = {one.id: one for one in self.keyring.records() if hooks.deployment_of(one)}
        if webhook_id not in known:
            raise NotFound("webhook", webhook_id, near_matches(webhook_id, known))
        return _view(await self.keyring.revoke(webhook_id, by=by))

    async def take_alert(self, deployment_id: str, alert: AlertRequest) -> AlertResult:
        """Have an alert judged as a signal of its deployment."""
        return await self._daemon.alerts.take(deployment_id, alert)

    async def drop_webhooks(self, deployment_id: str) -> None:
        """Take back every token of a deployment that was removed: another of its name is another."""
        for record in self.keyring.records():
            if hooks.deployment_of(record) == deployment_id:
                await self.keyring.revoke(record.id, by=f"the removal of {deployment_id}")


def _view(record: KeyRecord) -> WebhookView:
    return WebhookView(
        id=record.id,
        name=record.name,
        deployment_id=hooks.deployment_of(record),
        account=record.account or None,
        created_at=record.created_at,
        created_by=record.created_by,
        expires_at=record.expires_at,
        expired=record.expired(time.time_ns()),
        used_at=record.used_at,
    )
