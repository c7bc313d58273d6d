"""``webhooks create|list|revoke``: tokens for alerts from outside."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from cli.client import Client
from cli.options import Id, Json
from cli.talk import print_json
from supervisor.client.calls import webhooks as calls

Expires = Annotated[str | None, typer.Option(metavar="SPAN", help="As 90d or 12h; never without it.")]
Name = Annotated[str, typer.Option(metavar="TEXT", help="Whose it is, for lists and the audit trail.")]
HookId = Annotated[str, typer.Argument(metavar="ID", help="As `webhooks list` shows it.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    hooks = typer.Typer(rich_markup_mode=None, help="Webhooks: alerts from outside.", no_args_is_help=True)
    hooks.command()(create)
    hooks.command(name="list")(list_webhooks)
    hooks.command()(revoke)
    app.add_typer(hooks, name="webhooks")


def create(deployment_id: Id, expires: Expires = None, name: Name = "", as_json: Json = False) -> None:
    """Make a token for the alerts of a deployment and show the path to send them to, once."""
    body = Client().call(calls.create_webhook, deployment_id, name=name, expires_in=expires)
    if as_json:
        print_json(body)
        return
    made = json.loads(body)
    # The path alone on stdout; whoever holds it may trade for the deployment.
    print(
        f"webhook {made['id']} of {made['deployment_id']}: keep the path, it is shown only now",
        file=sys.stderr,
    )
    print(made["path"])


def list_webhooks(as_json: Json = False) -> None:
    """Every webhook: of which deployment, until when, and when it was used last. No token."""
    body = Client().call(calls.webhooks)
    if as_json:
        print_json(body)
        return
    from cli import tables
    from cli.render_keys import webhooks
    from supervisor.schema.webhooks import WebhookView

    tables.show(webhooks([WebhookView.model_validate(one) for one in json.loads(body)]))


def revoke(webhook_id: HookId) -> None:
    """Take a token back: alerts with it are refused from the next one on."""
    Client().call(calls.revoke_webhook, webhook_id)
    print(f"{webhook_id}: revoked")
