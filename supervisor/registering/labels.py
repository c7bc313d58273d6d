"""What people call a registered version: words beside its content, which can be changed. Pure.

A version never changes: its hash is over all that was handed in, config.json with its title, description and
type among it. Words that are given later stand beside it, of this one version, and say nothing of how it
trades; a new version brings words of its own.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct, structs

from strategies.plugins import Found

WORDS: Final = ("title", "description", "type")
"""What can be said of a version beside its content."""


class Label(Struct, frozen=True, kw_only=True):
    """Words for one version, None where those of its config.json stand; ``at`` unix ns, the last change."""

    name: str
    version: str
    title: str | None = None
    description: str | None = None
    type: str | None = None
    at: int
    by: str

    @property
    def words(self) -> dict[str, str]:
        """What it says, without what it leaves as it is."""
        said = ((name, getattr(self, name)) for name in WORDS)
        return {name: word for name, word in said if word is not None}


def labelled(found: Found, label: Label | None) -> Found:
    """Return what was found, in the words of its label."""
    changed: dict[str, Any] = {} if label is None else label.words
    return structs.replace(found, **changed) if changed else found
