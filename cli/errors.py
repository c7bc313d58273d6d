"""How a command ends: the exit codes of docs/cli.md, and the one line that goes with a failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from supervisor.client import errors

DONE = 0
FAILED = 1
USAGE = 2
NO_DAEMON = 3
NOT_FOUND = 4
REFUSED = 5
INTERRUPTED = 130
"""128 + SIGINT, as shells count."""

_CODES: Final[tuple[tuple[type[errors.ClientError], int], ...]] = (
    (errors.NotFound, NOT_FOUND),
    (errors.Refused, REFUSED),
    (errors.Invalid, USAGE),
    (errors.Unsendable, USAGE),
)
"""What is none of these failed."""

_LISTED_BY: Final = {
    "account": "stratd account list",
    "deployment": "stratd ps",
    "key": "stratd keys list",
    "registered strategy": "stratd strategies",
    "strategy": "stratd strategies",
    "webhook": "stratd webhooks list",
}
"""What lists the names of a kind, of which the daemon knows no near one."""


class CommandError(Exception):
    """The command cannot go on: ``code`` is its exit status, ``lines`` go to stderr, usually one."""

    def __init__(self, code: int, *lines: str, rule: str = "") -> None:
        self.code = code
        self.rule = rule
        """By which the daemon refused."""
        self.lines = lines
        super().__init__("\n".join(lines))


class DaemonGone(CommandError):
    """Nobody answers, or the daemon went away in the middle of an answer; it may come back."""


def command_error(error: errors.ClientError) -> CommandError:
    """Return how a command ends with an error of the client."""
    if isinstance(error, errors.Unreachable):
        begun = isinstance(error, errors.BrokenOff) and error.begun
        return DaemonGone(FAILED if begun else NO_DAEMON, str(error))
    code = next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)
    rule = error.rule if isinstance(error, errors.Answered) else ""
    return CommandError(code, f"{error}{_advice(error)}", rule=rule)


def _advice(error: errors.ClientError) -> str:
    """Say what to type next, where the daemon's own words leave that open."""
    if isinstance(error, errors.Unauthorized):
        return "; this command takes it from STRATD_API_KEY"
    if isinstance(error, errors.NotFound) and not error.near and not str(error).endswith(")"):
        lists = _LISTED_BY.get(error.detail)
        return f" (`{lists}` lists what there is)" if lists else ""
    return ""


def of_problem(problem: Mapping[str, Any]) -> CommandError:
    """Return the error that a problem document (RFC 9457) of the daemon means for the command."""
    return command_error(errors.of_problem(problem))
