"""Where a listener stands: the last event and the last record of the journal that it was sent.

To a client it is opaque: it sends back the ``id`` of the last message that it took (the Last-Event-ID of the
HTML standard, section "Server-sent events"), and gets what came after it.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from supervisor.errors import Invalid

_FORM: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,18})\Z", re.ASCII)


class Cursor(Struct, frozen=True):
    """Numbers of the last ``event`` and of the last ``record`` of the journal; 0 is before the first."""

    event: int = 0
    record: int = 0

    def __str__(self) -> str:
        return f"{self.event}-{self.record}"


def cursor_of(text: str) -> Cursor:
    """Read a cursor back. Raises ``Invalid`` for what none of ours looks like."""
    found = _FORM.match(text)
    if found is None:
        raise Invalid([f"last_event_id = {text[:40]!r}: not the id of a message of this stream"])
    return Cursor(int(found[1]), int(found[2]))
