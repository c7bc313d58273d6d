"""What the verb ``demo`` runs."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.live import Live

from cli.demo import market, show
from cli.demo.plan import parts
from cli.demo.run import Demo
from cli.demo.verdict import findings

SECONDS = 15.0


def run(*, data: Path | None, as_json: bool) -> int:
    """Run the demo, say what was seen, and return 0 only if all of it was as it should be."""
    source = market.synthetic(SECONDS) if data is None else market.recorded(data, SECONDS)
    plan = parts(source.symbols, source.unit)
    if as_json:
        result = Demo(source, plan, lambda _facts: None).run()
        found = findings(result.facts)
        print(show.document(result, found))
        return 1 if found else 0
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, show.WIDE)
    if console.is_terminal:
        with Live(console=console, transient=True, auto_refresh=False) as screen:
            demo = Demo(
                source,
                plan,
                lambda facts: screen.update(show.live(facts, source.name, console.width), refresh=True),
            )
            result = demo.run()
    else:
        console.print(f"Trading {source.name} on paper for {SECONDS:.0f} s ...")
        result = Demo(source, plan, lambda _facts: None).run()
    found = findings(result.facts)
    show.report(console, result, found)
    return 1 if found else 0
