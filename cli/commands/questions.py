"""``command inspect``: what an operator asks of a strategy that runs, in its author's own words."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from cli.client import Client
from cli.errors import USAGE, CommandError
from cli.options import Id, Json
from cli.talk import print_json
from supervisor.client.calls import questions as calls

Patience = Annotated[
    float,
    typer.Option("--timeout", metavar="S", min=1, max=50, help="How long its answer is waited for."),
]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    app.command()(command)
    app.command()(inspect)


def command(
    deployment_id: Id,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is to do.", show_default=False)],
    payload: Annotated[
        str | None,
        typer.Argument(metavar="[JSON]", help="With what: one JSON value.", show_default=False),
    ] = None,
    timeout: Patience = 10.0,
    as_json: Json = False,
) -> None:
    """Tell a strategy a command that its author has made for it, and print what it answers."""
    answer = Client().call(calls.command, deployment_id, name, _value(payload), timeout=timeout)
    if as_json:
        print_json(answer)
        return
    said = json.loads(answer)["answer"]
    print(f"{deployment_id}: {name}: done" if said is None else _text(said))


def inspect(deployment_id: Id, timeout: Patience = 10.0, as_json: Json = False) -> None:
    """What a strategy shows of itself, its author's names and values, asked of it now."""
    answer = Client().call(calls.inspect, deployment_id, timeout=timeout)
    if as_json:
        print_json(answer)
        return
    shown = json.loads(answer)["shown"]
    print(_text(shown) if shown else f"{deployment_id}: shows nothing of itself")


def _value(payload: str | None) -> Any:
    if payload is None:
        return None
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise CommandError(
            USAGE, f"[JSON] {payload[:80]!r}: is no JSON ({error}); text goes in quotes: '\"EURUSD\"'"
        ) from None


def _text(value: Any) -> str:
    """Return what a stranger's code answered, fit for a terminal: JSON in ASCII has no control character."""
    return json.dumps(value, indent=2)
