"""The two roots of every body."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Request(BaseModel):
    """A body that came in: frozen, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class View(BaseModel):
    """A body that goes out. An older CLI ignores fields that a newer daemon added."""

    model_config = ConfigDict(frozen=True, extra="ignore")
