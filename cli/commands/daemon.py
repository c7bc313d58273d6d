"""``serve``, ``reload``, ``status``, ``ps``, ``describe``: the daemon and what it runs."""

from __future__ import annotations

import gc
import json
import os
from typing import Any

import typer

from cli.client import Client
from cli.errors import FAILED, USAGE, CommandError
from cli.options import ConfigFile, Id, Json
from cli.tables import clean, on_terminal, show
from cli.talk import print_json
from supervisor.client.calls import daemon as calls
from supervisor.client.calls import running


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    app.command()(serve)
    app.command()(reload)
    app.command()(status)
    app.command()(ps)
    app.command()(describe)


def serve(
    config: ConfigFile = None,
) -> None:
    """Run the daemon in the foreground (what systemd runs)."""
    # The collector looks for garbage in a thousand modules while they come, a fifth of their time. The daemon
    # lets it work once all are there.
    gc.disable()
    from supervisor.config import load
    from supervisor.errors import SettingsError, StratdError

    try:
        settings = load(os.environ, file=config)
        from supervisor.main import serve as run

        code = run(settings, config=config)
    except StratdError as error:
        # A wrong setting is a wrong invocation: the unit does not start the daemon again for it.
        wrong = isinstance(error, SettingsError)
        raise CommandError(USAGE if wrong else FAILED, *getattr(error, "errors", [str(error)])) from None
    finally:
        gc.enable()
    raise typer.Exit(code)


def reload(as_json: Json = False) -> None:
    """Read the settings and the strategy folders again.

    All of what is new or nothing: where a setting is wrong, every mistake is told, nothing changes, and it
    ends with 2. No deployment is touched.
    """
    body = Client().call(calls.reload)
    if as_json:
        print_json(body)
        return
    from cli.render_reload import lines

    print(*map(clean, lines(json.loads(body))), sep="\n")


def status(as_json: Json = False) -> None:
    """The daemon: uptime, processes, feeds, counts, layers."""
    body = Client().call(calls.status)
    if as_json:
        print_json(body)
        return
    from cli import render
    from supervisor.schema import Status

    view = Status.model_validate_json(body)
    print(render.status(view))
    for sheet in (render.processes(view.processes), render.feeds(view.feeds), render.layers(view.layers)):
        print()
        show(sheet)


def ps(as_json: Json = False) -> None:
    """One row a deployment."""
    client = Client()
    body = client.call(running.deployments)
    if as_json:
        print_json(body)
        return
    from cli import render

    show(render.deployments(_rows(body)))
    _say_lost_feeds(client)


def _say_lost_feeds(client: Client) -> None:
    """Tell a person which feeds bring nothing: what stands above looks as well as when they last did."""
    if not on_terminal():
        return
    for feed in json.loads(client.call(calls.feeds)):
        if feed["state"] != "healthy":
            said = f"feed {clean(feed['name'])} is {feed['state']}"
            print(f"{said}: who reads it waits (`stratd feeds` says more)")


def describe(deployment_id: Id, as_json: Json = False) -> None:
    """Everything about one deployment and its last deaths."""
    client = Client()
    body = client.call(running.deployment, deployment_id)
    if as_json:
        print_json(body)
        return
    from cli import render
    from supervisor.schema import DeploymentDetail

    print(render.describe(DeploymentDetail.model_validate_json(body)))
    _say_lost_feeds(client)


def _rows(body: bytes) -> list[Any]:
    from supervisor.schema import DeploymentRow

    return [DeploymentRow.model_validate(row) for row in json.loads(body)]
