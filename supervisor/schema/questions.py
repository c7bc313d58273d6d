"""What is asked of one strategy while it runs: a command, and what it shows of itself."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from supervisor.schema.base import Request, View


class CommandRequest(Request):
    """``on_command(name, payload)`` of a strategy: any JSON of up to 16 KiB, 32 levels deep."""

    name: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")]
    payload: Annotated[Any, Field(description="Any JSON.")] = None


class CommandResult(View):
    """What the strategy answered, its own words: JSON of up to 16 KiB."""

    deployment_id: str
    name: str
    answer: Any = None


class InspectView(View):
    """What the strategy itself shows (``inspect``), as of ``at``; the names and values are its own."""

    deployment_id: str
    at: int
    shown: dict[str, Any]
