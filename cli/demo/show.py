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


def table(facts: Sequence[Fact], *, final: bool) -> Table:
    """One row a deployment."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("deployment", "strategy", "on"):
        made.add_column(name, overflow="ellipsis", no_wrap=True)
    for name in ("ticks", "of", "candles", "signals", "profit"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("now" if not final else "end", no_wrap=True)
    for fact in facts:
        made.add_row(*_row(fact))
    return made


def _row(fact: Fact) -> list[str | Text]:
    part = fact.part
    symbols = part.symbols[0] + (f" +{len(part.symbols) - 1}" if len(part.symbols) > 1 else "")
    head: list[str | Text] = [part.id, part.strategy, f"{symbols} {','.join(part.timeframes)}"]
    if not part.behaves:
        fate = (
            Text(f"caught: {fact.cause}", GOOD) if fact.cause in part.causes else Text(fact.state, "yellow")
        )
        return [*head, "", "", "", "", "", fate]
    profit = "unknown" if fact.profit is None else f"{fact.profit:+.4g}"
    died = f" died: {fact.cause}" if fact.deaths else ""
    state = Text(fact.state + died, GOOD if fact.state == "running" and not died else BAD)
    return [
        *head,
        str(fact.delivered),
        str(fact.published),
        str(fact.candles),
        str(fact.accepted),
        profit if fact.traded else "-",
        state,
    ]


def live(facts: Sequence[Fact], name: str) -> Group:
    """The table while it runs."""
    return Group(Text(f"Trading {name} on paper ...", "bold"), Text(), table(facts, final=False))


def report(console: Console, result: Result, found: list[str]) -> None:
    """Print the last table and the verdict in sentences."""
    console.print(table(result.facts, final=True))
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
