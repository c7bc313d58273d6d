"""How the demo looks: one table, live on a terminal, once elsewhere; or one JSON document."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from cli.demo.run import Result
from cli.demo.verdict import Fact

GOOD, BAD = "green", "red"


WIDE = 112
"""Columns from which the whole table fits."""


def table(facts: Sequence[Fact], *, final: bool, width: int) -> Table:
    """One row a deployment; what a narrow terminal has no room for is left out."""
    columns = [column for column in COLUMNS if width >= WIDE or column not in {"strategy", "of", "candles"}]
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        title = "end" if name == "state" and final else "now" if name == "state" else name
        right = name in {"ticks", "of", "candles", "signals", "profit"}
        made.add_column(title, justify="right" if right else "left", no_wrap=True, overflow="ellipsis")
    for fact in facts:
        cells = _cells(fact)
        made.add_row(*(cells[name] for name in columns))
    return made


COLUMNS = ("deployment", "strategy", "on", "ticks", "of", "candles", "signals", "profit", "state")


def _cells(fact: Fact) -> dict[str, str | Text]:
    part = fact.part
    symbols = part.symbols[0] + (f" +{len(part.symbols) - 1}" if len(part.symbols) > 1 else "")
    cells: dict[str, str | Text] = dict.fromkeys(COLUMNS, "")
    cells |= {
        "deployment": part.id,
        "strategy": part.strategy,
        "on": f"{symbols} {','.join(part.timeframes)}",
    }
    if not part.behaves:
        caught = fact.cause in part.causes
        cells["state"] = Text(f"caught: {fact.cause}", GOOD) if caught else Text(fact.state, "yellow")
        return cells
    died = f" died: {fact.cause}" if fact.deaths else ""
    profit = "unknown" if fact.profit is None else f"{fact.profit:+.4g}"
    return cells | {
        "ticks": str(fact.delivered),
        "of": str(fact.published),
        "candles": str(fact.candles),
        "signals": str(fact.accepted),
        "profit": profit if fact.traded else "-",
        "state": Text(fact.state + died, GOOD if fact.state == "running" and not died else BAD),
    }


def live(facts: Sequence[Fact], name: str, width: int) -> Group:
    """The table while it runs."""
    return Group(Text(f"Trading {name} on paper ...", "bold"), Text(), table(facts, final=False, width=width))


def report(console: Console, result: Result, found: list[str]) -> None:
    """Print the last table and the verdict in sentences."""
    console.print(table(result.facts, final=True, width=console.width))
    console.print()
    good = [fact for fact in result.facts if fact.part.behaves]
    caught = [fact for fact in result.facts if not fact.part.behaves]
    for fact in caught:
        console.print(
            Text(f"{fact.part.id} ended by {fact.cause or 'nothing'}: {fact.detail}"[: console.width])
        )
    if found:
        for line in found:
            console.print(Text(f"FAILED {line}", BAD))
        return
    total = sum(result.published.values())
    console.print(
        Text(
            f"All {len(caught)} misbehaving strategies were caught; the other {len(good)} got each of their "
            f"ticks ({total} were published) and never noticed. {result.seconds:.0f} s.",
            f"bold {GOOD}",
        )
    )


def document(result: Result, found: list[str]) -> str:
    """The same as JSON."""
    rows: list[dict[str, Any]] = []
    for fact in result.facts:
        row = dataclasses.asdict(fact)
        part = row.pop("part")
        rows.append({"id": part["id"], "strategy": part["strategy"], "behaves": fact.part.behaves, **row})
    whole = {
        "ok": not found,
        "findings": found,
        "published": result.published,
        "seconds": round(result.seconds, 3),
        "deployments": rows,
    }
    return json.dumps(whole)
