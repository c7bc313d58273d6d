"""``[notifications.NAME]``: who is told of what happens, and where (docs/notifications.md)."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)

from __future__ import annotations

import os
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from supervisor.config.sections import Duration, Int, Section
from supervisor.notifying.severity import Severity
from supervisor.notifying.target import Kind, Security, Target, mistakes, target_of


def _split(value: object) -> object:
    # One string is written as PATH is: the only way to say a list in a variable.
    return [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value


def _text(value: object) -> object:
    # Telegram numbers its chats, and a number is what people write.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, Field(max_length=1000)]
Glob = Annotated[str, Field(min_length=1, max_length=100)]
Globs = Annotated[list[Glob], BeforeValidator(_split), Field(min_length=1, max_length=100)]
Secret = Annotated[SecretStr, Field(min_length=1, max_length=2000)]


class Notification(Section):
    """``[notifications.NAME]``; ``kind`` says which of the others it takes."""

    kind: Kind
    enabled: bool = True
    events: Globs = ["*"]
    severity: Severity = "warning"
    deployments: Globs = ["*"]
    accounts: Globs = ["*"]
    every: Annotated[Duration, Field(ge=1, le=86_400)] = 10.0
    """Between two messages, at least; what happens meanwhile goes together into the next."""
    url: Secret | None = None
    secret: Secret | None = None
    """Signs webhooks."""
    token: Secret | None = None
    """A webhook's bearer token; a Telegram bot's."""
    chat: Annotated[str, BeforeValidator(_text), Field(max_length=100)] | None = None
    host: Text | None = None
    port: Annotated[Int, Field(ge=1, le=65_535)] | None = None
    user: Text | None = None
    password: Secret | None = None
    sender: Text | None = None
    to: Annotated[list[Text], BeforeValidator(_split), Field(max_length=20)] | None = None
    security: Security | None = None

    @model_validator(mode="after")
    def _whole(self) -> Notification:
        if wrong := mistakes(self.target("x")):
            raise ValueError("; ".join(wrong))
        return self

    def target(self, name: str) -> Target:
        """Return it as it is told."""
        given: dict[str, Any] = {field: getattr(self, field) for field in type(self).model_fields}
        return target_of(
            name,
            {
                field: value.get_secret_value() if isinstance(value, SecretStr) else value
                for field, value in given.items()
            },
        )
