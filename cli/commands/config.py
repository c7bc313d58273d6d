"""``config``: the settings that a daemon started now would go by, and where each was said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import typer

from cli.options import ConfigFile, Json
from cli.settings import settings_of


def register(app: typer.Typer) -> None:
    """Add the verb to ``app``."""
    app.command("config")(show_config)


def show_config(
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """The settings in force and where each was said; secrets are stars.

    Needs no daemon: a running one is asked by `GET /api/v1/config`.
    """
    from supervisor.config.shown import shown

    settings = settings_of(config)
    values = shown(settings)
    if as_json:
        print(json.dumps({"settings": values, "origins": settings.origins}, ensure_ascii=False))
        return
    rows = [(name, json.dumps(value, ensure_ascii=False)) for name, value in leaves(values)]
    for name, value in rows:
        print(f"{name} = {value}  # {settings.origins.get(name, 'default')}")


def leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value that is no table, by its dotted name."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
