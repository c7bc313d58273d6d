"""What the API asks of webhooks, kept in a dict: the part of ``FakeDaemon`` that ``WebhookPort`` names."""

from __future__ import annotations

from supervisor.errors import NotFound, StratdError
from supervisor.schema.webhooks import AlertRequest, AlertResult, WebhookCreated, WebhookRequest, WebhookView


class FakeWebhooks:
    calls: list[tuple[object, ...]]
    fail: StratdError | Exception | None

    def __init__(self) -> None:
        self.hooks: dict[str, WebhookView] = {}

    async def create_webhook(self, request: WebhookRequest, *, by: str) -> WebhookCreated:
        if self.fail:
            raise self.fail
        made = WebhookView(
            id=f"{len(self.hooks):012x}", name=request.name, deployment_id=request.deployment_id,
            created_at=1, created_by=by,
        )  # fmt: skip
        self.hooks[made.id] = made
        token = f"stratd_{made.id}_{'0' * 64}"
        return WebhookCreated(**made.model_dump(), token=token, path=f"/api/v1/webhooks/{token}")

    async def webhooks(self) -> list[WebhookView]:
        return list(self.hooks.values())

    async def revoke_webhook(self, webhook_id: str, *, by: str) -> WebhookView:
        if webhook_id not in self.hooks:
            raise NotFound("webhook", webhook_id)
        self.calls.append(("revoke webhook", webhook_id, by))
        return self.hooks.pop(webhook_id)

    async def take_alert(self, deployment_id: str, alert: AlertRequest) -> AlertResult:
        if self.fail:
            raise self.fail
        self.calls.append(("alert", deployment_id, alert))
        return AlertResult(deployment_id=deployment_id, signal_id="s1", verdict="accepted")
