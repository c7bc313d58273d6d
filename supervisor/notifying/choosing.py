"""Which events a target is told of. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Final

from supervisor.notifying.severity import SEVERITIES, severity_of
from supervisor.notifying.target import Target
from supervisor.store.tables import Event

_ACCOUNT: Final = "account "
"""How the detail of an event begins that is of a whole account: its latches, limits and clearances."""


def account_of(event: Event, owner: Callable[[str], str]) -> str:
    """Return whose an event is: its deployment's account, or that which it names first; "" for nobody's.

    ``owner`` returns the account of a deployment, "" of one that is gone.
    """
    if event.deployment_id:
        return owner(event.deployment_id)
    if not event.detail.startswith(_ACCOUNT):
        return ""
    return event.detail.removeprefix(_ACCOUNT).partition(" ")[0].rstrip(":")


def wants(target: Target, event: Event, account: str) -> bool:
    """Whether ``target`` is told of ``event``, which is of ``account``.

    An event of the daemon itself has no deployment and no account: then only ``*`` matches. That a target
    cannot be reached is told to the others.
    """
    if event.kind in ("target_down", "target_up") and event.detail.partition(":")[0] == target.name:
        return False
    return (
        SEVERITIES.index(severity_of(event)) >= SEVERITIES.index(target.severity)
        and _matches(event.kind, target.events)
        and _matches(event.deployment_id, target.deployments)
        and _matches(account, target.accounts)
    )


def _matches(name: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(name, one) for one in globs)
