"""``keys create|list|revoke``: who may talk to the daemon over TCP, and what each of them may."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from cli.client import Client
from cli.options import Json
from cli.talk import print_json
from supervisor.client.calls import keys as calls

Scopes = Annotated[
    list[str] | None,
    typer.Option(
        "--scope", metavar="S", help="read (the default), trade, code or admin; repeat it for several."
    ),
]
OfAccount = Annotated[
    str | None, typer.Option("--account", metavar="A", help="All that the key sees and moves.")
]
Expires = Annotated[str | None, typer.Option(metavar="SPAN", help="As 90d or 12h; never without it.")]
Name = Annotated[str, typer.Option(metavar="TEXT", help="Whose it is, for lists and the audit trail.")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="As `keys list` shows it.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    keys = typer.Typer(rich_markup_mode=None, help="Keys of the HTTP API.", no_args_is_help=True)
    keys.command()(create)
    keys.command(name="list")(list_keys)
    keys.command()(revoke)
    app.add_typer(keys, name="keys")


def create(
    scope: Scopes = None,
    account: OfAccount = None,
    expires: Expires = None,
    name: Name = "",
    as_json: Json = False,
) -> None:
    """Make a key and show it, once: it cannot be shown again."""
    scopes = list(dict.fromkeys(scope or ["read"]))
    body = Client().call(calls.create_key, name=name, scopes=scopes, account=account, expires_in=expires)
    if as_json:
        print_json(body)
        return
    # The key alone on stdout, so that it can be kept by `stratd keys create > file`.
    made = json.loads(body)
    print(f"key {made['id']}: {', '.join(made['scopes'])}; keep it, it is shown only now", file=sys.stderr)
    print(made["key"])


def list_keys(as_json: Json = False) -> None:
    """Every key: what it may, until when, and when it was used last. No secret."""
    body = Client().call(calls.keys)
    if as_json:
        print_json(body)
        return
    from cli import tables
    from cli.render_keys import keys
    from supervisor.schema.keys import KeyView

    tables.show(keys([KeyView.model_validate(one) for one in json.loads(body)]))


def revoke(key_id: KeyId) -> None:
    """Take a key back: it is refused from the next request on."""
    Client().call(calls.revoke_key, key_id)
    print(f"{key_id}: revoked")
