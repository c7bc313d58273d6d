"""Saved states: what is kept of a deployment, and what ``describe`` says of it."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)
from __future__ import annotations

from supervisor.schema.base import View


class CheckpointView(View):
    """One checkpoint. ``newest``: the next instance starts from it. ``why`` says why one is ``quarantined``.

    ``offset`` and ``position`` say how much of the input its strategy had had, by the numbers of ``tape``.
    """

    seq: int
    at: int
    age_s: float
    generation: int
    state_version: int
    size_bytes: int
    quarantined: bool = False
    why: str = ""
    newest: bool = False
    paused: bool = False
    tape: int = 0
    offset: int = 0
    position: dict[str, int] = {}


class CheckpointsView(View):
    """What is kept of a deployment, in sum; ``seq`` and ``size_bytes`` are the newest good one's."""

    seq: int | None = None
    size_bytes: int | None = None
    good: int = 0
    quarantined: int = 0
