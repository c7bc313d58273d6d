"""``logs``, ``events``, ``signals``: what came, and what comes."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cli.client import Client
from cli.follow import follow as follow_on
from cli.options import After, Follow, Id, Json, Last, Wait
from cli.tables import terminal_width
from cli.talk import print_lines
from supervisor.client.calls import approvals, records


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    app.command()(logs)
    app.command()(events)
    app.command()(signals)


def logs(deployment_id: Id, follow: Follow = False, lines: Last = 100) -> None:
    """What the strategy printed and logged."""
    from cli import render
    from supervisor.schema import LogLine

    came = Client().lines(records.logs, deployment_id, n=lines, follow=follow)
    print_lines(came, False, lambda line: render.log_line(LogLine.model_validate_json(line)), "no lines")


def events(
    follow: Follow = False, lines: Last = 100, after: After = None, wait: Wait = 60.0, as_json: Json = False
) -> None:
    """What the daemon did, numbered; -f goes on by number when the daemon is restarted."""
    from cli import render
    from supervisor.schema import EventView

    client, width = Client(), terminal_width()
    if follow:
        came = follow_on(client, records.events, lines=lines, after=after, wait=wait, newest="event_seq")
    else:
        came = client.lines(records.events, n=lines, after=after)
    print_lines(
        came, as_json, lambda line: render.event(EventView.model_validate_json(line), width), "no events"
    )


def signals(
    deployment_id: Annotated[str | None, typer.Argument(metavar="[ID]", show_default=False)] = None,
    follow: Follow = False,
    lines: Last = 100,
    after: After = None,
    wait: Wait = 60.0,
    as_json: Json = False,
    pending: Annotated[
        bool, typer.Option("--pending", help="Those that wait for approval, and their ids.")
    ] = False,
) -> None:
    """Every signal with its verdict and rule; -f goes on by number when the daemon is restarted."""
    from cli import render
    from supervisor.schema import SignalView

    client, width = Client(), terminal_width()
    if pending:
        _say_pending(client, deployment_id, as_json=as_json)
        return
    query = {"deployment_id": deployment_id}
    if follow:
        came = follow_on(
            client, records.signals, lines=lines, after=after, wait=wait, newest="journal_seq", query=query
        )
    else:
        came = client.lines(records.signals, deployment_id, n=lines, after=after)
    print_lines(
        came, as_json, lambda line: render.signal(SignalView.model_validate_json(line), width), "no signals"
    )


def _say_pending(client: Client, deployment_id: str | None, *, as_json: bool) -> None:
    """Print what waits for approval, one object or line a signal."""
    from cli.render_approvals import pending
    from supervisor.schema import SignalView

    found = json.loads(client.call(approvals.pending_signals, deployment_id))
    for one in found:
        print(json.dumps(one) if as_json else pending(SignalView.model_validate(one)))
    if not found and not as_json:
        print("nothing waits for approval")
