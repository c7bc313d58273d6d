"""The wall around a strategy's code: what an exception becomes, and when there are too many.

Here, and nowhere else in this package, ``Exception`` of an author is caught. ``MemoryError`` is let
through: the process is at its memory limit and its death should say so. ``SystemExit`` and
``KeyboardInterrupt`` are no ``Exception``: the author's own exit is the runner's business.
"""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import Final, TypeVar

from strategies.errors import TooManyErrors
from strategies.outputs import Fault, Update, bounded

R = TypeVar("R")
MINUTE: Final = 60 * 10**9


class ErrorBudget:
    """How many errors are too many: ``in_a_row`` callbacks, or ``per_minute`` of event time."""

    __slots__ = ("_in_a_row", "_per_minute", "_recent", "_row")

    def __init__(self, in_a_row: int, per_minute: int) -> None:
        self._in_a_row = in_a_row
        self._per_minute = per_minute
        self._row = 0
        self._recent: deque[int] = deque(maxlen=per_minute)

    def passed(self) -> None:
        """Take a callback that went well."""
        self._row = 0

    def failed(self, now: int) -> str:
        """Take an error at event time ``now``; return why that is too many, or ``""``."""
        self._row += 1
        self._recent.append(now)
        if self._row >= self._in_a_row:
            return f"{self._row} callbacks in a row raised"
        if len(self._recent) == self._per_minute and now - self._recent[0] < MINUTE:
            return f"{self._per_minute} errors within a minute"
        return ""


class Wall:
    """Calls into a strategy; ``current`` and ``started`` (monotonic ns) tell a watchdog what runs."""

    __slots__ = ("_budget", "_monotonic", "_on_call", "_update", "current", "errors", "patient", "started")

    def __init__(
        self,
        budget: ErrorBudget,
        update: Callable[[Update], None],
        on_call: Callable[[str], None] | None,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._budget = budget
        self._update = update
        self._on_call = on_call
        self._monotonic = monotonic
        self.current = ""
        self.started = 0
        self.errors = 0
        self.patient = False
        """Whether errors are only counted and told, however many: the orderly end."""

    def enter(self, name: str) -> None:
        """Note that the callback ``name`` begins."""
        self.current = name
        self.started = self._monotonic()
        if self._on_call is not None:
            self._on_call(name)

    def leave(self) -> None:
        """Note that no callback runs."""
        self.current = ""

    def call(self, name: str, now: int, run: Callable[[], R], *, forgives: bool = False) -> R | None:
        """Return what ``run`` returns, or None if it raised, which is then counted and told.

        ``TooManyErrors`` ends the strategy, unless this call ``forgives``. After any other ``BaseException``
        ``current`` still names the callback, for whoever reports the death.
        """
        self.enter(name)
        try:
            result = run()
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 (this is the wall)
            self.leave()
            self._failed(name, now, error, forgives=forgives)
            return None
        self.leave()
        if not forgives:
            self._budget.passed()
        return result

    def attempt(self, name: str, now: int, run: Callable[[], R]) -> tuple[R | None, str]:
        """Return what ``run`` returns, or None and the one line of what it raised, which is told, too.

        Whoever asked hears of it, and asked for it: it does not count towards the budget.
        """
        self.enter(name)
        try:
            result = run()
        except MemoryError:
            raise
        except NotImplementedError as error:  # its own word: nothing went wrong in it
            self.leave()
            return None, bounded(one_line(error), 1_000)
        except Exception as error:  # noqa: BLE001 (this is the wall)
            self.leave()
            self._failed(name, now, error, forgives=True)
            return None, bounded(one_line(error), 1_000)
        self.leave()
        return result, ""

    def report(self, name: str, now: int, error: BaseException) -> None:
        """Tell of an error without counting it towards the budget."""
        self._update(Fault(name, bounded(one_line(error), 1_024), _authors_frames(error), now))

    def _failed(self, name: str, now: int, error: Exception, *, forgives: bool) -> None:
        self.errors += 1
        self.report(name, now, error)
        why = "" if forgives else self._budget.failed(now)
        if why and not self.patient:
            raise TooManyErrors(f"{why}; the last in {name}: {bounded(one_line(error), 512)}") from error


def one_line(error: BaseException) -> str:
    """Return ``Kind: message`` of an error, whatever its own ``__str__`` does."""
    return traceback.format_exception_only(error)[-1].strip()


def _authors_frames(error: BaseException) -> str:
    """Return the traceback from the author's first frame on: ours above it tell an author nothing."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(_OURS):
        trace = trace.tb_next
    return bounded("".join(traceback.format_exception(type(error), error, trace or error.__traceback__)))


_OURS: Final = (
    "strategies.wall",
    "strategies.host",
    "strategies.in_force",
    "strategies.market",
    "strategies.calls",
    "strategies.questions",
    "strategies.stamping",
)
