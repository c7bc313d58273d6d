"""``schedule``: when a deployment is to run by the clock on the wall."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import typer

from cli.client import Client
from cli.errors import USAGE, CommandError
from cli.options import Id, Json
from cli.talk import print_json
from cli.windows import window
from supervisor.client.calls import schedules as calls


def register(app: typer.Typer) -> None:
    """Add the verb to ``app``."""
    app.command()(schedule)


def schedule(
    deployment_id: Id,
    windows: Annotated[
        list[str] | None,
        typer.Option("--window", metavar="'DAYS START-END'", help="As 'mon-fri 09:00-17:30'. Repeatable."),
    ] = None,
    zone: Annotated[str | None, typer.Option(metavar="ZONE", help="Of the windows: Europe/London.")] = None,
    calendar: Annotated[
        str | None, typer.Option(metavar="NAME", help="An exchange whose holidays it keeps: XLON.")
    ] = None,
    outside: Annotated[
        Literal["stop", "pause"] | None, typer.Option(help="What is done outside; stop if not said.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Take its schedule away.")] = False,
    as_json: Json = False,
) -> None:
    """When a deployment is to run; with --window and --zone give it that schedule, whole."""
    body = _asked(deployment_id, _wanted(windows, zone, calendar, outside), clear=clear)
    if as_json:
        print_json(body)
        return
    view = json.loads(body)
    if view["schedule"] is None and not view["says"]:
        print(f"{deployment_id}: no schedule: it runs as it is wanted, at any time")
        return
    print(f"{deployment_id}: {view['schedule']['text']}" if view["schedule"] else f"{deployment_id}:")
    print(f"{deployment_id}: {view['says']}")


def _asked(deployment_id: str, wanted: dict[str, Any], *, clear: bool) -> bytes:
    if clear:
        if wanted:
            raise CommandError(USAGE, "stratd schedule: --clear goes with nothing else")
        return Client().call(calls.clear_schedule, deployment_id)
    if not wanted:
        return Client().call(calls.schedule, deployment_id)
    if missing := {"windows": "--window", "zone": "--zone"}.keys() - wanted.keys():
        names = " and ".join(sorted({"windows": "--window", "zone": "--zone"}[name] for name in missing))
        raise CommandError(USAGE, f"stratd schedule: a schedule is set whole: {names} is missing")
    return Client().call(calls.set_schedule, deployment_id, wanted)


def _wanted(
    windows: list[str] | None, zone: str | None, calendar: str | None, outside: str | None
) -> dict[str, Any]:
    """Return what was said of a schedule."""
    said: dict[str, Any] = {"windows": [], "zone": zone, "calendar": calendar, "outside": outside}
    for text in windows or []:
        try:
            said["windows"].append(window(text))
        except ValueError as error:
            raise CommandError(USAGE, f"--window {text!r}: {error}") from None
    return {name: value for name, value in said.items() if value}
