"""``flatten lock unlock promote``: what bars one deployment by an operator's word, and real money."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from cli.client import Client
from cli.commands.money import say_latch
from cli.errors import REFUSED, CommandError
from cli.options import Id, Reason
from supervisor.client.calls import verbs as calls


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    app.command()(flatten)
    app.command()(lock)
    app.command()(unlock)
    app.command()(promote)


def flatten(deployment_id: Id, reason: Reason = "") -> None:
    """Close what a deployment holds, cancel what waits, and let only exits through until it is unlocked."""
    say_latch(
        Client().call(calls.flatten, deployment_id, reason=reason), "flattened; what it holds is being closed"
    )


def lock(deployment_id: Id, reason: Reason = "") -> None:
    """Close what a deployment holds, cancel what waits, and let nothing through until it is unlocked."""
    say_latch(
        Client().call(calls.lock, deployment_id, reason=reason), "locked; what it holds is being closed"
    )


def unlock(deployment_id: Id, reason: Reason = "") -> None:
    """Take back what bars a deployment, an operator's word or a limit; losses are counted from here."""
    say_latch(Client().call(calls.unlock, deployment_id, reason=reason), "unlocked")


def promote(
    deployment_id: Id,
    account: Annotated[
        str | None, typer.Option(metavar="A", help="The account of real money, if not the one it has.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="You know that it begins to trade real money.")] = False,
) -> None:
    """Turn a stopped deployment from paper to real money; it is started afterwards, by start."""
    first = json.loads(Client().call(calls.promote, deployment_id, account=account))
    what = f"the real money of account {first['account']}, by route {first['route']}"
    if not yes:
        _ask(deployment_id, f"{deployment_id} would trade {what}")
    answer = Client().call(calls.promote, deployment_id, account=account, confirmation=first["confirmation"])
    second = json.loads(answer)
    print(f"{second['deployment']['id']}: trades {what}, once it is started ('stratd start {deployment_id}')")


def _ask(deployment_id: str, what: str) -> None:
    """Have a person confirm it; raise ``CommandError`` where none is there, or does not."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CommandError(REFUSED, f"refused by live_unconfirmed: {what}; confirm it (--yes)")
    print(what, file=sys.stderr)
    given = typer.prompt(f"Type {deployment_id} to go on", default="", show_default=False, err=True)
    if given != deployment_id:
        raise CommandError(REFUSED, f"{deployment_id}: not confirmed; nothing was changed")
