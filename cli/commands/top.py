"""``top``: one row a deployment, live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.client import Client
from cli.tables import cut, on_terminal, plain, rich_table
from cli.words import span

if TYPE_CHECKING:
    from cli.top.board import View


def register(app: typer.Typer) -> None:
    """Add the verb to ``app``."""
    app.command()(top)


def top(
    interval: Annotated[float, typer.Option(min=0.2, max=3600, help="Seconds between two drawings.")] = 1.0,
) -> None:
    """Live table; Ctrl-C ends it. Without a terminal: the table once."""
    from cli import render
    from cli.top.watch import Watch

    watch = Watch(Client())
    if not on_terminal():
        view = watch.look()
        print(_head(view))
        print(plain(render.deployments(_rows(view))))
        return
    from cli.top.screen import draw

    watch.begin()
    draw(lambda width: _frame(watch.view(), width), interval)


def _frame(view: View, width: int) -> Any:
    from rich.console import Group
    from rich.text import Text

    from cli import render

    sheet = render.deployments(_rows(view))
    body = rich_table(sheet, width) if sheet.rows else Text(sheet.empty)
    note = Text(cut(view.note, width), style="bold red" if view.old else "yellow")
    return Group(Text(cut(_head(view), width), style="bold"), note, body)


def _head(view: View) -> str:
    status = view.status
    feeds = " ".join(f"{name}:{state}" for name, state in view.feeds.items()) or "no feeds"
    return (
        f"stratd {status['version']}  {status['state']}  up {span(status['uptime_s'])}  "
        f"{status['running']}/{status['max_concurrent']} running  {status['accepted']} signals  {feeds}"
    )


def _rows(view: View) -> list[Any]:
    from supervisor.schema import DeploymentRow

    return [DeploymentRow.model_validate(row) for row in view.rows]
