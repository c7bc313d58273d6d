"""The two roots of every body."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Request(BaseModel):
    """A body that came in: frozen, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _is_text(cls, given: Any) -> Any:
        # JSON can say "\\ud800" (RFC 8259, 8.2), which no answer, database or file can be told again.
        if (found := half_a_pair(given)) is not None:
            raise ValueError(f"{found[:80]!a} holds half of a surrogate pair, which is no text")
        return given


class View(BaseModel):
    """A body that goes out. An older CLI ignores fields that a newer daemon added."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def half_a_pair(given: Any) -> str | None:
    """Return the first string in ``given``, names of fields included, that UTF-8 has no form for, else None.

    Without recursion: how deep a body goes is its author's business.
    """
    rest = [given]
    while rest:
        one = rest.pop()
        if isinstance(one, dict):
            rest += [*one, *one.values()]
        elif isinstance(one, list):
            rest += one
        elif isinstance(one, str) and not one.isascii() and any("\ud800" <= sign <= "\udfff" for sign in one):
            return one
    return None
