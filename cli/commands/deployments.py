"""``start stop pause resume restart reset-failed remove``: verbs that change what is wanted."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any, Literal

import typer

from cli.client import Client
from cli.errors import FAILED, REFUSED, USAGE, CommandError
from cli.options import Account, All, Id, Ids, Now, Reason, SomeIds
from cli.talk import act, pairs
from supervisor.client.calls import running as calls


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    app.command()(start)
    verbs: tuple[tuple[calls.Verb, str, str, str], ...] = (
        ("stop", "stopped", "stopped", "Stop deployments in order."),
        ("pause", "paused", "paused", "Pause deployments: no ticks, no signals, state kept."),
        ("resume", "resumed", "running", "Resume paused deployments."),
        ("restart", "restarted", "running", "Stop deployments and start them again."),
    )
    for verb, past, state, text in verbs:
        app.command(verb, help=text)(_selecting(verb, past, state))
    app.command("reset-failed")(reset_failed)
    app.command()(remove)


def start(
    deployment_id: Id,
    strategy: Annotated[str | None, typer.Option(metavar="NAME[@VERSION]", help="Of the catalogue.")] = None,
    symbol: Annotated[list[str] | None, typer.Option(metavar="S", help="Repeatable.")] = None,
    timeframe: Annotated[
        list[str] | None, typer.Option(metavar="TF", help="1s, 5m, 1h, ... Repeatable.")
    ] = None,
    param: Annotated[list[str] | None, typer.Option(metavar="K=V", help="A parameter. Repeatable.")] = None,
    account: Annotated[str | None, typer.Option(metavar="A", help="The account it trades for.")] = None,
    mode: Annotated[Literal["paper", "live"] | None, typer.Option(help="paper if it is new.")] = None,
    memory: Annotated[str | None, typer.Option(metavar="256M", help="Memory quota.")] = None,
    cpu: Annotated[float | None, typer.Option(metavar="0.5", help="CPU quota, a share of one core.")] = None,
    risk: Annotated[list[str] | None, typer.Option(metavar="K=V", help="A risk limit. Repeatable.")] = None,
    trust: Annotated[
        bool | None,
        typer.Option("--trust/--no-trust", help="You answer for its code: docs/sandbox.md says when."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="You know that it begins to trade real money.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Until it runs, or has failed.")] = True,
) -> None:
    """Create the deployment if it is new, else start it as it was."""
    given: dict[str, Any] = {
        "strategy": strategy,
        "symbols": symbol or None,
        "timeframes": timeframe or None,
        "parameter_text": pairs(param, "--param"),
        "account": account,
        "mode": mode,
        "memory": memory,
        "cpu": cpu,
        "risk_text": pairs(risk, "--risk"),
    }
    asked = {name: value for name, value in given.items() if value}
    _say_started(_start(deployment_id, asked, trust=trust, yes=yes, wait=wait), wait=wait)


def _start(name: str, asked: dict[str, Any], *, trust: bool | None, yes: bool, wait: bool) -> Any:
    """Ask for a start; where only a person's word is missing for live trading, ask the person."""
    try:
        answer = Client().call(calls.start, name, **asked, trust=trust, confirm_live=yes or None, wait=wait)
        return json.loads(answer)
    except CommandError as error:
        if error.rule != "live_unconfirmed" or not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise
        print(error, file=sys.stderr)
    if typer.prompt(f"Type {name} to go on", default="", show_default=False, err=True) != name:
        raise CommandError(REFUSED, f"{name}: not confirmed; nothing was changed")
    return json.loads(Client().call(calls.start, name, **asked, trust=trust, confirm_live=True, wait=wait))


def _say_started(result: dict[str, Any], *, wait: bool) -> None:
    """Say what came of a start (``supervisor.schema.StartResult``; not imported, see ``cli.talk.act``)."""
    row = result["deployment"]
    name, state, death = row["id"], row["state"], row["last_death"]
    if state in ("failed", "quarantined") or (wait and state == "backoff"):
        why = f"{death['cause']}: {death['detail']}" if death else row["reason"]
        raise CommandError(FAILED, f"{name} did not start ({why}); see 'stratd describe {name}'")
    if row["desired"] != "stopped" and row.get("outside") and state in ("registered", "stopped"):
        print(f"{name}: {row['outside']}; it begins then")
        return
    process = f", pid {row['pid']}" if row["pid"] else ""
    already = "" if result["changed"] or result["created"] else "already "
    print(f"{name}: {already}{state} ({row['strategy']}@{row['version']}{process})")


def _selecting(verb: calls.Verb, past: str, state: str) -> Any:
    """Make the command of a verb that takes ids, an account, or all."""

    def command(
        ids: Ids = None, account: Account = None, every: All = False, reason: Reason = "", now: Now = False
    ) -> None:
        if (bool(ids), account is not None, every).count(True) != 1:
            raise CommandError(
                USAGE, f"stratd {verb}: name deployments, or --account A, or --all (one of them)"
            )
        body: dict[str, Any] = {"reason": reason, "now": now}
        body |= {"ids": ids} if ids else {"account": account} if account is not None else {"every": True}
        act(verb, body, past, state)

    return command


def reset_failed(ids: SomeIds) -> None:
    """Take deployments out of failed or quarantined."""
    act("reset-failed", {"ids": ids}, "reset")


def remove(ids: SomeIds) -> None:
    """Forget stopped deployments and their state."""
    act("remove", {"ids": ids}, "removed")
