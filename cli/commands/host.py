"""``doctor``, ``demo``: this host, and stratd on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import FAILED, CommandError
from cli.options import ConfigFile, Json
from cli.settings import settings_of
from cli.tables import hanging, show, terminal_width


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    app.command()(doctor)
    app.command()(demo)


def doctor(
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """What this host can enforce, and what is missing.

    Layer by layer: whether it holds, why not, and what would bring it; then whose code may run here. What the
    configuration demands and is missing comes first, and ends with 1. Needs no daemon.
    """
    from supervisor.doctor import examine

    settings = settings_of(config)
    report = examine(settings)
    if as_json:
        print(report.model_dump_json())
    else:
        from cli import render

        views = [*report.sandbox, *report.host]
        # What has to be done comes first.
        views.sort(key=lambda view: view.state != "missing" or view.name not in report.missing)
        show(render.layers(views))
        print()
        print(hanging("sandbox  ", render.verdict(report.verdict), terminal_width()))
    if report.missing:
        raise CommandError(FAILED, f"the configuration demands what is missing: {', '.join(report.missing)}")


def demo(
    as_json: Json = False,
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Real ticks instead of a made-up market.")
    ] = None,
) -> None:
    """The whole thing in half a minute, nothing to configure."""
    from cli.demo.main import run

    raise typer.Exit(run(data=data, as_json=as_json))
