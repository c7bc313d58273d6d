"""Notifications kept in a dict: the part of ``FakeDaemon`` that ``NotificationPort`` names."""

from __future__ import annotations

from supervisor.errors import Invalid, NotFound, Refused, StratdError
from supervisor.notifying.target import mistakes, target_of
from supervisor.schema.notifications import NotificationRequest, NotificationTest, NotificationView


class FakeNotifications:
    fail: StratdError | Exception | None

    def __init__(self) -> None:
        self.targets: dict[str, NotificationView] = {}
        self.answer = NotificationTest(name="team", delivered=True, detail="200 ok", took_ms=1.5)

    async def notifications(self) -> list[NotificationView]:
        return [self.targets[name] for name in sorted(self.targets)]

    async def add_notification(self, request: NotificationRequest, *, by: str) -> NotificationView:
        if self.fail:
            raise self.fail
        said = request.model_dump()
        target = target_of(said.pop("name"), said)
        if wrong := mistakes(target):
            raise Invalid(wrong)
        if target.name in self.targets:
            raise Refused("target_exists", f"there is a target {target.name!r} already: remove it first")
        made = NotificationView(
            name=target.name, kind=target.kind, where=target.where, origin="api", enabled=target.enabled,
            events=list(target.events), severity=target.severity, deployments=list(target.deployments),
            accounts=list(target.accounts), every=target.every, state="ok",
        )  # fmt: skip
        self.targets[target.name] = made
        return made

    async def remove_notification(self, name: str, *, by: str) -> NotificationView:
        if name not in self.targets:
            raise NotFound("target", name)
        return self.targets.pop(name)

    async def test_notification(self, name: str) -> NotificationTest:
        if name not in self.targets:
            raise NotFound("target", name)
        return self.answer.model_copy(update={"name": name})
