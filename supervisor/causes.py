"""By which request something was caused, for as long as that is so: what is logged then carries its id.

A context is copied wherever a task, a timer or a reader of a descriptor is made (contextvars), and most of
them outlive the request in which they were: a deployment's own task would carry the id of the request that
created it for ever. So what is bound is no id but a ``Cause``, which ends with its request, and with what is
still done for it; from then on nobody carries it, whatever was copied.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

import structlog

FIELD: Final = "request_id"


class Cause:
    """A request by its id, held once by itself, and once by each that goes on with its work."""

    __slots__ = ("_holders", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._holders = 1

    @property
    def lasts(self) -> bool:
        """Whether anybody still works for it."""
        return self._holders > 0

    def hold(self) -> None:
        """Keep it: what is begun for it will go on."""
        self._holders += 1

    def release(self) -> None:
        """Let go of it, once a ``hold`` and once for itself."""
        self._holders -= 1


def current() -> Cause | None:
    """Return the request that is worked on here, None outside of any."""
    found = structlog.contextvars.get_contextvars().get(FIELD)
    return found if isinstance(found, Cause) and found.lasts else None


@contextmanager
def working_for(cause: Cause | None) -> Iterator[None]:
    """Let what is logged meanwhile carry the id of ``cause``, of None no id."""
    with structlog.contextvars.bound_contextvars(**{FIELD: cause}):
        yield


def named(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put the id in the place of a ``Cause``, nothing where that has ended; a processor of structlog."""
    if FIELD in event and not isinstance(event[FIELD], str):
        cause = event.pop(FIELD)
        if isinstance(cause, Cause) and cause.lasts:
            event[FIELD] = cause.name
    return event
