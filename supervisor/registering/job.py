"""What is asked of the process that tries submissions, and the lines that it answers with. Pure."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from sandbox.confine.survey import Survey


class Job(Struct, frozen=True, kw_only=True):
    """What is to be tried. ``path`` is the folder or file, ``values`` its effective parameters.

    ``class_name`` is "" where its module decides; ``opaque`` is a pickle, of which there is nothing to read.
    """

    path: str
    values: dict[str, Any]
    class_name: str = ""
    opaque: bool = False
    trusted: bool = False
    packages: str = ""
    survey: Survey


class Step(Struct, frozen=True, kw_only=True, tag=True):
    """One line: as ``supervisor.schema.CheckStep``, for a process that does without pydantic."""

    name: str
    ok: bool
    detail: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    ms: float = 0.0


class Log(Struct, frozen=True, tag=True):
    """The last line: what the code wrote."""

    lines: list[str]
