"""Which daemon a command is for: ``--url``, before the verb. STRATD_URL and the socket the client finds."""

from __future__ import annotations

from contextvars import ContextVar

URL: ContextVar[str | None] = ContextVar("URL", default=None)
