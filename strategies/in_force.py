"""Which parameters a strategy goes by: those of its birth, then each set that it was given and took.

Rules of this file. A set is taken whole or not at all: what the strategy refuses, by raising, changes
nothing. It is taken once: said again (another engine, another instance), it is no news. Where a restart goes
on from a checkpoint, the set of the checkpoint is in force again before the strategy loads its state, and
what was published since brings the others, each in its place; so a replay goes by the same set at every
event. A set that differs in more than what may be updated is of settings from before an operator's change: it
counts no more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from strategies.api import IStrategy
from strategies.books import Books
from strategies.context import Context
from strategies.differing import differing
from strategies.outputs import PARAMETERS_UPDATED
from strategies.wall import Wall


class InForce:
    """Of one host, whose parts these are. ``updatable`` names what may change; None is everything."""

    __slots__ = ("_books", "_ctx", "_strategy", "_updatable", "_wall")

    def __init__(
        self, strategy: IStrategy, ctx: Context, wall: Wall, books: Books, updatable: Collection[str] | None
    ) -> None:
        self._strategy = strategy
        self._ctx = ctx
        self._wall = wall
        self._books = books
        self._updatable = updatable

    def take(self, wanted: Mapping[str, Any]) -> None:
        """Have ``wanted`` in force and tell the strategy, unless it is so already or may not be."""
        ctx, old = self._ctx, self._ctx.params
        changed = differing(old, wanted)
        if not changed or not self._may(changed):
            return

        def told() -> bool:
            self._strategy.on_parameters_updated(old, wanted)
            return True

        ctx.params = wanted
        taken = False
        try:
            taken = self._wall.call(PARAMETERS_UPDATED, self._books.now, told) is not None
        finally:
            if not taken:
                ctx.params = old

    def kept(self) -> dict[str, Any] | None:
        """Return what a checkpoint remembers; None where nothing can change."""
        return None if self._updatable is not None and not self._updatable else dict(self._ctx.params)

    def _may(self, changed: Collection[str]) -> bool:
        return self._updatable is None or set(changed) <= set(self._updatable)
