"""``strategies``, ``register``: what the daemon has, and what it is handed (docs/registering.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.client import Client
from cli.errors import FAILED, USAGE, CommandError, command_error, of_problem
from cli.options import Json
from cli.tables import clean, show
from cli.talk import pairs, print_json
from supervisor.client.calls import catalogue
from supervisor.client.calls import registering as calls

if TYPE_CHECKING:
    from supervisor.client.call import Call

ACTIONS = ("versions", "activate", "rollback", "edit")
_GIVEN_BACK = "; '' for its author's"


def strategies(
    action: Annotated[
        str | None,
        typer.Argument(
            metavar="[versions|activate|rollback|edit]",
            help="Of code that was registered.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME[@VERSION]]", help="With @VERSION for activate and edit.", show_default=False
        ),
    ] = None,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help=f"edit: what people call it{_GIVEN_BACK}.")
    ] = None,
    description: Annotated[
        str | None, typer.Option(metavar="TEXT", help=f"edit: what it does{_GIVEN_BACK}.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help=f"edit: its type{_GIVEN_BACK}.")
    ] = None,
    as_json: Json = False,
    rescan: Annotated[
        bool, typer.Option("--rescan", help="Search the strategy folders again first.")
    ] = False,
) -> None:
    """The catalogue; or the versions of one strategy, and which of them its name means."""
    client = Client()
    words = {"title": title, "description": description, "type": kind}
    said = {what: word or None for what, word in words.items() if word is not None}
    if said and action != "edit":
        raise CommandError(USAGE, f"--{next(iter(said))} goes with 'strategies edit NAME' alone")
    if action is not None:
        _of_one(client, action, name, said, as_json=as_json)
        return
    if rescan:
        client.call(catalogue.rescan)
    body = client.call(catalogue.catalogue)
    if as_json:
        print_json(body)
        return
    from cli import render
    from supervisor.schema import StrategyView

    views = [StrategyView.model_validate(entry) for entry in json.loads(body)]
    show(render.strategies(views))
    for view in views:
        for error in view.errors[1:]:
            print(clean(f"{view.name}: {error}"))


def _of_one(
    client: Client, action: str, given: str | None, said: dict[str, str | None], *, as_json: bool
) -> None:
    name, _, version = (given or "").partition("@")
    if action not in ACTIONS:
        raise CommandError(USAGE, f"strategies {action}: must be one of {', '.join(ACTIONS)}")
    if action == "edit" and name:
        _edit(client, given or "", said, as_json=as_json)
        return
    if not name or (action == "activate") != bool(version):
        form = "NAME@VERSION" if action == "activate" else "NAME"
        raise CommandError(USAGE, f"{' '.join(filter(None, ('strategies', action, given)))}: give a {form}")
    match action:
        case "versions":
            body = client.call(calls.versions, name)
        case "activate":
            body = client.call(calls.activate, name, version)
        case _:
            body = client.call(calls.rollback, name)
    if as_json:
        print_json(body)
        return
    from cli import render_code
    from supervisor.schema import CodeVersions

    show(render_code.versions(CodeVersions.model_validate_json(body)))


def _edit(client: Client, reference: str, said: dict[str, str | None], *, as_json: bool) -> None:
    if not said:
        raise CommandError(
            USAGE, f"strategies edit {reference}: give --title, --description or --type, or several"
        )
    body = client.call(catalogue.label_strategy, reference, said)
    if as_json:
        print_json(body)
        return
    view = json.loads(body)
    print(clean(f"{view['id']}@{view['version']}: {view['name']} ({view['type']})"))
    if view["description"]:
        print(clean(view["description"]))


def register_path(
    path: Annotated[Path, typer.Argument(metavar="PATH", show_default=False)],
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="K=V", help="To try it with, for those without a default."),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="You answer for its code: docs/sandbox.md says when.")
    ] = False,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Leave it where it is, and take over edits at a rescan.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Register a strategy folder or file: check it in the sandbox, and keep what passes."""
    if not path.exists():
        raise CommandError(USAGE, f"{path}: there is no such folder or file")
    tried = pairs(param, "--param")
    if in_place:
        _in_place(path, as_json=as_json)
        return
    call = _upload(path, [f"{name}={value}" for name, value in tried.items()], trust=trust)
    done = None
    for line in _steps(Client().stream(call), as_json=as_json):
        done = line
    if done is None:
        raise CommandError(FAILED, f"{path} was not registered: the daemon broke off; see its log")
    if "problem" in done:
        raise of_problem(done["problem"])
    if not as_json:
        version = done["registration"]["version"]
        already = "" if done["registration"]["created"] else "already "
        print(f"{version['id']} is {already}in the catalogue ({version['code_hash'][:12]})")


def _upload(path: Path, params: list[str], *, trust: bool) -> Call[Any]:
    # Here, as everywhere in this package: what packs takes longer to import than a short command lives.
    from urllib.parse import urlencode

    from supervisor.client.call import Call, target
    from supervisor.client.errors import Unsendable
    from supervisor.client.packing import pack
    from supervisor.registering import archive

    try:
        packed = pack(path)
    except Unsendable as error:
        raise command_error(error) from None
    # A module alone: its parameters are free, which in a JSON body would have to be said.
    data = packed.archive or archive.pack({path.name: str(packed.fields["code"]).encode()})
    query = urlencode([*(("param", one) for one in params), *([("trust", "true")] if trust else [])])
    headers = (("Content-Type", "application/zip"), ("Accept", "application/x-ndjson"))
    return Call("POST", f"{target('strategies/upload')}?{query}", data, headers, None)


def _steps(lines: Iterator[bytes], *, as_json: bool) -> Iterator[dict[str, Any]]:
    """Show each check as it ends; yield the last line."""
    for line in lines:
        said: dict[str, Any] = json.loads(line)
        if as_json and "problem" not in said:
            print(line.decode().rstrip("\n"), flush=True)
        if "step" not in said:
            yield said
        elif not as_json:
            step = said["step"]
            verdict = "ok  " if step["ok"] else "FAIL"
            print(f"{verdict} {step['name']:<14} {clean(step['detail'])}".rstrip(), flush=True)


def _in_place(path: Path, *, as_json: bool) -> None:
    body = Client().call(catalogue.register_path, str(path.resolve()))
    if as_json:
        print_json(body)
        return
    from supervisor.schema import StrategyView

    view = StrategyView.model_validate_json(body)
    print(f"{view.name}@{view.version} is in the catalogue ({view.code_hash[:12]})")
