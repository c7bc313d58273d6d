"""Deployments: what runs, and the verbs that change what is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from supervisor.client.call import Call, get, given, listed, segment, send

if TYPE_CHECKING:
    from supervisor.schema import (
        ActionResult,
        DeploymentDetail,
        DeploymentRow,
        StartResult,
    )

Verb: TypeAlias = Literal["stop", "pause", "resume", "restart", "reset-failed", "remove"]


def deployments(
    *,
    account: str | None = None,
    state: str | None = None,
    mode: Literal["paper", "live"] | None = None,
    strategy: str | None = None,
) -> Call[list[DeploymentRow]]:
    """Every deployment, by id; those of an account, in a state, in a mode, of NAME or NAME@VERSION."""
    return get("deployments", {"account": account, "state": state, "mode": mode, "strategy": strategy})


def deployment(deployment_id: str) -> Call[DeploymentDetail]:
    """Everything about one deployment: its row, its configuration, its last five deaths."""
    return get(f"deployments/{segment(deployment_id)}")


def start(
    deployment_id: str,
    *,
    strategy: str | None = None,
    symbols: Sequence[str] | None = None,
    timeframes: Sequence[str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    parameter_text: Mapping[str, str] | None = None,
    risk: Mapping[str, Any] | None = None,
    risk_text: Mapping[str, str] | None = None,
    account: str | None = None,
    mode: Literal["paper", "live"] | None = None,
    memory: int | str | None = None,
    cpu: float | None = None,
    trust: bool | None = None,
    confirm_live: bool | None = None,
    wait: bool = True,
) -> Call[StartResult]:
    """Create the deployment if it is new, else start it as it was; a running one is left alone.

    ``strategy`` is NAME or NAME@VERSION, needed once. What is None stays as it is, or takes the default.
    ``memory`` is bytes, or as ``256M``; ``cpu`` a share of one core. ``parameter_text`` and ``risk_text`` are
    values as typed, which the schema of the strategy turns into what they mean. ``wait``: the answer comes
    when it runs or has failed, and what it is then is in ``deployment.state`` of the answer. ``trust`` and
    ``confirm_live`` are explained in docs/sandbox.md and docs/accounts.md.
    """
    body = given(
        id=deployment_id,
        strategy=strategy,
        symbols=listed(symbols),
        timeframes=listed(timeframes),
        parameters=None if parameters is None else dict(parameters),
        parameter_text=None if parameter_text is None else dict(parameter_text),
        risk=None if risk is None else dict(risk),
        risk_text=None if risk_text is None else dict(risk_text),
        account=account,
        mode=mode,
        memory=memory,
        cpu=cpu,
        trust=trust,
        confirm_live=confirm_live,
        wait=wait,
    )
    return send("POST", "deployments", body)


def act(
    verb: Verb,
    *,
    ids: Sequence[str] | None = None,
    account: str | None = None,
    every: bool | None = None,
    reason: str | None = None,
    now: bool | None = None,
    wait: bool | None = None,
) -> Call[ActionResult]:
    """Carry out a verb on many deployments: some ids, all of an account, or every one.

    Those that can be done are done; ``problem`` of an outcome says why another was not, and nothing is raised
    for it. ``now`` does not wait for a strategy's own goodbye; without ``wait`` the answer comes at once.
    """
    chosen = {"ids": listed(ids), "account": account, "all": every}
    body = given(**chosen, reason=reason, now=now, wait=wait)
    return send("POST", f"actions/{segment(verb, 'verb')}", body)
