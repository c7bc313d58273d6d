"""Targets of notifications as a table. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from cli.tables import Column, Sheet, clean, columns
from cli.words import NOTHING, instant
from supervisor.schema.notifications import NotificationView


def targets(known: Sequence[NotificationView]) -> Sheet:
    """One row a target, by name."""
    return Sheet(
        columns(
            "NAME", "KIND", Column("WHERE", 1, flexible=True), "FROM", "STATE", "WAITING", "SENT",
            Column("LAST", 2), Column("LAST ERROR", 1, flexible=True),
        ),
        tuple(
            (
                one.name,
                one.kind,
                clean(one.where),
                one.severity,
                one.state,
                str(one.waiting),
                str(one.delivered),
                NOTHING if one.last_delivered_at is None else instant(one.last_delivered_at),
                clean(one.last_error) or NOTHING,
            )
            for one in known
        ),
        "nobody is told; 'stratd notifications add' and [notifications.NAME] name who is",
    )  # fmt: skip
