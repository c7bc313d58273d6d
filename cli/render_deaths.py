"""The deaths of a deployment for people, as ``describe`` tells them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cli.tables import clean, fields
from cli.words import instant, megabytes, span

if TYPE_CHECKING:
    from supervisor.schema import Death


def told(deaths: Sequence[Death]) -> str:
    """Tell the newest in full; those before it in a line each, for most often they are the same."""
    if not deaths:
        return ""
    before = [
        f"{instant(death.at)}  {death.cause}: {clean(death.detail)} (generation {death.generation})"
        for death in deaths[1:]
    ]
    return "\n\n".join(filter(None, (_death(deaths[0]), "\n".join(_block("before it", before)))))


def _death(death: Death) -> str:
    end = f"exit code {death.exit_code}" if death.exit_code is not None else ""
    head = fields(
        [
            ("death", f"{death.cause}, {instant(death.at)}, generation {death.generation}"),
            ("detail", clean(death.detail)),
            ("ended by", death.signal or end),
            ("lived", "" if death.uptime_s is None else span(death.uptime_s)),
            ("peak memory", "" if death.peak_memory_mb is None else megabytes(death.peak_memory_mb)),
            ("last event", clean(death.last_event)),
        ]
    )
    return "\n".join([head, *_block("stack", death.stack.splitlines()), *_block("log", death.log_tail[-10:])])


def _block(title: str, lines: Sequence[str]) -> list[str]:
    return [title, *(f"  {clean(line)}" for line in lines)] if lines else []
