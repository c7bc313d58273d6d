"""What operators ask of a strategy: a command, which may change it, and ``inspect``, which only looks.

Rules of this file. Whoever asked gets the answer, or the one line of why there is none: what goes wrong here
is told and not counted towards the end of the strategy. A command is part of what a strategy is told, so a
restart tells it again in its place; ``inspect`` is not, so it can neither draw from ``ctx.rng`` nor set a
timer, and what it writes into ``ctx.kv`` is taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bus.messages import Commanded, Inspect, Signal
from strategies import json_values
from strategies.api import IStrategy
from strategies.books import Books
from strategies.context import Context
from strategies.errors import JsonRefused
from strategies.outputs import Answered, Update
from strategies.wall import Wall


class Questions:
    """Of one host, whose parts these are."""

    def __init__(
        self,
        strategy: IStrategy,
        ctx: Context,
        *,
        wall: Wall,
        books: Books,
        update: Callable[[Update], None],
    ) -> None:
        self._strategy = strategy
        self._ctx = ctx
        self._wall = wall
        self._books = books
        self._update = update

    def command(self, event: Commanded) -> list[Signal]:
        """Hand a command to the strategy. It returns an answer, and no signals."""

        def run() -> bytes:
            payload = json_values.unpack(event.payload, "the payload")
            return json_values.pack(
                self._strategy.on_command(event.name, payload), "the answer", unknown=True
            )

        self._answer("on_command", event.request, run)
        return []

    def inspect(self, event: Inspect) -> list[Signal]:
        """Ask what a screen should show."""

        def run() -> bytes:
            with self._ctx.looking("inspect"):
                shown = self._strategy.inspect()
                if not isinstance(shown, Mapping):
                    raise JsonRefused(f"inspect returned {type(shown).__name__}, not a mapping")
                return json_values.pack(shown, "what inspect returned", unknown=True)

        self._answer("inspect", event.request, run)
        return []

    def _answer(self, name: str, request: int, run: Callable[[], bytes]) -> None:
        data, why = self._wall.attempt(name, self._books.now, run)
        # An error's own text may be none that can be sent (half a surrogate pair).
        self._update(Answered(request, data or b"", why.encode(errors="replace").decode()))
