"""The routes of webhooks: their tokens, and the alerts that come with one. No decision is made here."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Path, Response

from supervisor.api.caller import NOBODY, Caller, caller, needs
from supervisor.errors import Refused, Unauthenticated
from supervisor.schema.webhooks import AlertRequest, AlertResult, WebhookCreated, WebhookRequest, WebhookView

Who = Annotated[Caller, Depends(caller)]


class WebhookPort(Protocol):
    """The daemon, as these routes see it. Every method may raise the errors of supervisor/errors.py."""

    async def create_webhook(self, request: WebhookRequest, *, by: str) -> WebhookCreated:
        """Make a token; its text is in the answer and nowhere else."""
        ...

    async def webhooks(self) -> list[WebhookView]:
        """Return every webhook, the oldest first."""
        ...

    async def revoke_webhook(self, webhook_id: str, *, by: str) -> WebhookView:
        """Take a token back: the next alert with it is refused."""
        ...

    async def take_alert(self, deployment_id: str, alert: AlertRequest) -> AlertResult:
        """Have an alert judged as a signal of its deployment."""
        ...


def webhook_routes(api: APIRouter, daemon: WebhookPort) -> None:
    """Add the routes to ``api``."""
    # A token is a key that trades: who makes one may administer and trade.
    both = [needs("admin"), needs("trade")]

    @api.post("/webhooks", status_code=201, dependencies=both)
    async def create(request: WebhookRequest, response: Response, who: Who) -> WebhookCreated:
        """Make a token for the alerts of one deployment. It is in this answer, once."""
        response.headers["Cache-Control"] = "no-store"
        return await daemon.create_webhook(request, by=who.name)

    @api.get("/webhooks", dependencies=[needs("admin")])
    async def webhooks() -> list[WebhookView]:
        """Every webhook that there is, without its token."""
        return await daemon.webhooks()

    @api.delete("/webhooks/{webhook_id}", dependencies=[needs("admin")])
    async def revoke(webhook_id: Annotated[str, Path(max_length=64)], who: Who) -> WebhookView:
        """Take a token back: alerts with it are refused from the next one on."""
        return await daemon.revoke_webhook(webhook_id, by=who.name)

    # The path ends with the token, and no route sees that: the door has put its id in the place.
    @api.post("/webhooks/{webhook_id}")
    async def take(
        webhook_id: Annotated[str, Path(max_length=200)],  # noqa: ARG001  (as above)
        alert: AlertRequest,
        who: Who,
    ) -> AlertResult:
        """Hand in an alert: it is judged as a signal of the deployment that the token is for."""
        if who == NOBODY:
            raise Unauthenticated("the path has to end with a webhook's token (`stratd webhooks create`)")
        if not who.webhook:
            raise Refused("webhook", f"the key {who.key} is no webhook's token: it hands in no alerts")
        return await daemon.take_alert(who.webhook, alert)
