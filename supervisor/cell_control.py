"""What supervisor and engine say to each other of questions to one strategy: orders, and their answer."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class CommandCell(Struct, frozen=True, array_like=True, tag=17):
    """Tell an instance an operator's command, at its place in what it is told; ``CellAnswered`` follows.

    ``payload`` is JSON. ``request`` is a number that no earlier daemon has used either: a command that is
    told again after a restart is answered under it once more.
    """

    deployment_id: str
    generation: int
    name: str
    payload: bytes
    request: int


class InspectCell(Struct, frozen=True, array_like=True, tag=18):
    """Ask an instance what a screen should show; ``CellAnswered`` follows."""

    deployment_id: str
    generation: int
    request: int


class SaveCell(Struct, frozen=True, array_like=True, tag=19):
    """Ask an instance for a checkpoint; ``CellAnswered`` follows once it is in the journal."""

    deployment_id: str
    generation: int
    request: int


class CellAnswered(Struct, frozen=True, array_like=True, tag=13):
    """What became of one of these. ``done``: ``data`` is JSON, or ``seq`` the checkpoint's record.

    ``failed``: the strategy raised, or gave what cannot be taken; ``not_now``: it was not asked, or it ended
    before it answered. ``why`` is one line.
    """

    request: int
    outcome: Literal["done", "failed", "not_now"]
    data: bytes = b""
    why: str = ""
    seq: int = 0
