"""What is done to one deployment by its own address; unlike ``act``, each is refused by an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from supervisor.client.call import Call, given, segment, send

if TYPE_CHECKING:
    from supervisor.schema import LatchResult, Outcome
    from supervisor.schema.changes import ChangeResult, PromoteResult


def stop(deployment_id: str, *, reason: str = "", now: bool = False, wait: bool = True) -> Call[Outcome]:
    """Stop it in order; ``now`` does not wait for the strategy's own goodbye."""
    return _verb(deployment_id, "stop", reason=reason, now=now, wait=wait)


def pause(deployment_id: str, *, reason: str = "", wait: bool = True) -> Call[Outcome]:
    """Pause it: no ticks, no signals, its state kept; what it holds stays guarded."""
    return _verb(deployment_id, "pause", reason=reason, wait=wait)


def resume(deployment_id: str, *, reason: str = "", wait: bool = True) -> Call[Outcome]:
    """Resume it."""
    return _verb(deployment_id, "resume", reason=reason, wait=wait)


def restart(deployment_id: str, *, reason: str = "", now: bool = False, wait: bool = True) -> Call[Outcome]:
    """Stop it and start it again; a stopped one is started."""
    return _verb(deployment_id, "restart", reason=reason, now=now, wait=wait)


def reset_failed(deployment_id: str) -> Call[Outcome]:
    """Take it out of failed or quarantined, its tally of restarts forgotten."""
    return send("POST", _one(deployment_id, "reset-failed"))


def remove(deployment_id: str, *, if_match: str | None = None) -> Call[Outcome]:
    """Forget a stopped deployment and its state."""
    return send("DELETE", f"deployments/{segment(deployment_id)}", if_match=if_match)


def flatten(deployment_id: str, *, reason: str = "") -> Call[LatchResult]:
    """Close what it holds, cancel what waits, and let only exits through until it is unlocked."""
    return send("POST", _one(deployment_id, "flatten"), {"reason": reason})


def lock(deployment_id: str, *, reason: str = "") -> Call[LatchResult]:
    """Close what it holds, cancel what waits, and let nothing through until it is unlocked."""
    return send("POST", _one(deployment_id, "lock"), {"reason": reason})


def unlock(deployment_id: str, *, reason: str = "") -> Call[LatchResult]:
    """Take back what bars it, whatever that is; losses are counted from here."""
    return send("POST", _one(deployment_id, "unlock"), {"reason": reason})


def set_parameters(
    deployment_id: str, values: Mapping[str, Any], *, if_match: str | None = None
) -> Call[ChangeResult]:
    """Give a stopped deployment other parameters; those that are not named stay."""
    return send("PATCH", _one(deployment_id, "parameters"), dict(values), if_match=if_match)


def set_risk(
    deployment_id: str, values: Mapping[str, Any], *, if_match: str | None = None
) -> Call[ChangeResult]:
    """Give a stopped deployment other limits; those that are not named stay, None takes one away."""
    return send("PATCH", _one(deployment_id, "risk"), dict(values), if_match=if_match)


def set_quota(
    deployment_id: str,
    *,
    memory: int | str | None = None,
    cpu: float | None = None,
    if_match: str | None = None,
) -> Call[ChangeResult]:
    """Give a stopped deployment another quota: bytes or "256M", and a share of one core."""
    return send("PATCH", _one(deployment_id, "quota"), given(memory=memory, cpu=cpu), if_match=if_match)


def promote(
    deployment_id: str, *, account: str | None = None, confirmation: str | None = None
) -> Call[PromoteResult]:
    """From paper to real money. Without ``confirmation`` nothing changes; the answer has one to give back."""
    return send("POST", _one(deployment_id, "promote"), given(account=account, confirmation=confirmation))


def _one(deployment_id: str, what: str) -> str:
    return f"deployments/{segment(deployment_id)}/{what}"


def _verb(deployment_id: str, verb: str, **how: Any) -> Call[Outcome]:
    return send("POST", _one(deployment_id, verb), how)
