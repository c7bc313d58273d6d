"""The two roots of every body."""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, model_validator

MOST_FIELDS: Final = 100
"""Fields of a body; each that is unknown is a mistake that is told."""


class Request(BaseModel):
    """A body that came in: frozen, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _is_text(cls, given: Any) -> Any:
        return text_only(few(given, MOST_FIELDS))


class View(BaseModel):
    """A body that goes out. An older CLI ignores fields that a newer daemon added."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def text_only(given: Any) -> Any:
    """Return ``given``; raises ``ValueError`` if a string in it is no text."""
    # JSON can say "\\ud800" (RFC 8259, 8.2), which no answer, database or file can be told again.
    if (found := half_a_pair(given)) is not None:
        raise ValueError(f"{found[:80]!a} holds half of a surrogate pair, which is no text")
    return given


def few(given: Any, most: int = 1000) -> Any:
    """Return ``given``; ``ValueError`` for an object of over ``most`` fields, of which none is looked at."""
    if isinstance(given, dict) and len(given) > most:
        raise ValueError(f"has {len(given):,} fields, at most {most:,} are taken")
    return given


def half_a_pair(given: Any) -> str | None:
    """Return the first string in ``given``, names of fields too, that UTF-8 has no form for, else None."""
    try:
        # All of it at once, by the interpreter: to look at each part of a large body takes the loop a second.
        json.dumps(given, ensure_ascii=False).encode()
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError):
        return _search(given)
    return None


def _search(given: Any) -> str | None:
    # Without recursion: how deep a body goes is its author's business.
    rest = [given]
    while rest:
        one = rest.pop()
        if isinstance(one, dict):
            rest += [*one, *one.values()]
        elif isinstance(one, list):
            rest += one
        elif isinstance(one, str) and not _is_text(one):
            return one
    return None


def _is_text(one: str) -> bool:
    try:
        one.encode()
    except UnicodeEncodeError:
        return False
    return True
