"""How a command ends: the exit codes of docs/cli.md, and the one line that goes with a failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DONE = 0
FAILED = 1
USAGE = 2
NO_DAEMON = 3
NOT_FOUND = 4
REFUSED = 5
INTERRUPTED = 130
"""128 + SIGINT, as shells count."""

_CODE_OF_TYPE = {
    "urn:stratd:not-found": NOT_FOUND,
    "urn:stratd:refused": REFUSED,
    "urn:stratd:invalid": USAGE,
    "urn:stratd:failed": FAILED,
}


class CommandError(Exception):
    """The command cannot go on: ``code`` is its exit status, ``lines`` go to stderr, usually one."""

    def __init__(self, code: int, *lines: str, rule: str = "") -> None:
        self.code = code
        self.rule = rule
        """By which the daemon refused."""
        self.lines = lines
        super().__init__("\n".join(lines))


def of_problem(problem: Mapping[str, Any]) -> CommandError:
    """Return the error that a problem document (RFC 9457) of the daemon means for the command."""
    code = _CODE_OF_TYPE.get(str(problem.get("type")), FAILED)
    return CommandError(
        code,
        str(problem.get("title") or "the daemon refused without a reason"),
        rule=str(problem.get("rule") or ""),
    )
