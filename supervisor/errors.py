"""What can go wrong in the supervisor, as seen by whoever asked it for something.

::

    StratdError
    ├── NotFound       no such deployment, strategy, feed or account
    ├── Refused        a quota, a policy, a latch or a permission says no; names its rule
    ├── Unauthenticated    who asks did not say who it is, or not truly
    ├── Stale          what was to be changed has changed since it was read
    ├── Failed         understood, tried, and it did not work
    │   ├── Unavailable    what would answer cannot be read now; asking again may help
    │   └── Late           no answer came in time; it may still be done
    ├── Unsupported    understood, and this version cannot do it
    └── Invalid        the request or the settings are wrong; holds every error at once
        └── SettingsError   the daemon's own configuration

``str()`` of each is one line for a person: what was wrong and, where one can say, what to do. The HTTP
API turns them into RFC 9457 problems (supervisor/api/problems.py), the CLI into exit codes (docs/cli.md).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from strategies.nearest import LONGEST

CREATES = "--strategy NAME creates a new one"
"""Advice for a ``start`` of an id that no deployment has."""

MOST_COMPARED = 10
"""Unknown names of one request for which near ones are looked for."""


class StratdError(Exception):
    """Root of every error that stratd raises on purpose."""


class NotFound(StratdError):
    """There is no ``kind`` (deployment, strategy, feed, account) called ``name``; ``near`` are alike.

    ``advice`` is what to do if none of those was meant, a clause.
    """

    def __init__(self, kind: str, name: str, near: Sequence[str] = (), advice: str = "") -> None:
        self.kind = kind
        self.name = name
        self.near = tuple(near)
        otherwise = f" ({advice})" if advice else ""
        super().__init__(f"no {kind} {name!r}{did_you_mean(self.near)}{otherwise}")


class Refused(StratdError):
    """Not allowed by ``rule``, a stable id such as ``max_concurrent``; ``detail`` is a sentence."""

    def __init__(self, rule: str, detail: str) -> None:
        self.rule = rule
        self.detail = detail
        super().__init__(f"refused by {rule}: {detail}")


class Unauthenticated(StratdError):
    """A key is missing, wrong or expired; the sentence does not say which secret it was."""


class Stale(StratdError):
    """What was to be changed is no longer what was read; ``tag`` is its entity tag now, "" if it is gone."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        now = f"changed since it was read (its ETag is {tag} now)" if tag else "it is not there (If-Match)"
        super().__init__(f"{now}: read it again, then decide")


class Failed(StratdError):
    """Understood and tried, and it did not work; ``detail`` says why."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)


class Unavailable(Failed):
    """Who or what would answer is gone or cannot be read: nothing is said rather than something made up."""


class Late(Failed):
    """No answer came in the time given: whether it was done, or will be, is not known."""


class Unsupported(StratdError):
    """Understood, and this version of stratd cannot do it."""


class Invalid(StratdError):
    """What was asked for is wrong. ``errors`` holds one line a mistake, all of them at once."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(self.errors))


class SettingsError(Invalid):
    """The daemon's settings are wrong. Each line names file and line, or variable; value; what is allowed."""


def near_matches(name: str, known: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Names in ``known`` that someone who typed ``name`` may have meant, the likeliest first.

    It costs some 20 us a known name, so whoever is asked for many names compares a few (``MOST_COMPARED``).
    """
    if len(name) > LONGEST:
        return ()
    by_folded = {candidate.casefold(): candidate for candidate in known}
    if not by_folded:
        return ()  # before difflib learns the name by heart
    close = difflib.get_close_matches(name.casefold(), by_folded, n=limit, cutoff=0.6)
    started = sorted(
        folded for folded in by_folded if folded.startswith(name.casefold()) and folded not in close
    )
    return tuple(by_folded[folded] for folded in (*close, *started)[:limit])


def did_you_mean(near: Sequence[str]) -> str:
    """``"; did you mean 'a' or 'b'?"``, or nothing when nothing is near."""
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
