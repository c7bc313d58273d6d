"""Targets of notifications: who is told of what happens."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)
from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from supervisor.schema.base import Request, View

TargetKind: TypeAlias = Literal["webhook", "slack", "telegram", "email"]
Severity: TypeAlias = Literal["info", "warning", "critical"]
Line: TypeAlias = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")]
Secret: TypeAlias = str
"""What is wrong with one is said by ``notifying.target.mistakes``: a bound here would show its value."""
Globs: TypeAlias = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=100)]], Field(min_length=1, max_length=100)
]


class NotificationRequest(Request):
    """``notifications add``. Which of the fields from ``url`` on a ``kind`` takes: docs/notifications.md.

    ``every``: seconds between two messages, at least.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
    kind: TargetKind
    enabled: bool = True
    events: Globs = ["*"]
    severity: Severity = "warning"
    deployments: Globs = ["*"]
    accounts: Globs = ["*"]
    every: Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)] = 10.0
    url: Secret | None = None
    secret: Secret | None = None
    token: Secret | None = None
    chat: Annotated[Line, Field(max_length=100)] | None = None
    host: Line | None = None
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    user: Line | None = None
    password: Secret | None = None
    sender: Line | None = None
    to: Annotated[list[Line], Field(min_length=1, max_length=20)] | None = None
    security: Literal["starttls", "tls", "none"] | None = None


class NotificationView(View):
    """One target, without its secrets. Instants are unix ns; counts are since the daemon began.

    ``state``: ``ok``, ``failing`` (tried again), ``cut_off`` (tried seldom), ``off``, ``opening``.
    """

    name: str
    kind: TargetKind
    where: str
    origin: Literal["settings", "api"]
    """Where it was said: a target of the settings goes with them only."""
    enabled: bool
    events: list[str]
    severity: Severity
    deployments: list[str]
    accounts: list[str]
    every: float
    state: Literal["ok", "failing", "cut_off", "off", "opening"]
    seen: int | None = None
    """The number of the event up to which nothing is left to be told."""
    lag: int = 0
    """Events since, whether it is to be told of them or not."""
    waiting: int = 0
    """Events that it is still to be told of."""
    delivered: int = 0
    """Messages that it took."""
    dropped: int = 0
    """Messages that it refused for good."""
    failures: int = 0
    """Attempts that came to nothing."""
    last_error: str = ""
    last_error_at: int | None = None
    last_delivered_at: int | None = None


class NotificationTest(View):
    """What came of a test message; ``detail`` is what the target said, or why it was not delivered."""

    name: str
    delivered: bool
    detail: str = ""
    took_ms: float
