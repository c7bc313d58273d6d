"""One line a check as it ends, and the closing line that counts them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

BEGAN = time.monotonic()


class Skip(Exception):
    """This host cannot show it; the message says why."""


class Report:
    """Runs checks one after the other, whatever becomes of one."""

    def __init__(self, why: Callable[[], str]) -> None:
        self._why = why
        """What to print of a failure besides: what the host's own log says."""
        self.passed = self.failed = self.skipped = 0

    def check(self, what: str, act: Callable[[], object]) -> None:
        """Run ``act``; it fails by raising, and what it returns is told with the line."""
        try:
            detail = act()
        except Skip as reason:
            self.skipped += 1
            self._say("skip", what, reason)
        except Exception as error:  # the wall between checks: one that fails is told, the next one is run
            self.failed += 1
            self._say("FAIL", what, f"{type(error).__name__}: {error}")
            print(self._why(), flush=True)
        else:
            self.passed += 1
            self._say("ok", what, detail)

    def _say(self, word: str, what: str, detail: object) -> None:
        after = f"  ({detail})" if detail not in {None, ""} else ""
        print(f"{word:4} [{time.monotonic() - BEGAN:5.1f}s] {what}{after}", flush=True)

    def close(self) -> int:
        """Print the closing line; return the exit status."""
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        sys.stdout.flush()
        return 1 if self.failed or not self.passed else 0
