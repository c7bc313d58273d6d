"""``new``, ``validate``: a strategy folder before any daemon has it; and the verbs of ``registering``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cli.commands import registering
from cli.errors import FAILED, REFUSED, CommandError
from cli.options import ConfigFile, Json
from cli.settings import settings_of
from cli.tables import clean
from cli.talk import pairs


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    app.command()(registering.strategies)
    app.command()(new)
    app.command()(validate)
    app.command("register")(registering.register_path)


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    path: Annotated[Path, typer.Option(metavar="DIR", help="Where the folder is made.")] = Path(),
) -> None:
    """Scaffold a strategy folder with a test."""
    from strategies.errors import StrategyError
    from strategies.scaffold import create

    try:
        files = create(path, name)
    except StrategyError as error:
        raise CommandError(FAILED, str(error)) from None
    folder = files[0].parent
    print(*files, sep="\n")
    print(f"next: edit strategy.py, then 'stratd validate {folder}' and 'stratd register {folder}'")


def validate(
    path: Annotated[Path, typer.Argument(metavar="PATH", show_default=False)],
    param: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="For those without a default.")
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="You answer for its code: docs/sandbox.md says when.")
    ] = False,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Check a strategy folder in the sandbox.

    Nothing is registered, and no daemon is needed. Its code is tried as [sandbox] and [packages] of the
    configuration say.
    """
    from supervisor.packages.store import PackageStore, find_uv, own_folder
    from supervisor.validation import validate as check

    settings = settings_of(config)
    source, bounds = settings.packages.source(), settings.packages.bounds()
    packages = PackageStore(own_folder(os.environ), source, bounds, uv=find_uv())
    verdict = check(
        path.resolve(), pairs(param, "--param"), trust=trust, sandbox=settings.sandbox, packages=packages
    )
    if as_json:
        print(verdict.model_dump_json())
    else:
        for step in verdict.steps:
            print(f"{'ok  ' if step.ok else 'FAIL'} {step.name:<12} {clean(step.detail)}".rstrip())
    if not verdict.ok:
        if verdict.rule:
            raise CommandError(REFUSED, f"refused by {verdict.rule}: {verdict.reason}")
        raise CommandError(FAILED, f"{path} is not a valid strategy: {verdict.reason}")
