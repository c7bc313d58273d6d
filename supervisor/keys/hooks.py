"""Webhook tokens: keys that may do nothing but hand alerts to one deployment. Pure.

A token is a key like any other (hashed, compared in constant time, revoked, limited in its rate), whose only
scope names its deployment. No route asks for such a scope, so it opens none.
"""

from __future__ import annotations

from typing import Final

from supervisor.keys import text
from supervisor.keys.record import KeyRecord

PATH: Final = "/api/v1/webhooks/"
"""What comes before the token in the path of an alert."""
SCOPE: Final = "webhook:"
NAMELESS: Final = "-"
"""Stands in records for a token that is none."""


def scope_of(deployment_id: str) -> str:
    """Return the one scope of a token for ``deployment_id``."""
    return SCOPE + deployment_id


def deployment_of(record: KeyRecord) -> str:
    """Return whom a token hands alerts to, "" for a key that is no such token."""
    found = [scope.removeprefix(SCOPE) for scope in record.scopes if scope.startswith(SCOPE)]
    return found[0] if len(found) == len(record.scopes) == 1 else ""


def shown_in(path: str) -> tuple[str, str] | None:
    """Return the token in the path of an alert, and the path without its secret; None for another path.

    What is written down of a request is its path: it holds the id of the token and no more.
    """
    if not path.startswith(PATH):
        return None
    shown = path.removeprefix(PATH)
    parts = text.parse(shown)
    return shown, PATH + (parts.id if parts else NAMELESS)
