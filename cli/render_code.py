"""Registered code as a table."""

from __future__ import annotations

from cli.tables import Column, Sheet, clean, columns
from cli.words import instant
from supervisor.schema import CodeVersions, PackagesView


def versions(found: CodeVersions) -> Sheet:
    """Every version of one name, the newest first; ``*`` is the one that the name means."""
    return Sheet(
        columns(
            "",
            "VERSION",
            Column("CODE", 2),
            Column("AS", 4),
            Column("REGISTERED", 1),
            Column("BY", 3, flexible=True),
            Column("FOR", 3),
            Column("IN USE", 2, right=True),
        ),
        tuple(
            (
                "*" if one.active else "",
                one.version,
                one.code_hash[:12],
                one.kind,
                instant(one.registered_at),
                clean(" from ".join(filter(None, (one.registered_by, one.origin)))),
                one.owner or "all",
                str(one.deployments),
            )
            for one in found.versions
        ),
        "no versions",
    )


def packages(view: PackagesView | None) -> str:
    """Say which packages a strategy needs, and whether they are there."""
    if view is None:
        return ""
    state = "" if view.installed else ", not installed yet"
    return f"{view.count} ({view.key[:12]}{state}): {', '.join(view.names)}"
