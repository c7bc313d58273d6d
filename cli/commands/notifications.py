"""``notifications list|add|remove|test``: who is told of what happens, and where."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli.client import Client
from cli.errors import FAILED, USAGE, CommandError
from cli.options import Json
from cli.talk import print_json
from supervisor.client.calls import notifications as calls

LONGEST = 4096
"""Characters of a secret's file, at most."""
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the target.", show_default=False)]
CAREFUL = "@FILE reads it from a file, @- from stdin: a command line is for all of the host to see."
Globs = list[str] | None


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    verbs = typer.Typer(
        rich_markup_mode=None, help="Notifications: who is told of what happens.", no_args_is_help=True
    )
    verbs.command(name="list")(list_targets)
    verbs.command()(add)
    verbs.command()(remove)
    verbs.command(name="test")(send_test)
    app.add_typer(verbs, name="notifications")


def list_targets(as_json: Json = False) -> None:
    """Every target: where it is, of what it is told, and how that goes. No secret."""
    body = Client().call(calls.notifications)
    if as_json:
        print_json(body)
        return
    from cli import tables
    from cli.render_notifications import targets
    from supervisor.schema.notifications import NotificationView

    tables.show(targets([NotificationView.model_validate(one) for one in json.loads(body)]))


def add(
    name: Name,
    kind: Annotated[
        Literal["webhook", "slack", "telegram", "email"], typer.Option(help="What the target is.")
    ],
    url: Annotated[str | None, typer.Option(metavar="URL", help=f"Of a webhook or chat. {CAREFUL}")] = None,
    secret: Annotated[str | None, typer.Option(help=f"Signs webhooks. {CAREFUL}")] = None,
    token: Annotated[str | None, typer.Option(help=f"A bot's, or a webhook's bearer. {CAREFUL}")] = None,
    chat: Annotated[str | None, typer.Option(metavar="ID", help="Of a Telegram chat.")] = None,
    host: Annotated[str | None, typer.Option(help="The mail server.")] = None,
    port: Annotated[int | None, typer.Option(help="Its port.")] = None,
    user: Annotated[str | None, typer.Option(help="Who sends mail, to the server.")] = None,
    password: Annotated[str | None, typer.Option(help=f"Of that user. {CAREFUL}")] = None,
    sender: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Whom mail comes from.")] = None,
    to: Annotated[Globs, typer.Option(metavar="ADDRESS", help="Whom mail goes to; again for more.")] = None,
    security: Annotated[
        Literal["starttls", "tls", "none"] | None, typer.Option(help="How mail is protected on its way.")
    ] = None,
    severity: Annotated[
        Literal["info", "warning", "critical"] | None, typer.Option(help="The least that is told.")
    ] = None,
    event: Annotated[Globs, typer.Option(metavar="GLOB", help="Kinds of events; again for more.")] = None,
    deployment: Annotated[Globs, typer.Option(metavar="GLOB", help="Whose events; again for more.")] = None,
    account: Annotated[Globs, typer.Option(metavar="GLOB", help="Of which accounts; again for more.")] = None,
    every: Annotated[float | None, typer.Option(metavar="S", help="Seconds between two messages.")] = None,
    as_json: Json = False,
) -> None:
    """Have a target told of what happens from now on."""
    given: dict[str, Any] = {
        "url": _read(url, "--url"), "secret": _read(secret, "--secret"),
        "token": _read(token, "--token"), "chat": chat, "host": host, "port": port, "user": user,
        "password": _read(password, "--password"), "sender": sender, "to": to or None, "security": security,
        "severity": severity, "events": event or None, "deployments": deployment or None,
        "accounts": account or None, "every": every,
    }  # fmt: skip
    said = {field: value for field, value in given.items() if value is not None}
    body = Client().call(calls.add_notification, name, kind, **said)
    if as_json:
        print_json(body)
        return
    made = json.loads(body)
    print(f"{made['name']}: {made['where']} is told; 'stratd notifications test {made['name']}' tries it")


def remove(name: Name) -> None:
    """Tell a target no more; one of the settings goes with those."""
    Client().call(calls.remove_notification, name)
    print(f"{name}: removed")


def send_test(name: Name, as_json: Json = False) -> None:
    """Send a test message to a target now, and show what it said; exit 1 where it was not delivered."""
    body = Client().call(calls.test_notification, name)
    answer = json.loads(body)
    if as_json:
        print_json(body)
        if not answer["delivered"]:
            raise typer.Exit(FAILED)
        return
    detail = f": {answer['detail']}" if answer["detail"] else ""
    if not answer["delivered"]:
        raise CommandError(FAILED, f"{name}: not delivered{detail}")
    print(f"{name}: delivered in {answer['took_ms']:,.0f} ms{detail}")


def _read(value: str | None, option: str) -> str | None:
    """Return a value, or what stands in the file that ``@FILE`` names, without the end of its last line."""
    if value is None or not value.startswith("@"):
        return value
    try:
        if value == "@-":
            text = sys.stdin.read(LONGEST)
        else:
            with Path(value[1:]).open(encoding="utf-8") as file:
                text = file.read(LONGEST)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise CommandError(USAGE, f"{option} {value!r}: {why}") from None
    if not (text := text.rstrip("\r\n")):
        raise CommandError(USAGE, f"{option} {value!r}: is empty")
    return text
