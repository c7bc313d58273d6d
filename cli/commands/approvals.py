"""``approve reject``: an operator's word on signals that wait for it."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from cli.client import Client
from cli.errors import REFUSED, CommandError
from cli.options import Reason
from supervisor.client.calls import approvals as calls

Signals = Annotated[
    list[str],
    typer.Argument(metavar="SIGNAL...", help="Ids, as signals --pending has them.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    app.command()(approve)
    app.command()(reject)


def approve(signals: Signals, reason: Reason = "") -> None:
    """Approve signals that wait; each is judged again, by what is so now, and may be refused by a rule."""
    _each(signals, "approve", reason)


def reject(signals: Signals, reason: Reason = "") -> None:
    """Reject signals that wait for approval, for good."""
    _each(signals, "reject", reason)


def _each(signals: list[str], verb: str, reason: str) -> None:
    """Say it of each; those that can be done are done, and the first that cannot gives the exit code."""
    say = calls.approve_signal if verb == "approve" else calls.reject_signal
    failed: list[CommandError] = []
    for signal_id in dict.fromkeys(signals):
        try:
            answer = Client().call(say, signal_id, reason=reason)
            print(_told(json.loads(answer), verb))
        except CommandError as error:
            failed.append(error)
    if failed:
        raise CommandError(failed[0].code, *(line for error in failed for line in error.lines))


def _told(answer: dict[str, Any], verb: str) -> str:
    """Return the line that says what was done; raise ``CommandError`` where the gate refuses it now."""
    signal, order = answer["signal"], answer["order"]
    by = "" if answer["changed"] else f" already, by {signal['by']}"
    line = f"{signal['signal_id']}: {'approved' if verb == 'approve' else 'rejected'}{by}"
    if verb == "reject":
        return line
    why = f" by {signal['rule']}: {signal['detail']}" if signal["rule"] else ""
    line += f", then {signal['verdict']}{why}"
    if signal["verdict"] not in ("accepted", "modified"):
        raise CommandError(REFUSED, line, rule=signal["rule"])
    return line + (f"; order {order['order_id']}" if order else "")
