"""How an error is answered."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)
from __future__ import annotations

from supervisor.schema.base import View


class Problem(View):
    """RFC 9457, ``application/problem+json``. ``title`` is the line for people.

    ``rule`` names what refused (409/403), ``near`` what an unknown name may have meant, ``errors`` every
    mistake of a request.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    instance: str = ""
    request_id: str = ""
    """As in the header ``X-Request-Id``: what to look for in the daemon's log."""
    rule: str = ""
    near: list[str] = []
    errors: list[str] = []
