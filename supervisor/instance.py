"""One run of a deployment: what it was granted, what is known of it, and the record of its death. No IO."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from msgspec.structs import replace

from sandbox.signames import signal_name
from sandbox.spec import CellSpec, Died
from supervisor.control import Attach
from supervisor.host import Code, Host
from supervisor.life import Ended, Life
from supervisor.lifecycle import cause_of
from supervisor.quota import Usage
from supervisor.store.tables import DeathRecord, Deployment
from supervisor.trust import answered_for


class Instance:
    """A generation that is being started, lives, or has just ended.

    ``born_at`` monotonic seconds; ``ready_at`` unix ns, None before it is ready; ``ready_since`` is that in
    monotonic seconds, since the wall clock may be set.
    """

    def __init__(self, generation: int, attach: Attach, usage: Usage, born_at: float) -> None:
        self.generation = generation
        self.attach = attach
        self.usage = usage
        self.born_at = born_at
        self.ready_at: int | None = None
        self.ready_since = 0.0
        self.died: Died | None = None


def grant(
    deployment: Deployment,
    generation: int,
    code: Code,
    host: Host,
    *,
    extra_time: float | None = None,
    packages: str = "",
) -> CellSpec:
    """Write down everything that a cell is told at birth. The engine must have been ready once.

    ``extra_time`` is what is left in its bucket (``spec.ExtraTime``) in seconds, None for all; ``packages``
    the folder of those that its lock names.
    """
    endpoints = host.endpoints
    if endpoints is None:
        raise ValueError("no engine was ready yet")
    return CellSpec(
        deployment_id=deployment.id,
        generation=generation,
        strategy=deployment.strategy,
        version=deployment.version,
        code_path=code.code_path,
        conflate=code.conflate,
        stored=code.stored,
        account_id=deployment.account,
        trading_mode=deployment.mode,  # type: ignore[arg-type]  # checked where it came in
        symbols=deployment.symbols,
        timeframes=deployment.timeframes,
        parameters=deployment.parameters,
        updatable=sorted(code.updatable),
        risk=deployment.risk,
        market_endpoint=endpoints.market_endpoint,
        report_endpoint=endpoints.report_endpoint,
        token=secrets.token_hex(16),
        packages=packages,
        trusted=answered_for(deployment, code),
        limits=host.limits(deployment.memory, deployment.cpu),
        budgets=replace(host.budgets, extra=replace(host.budgets.extra, left=extra_time)),
    )


def attach(granted: CellSpec, code: Code, *, begun: int) -> Attach:
    """Write down what the engine is told of a cell, so that it expects exactly this one."""
    return Attach(
        deployment_id=granted.deployment_id,
        generation=granted.generation,
        token=granted.token,
        strategy=granted.strategy,
        version=granted.version,
        code_hash=code.code_hash,
        account_id=granted.account_id,
        trading_mode=granted.trading_mode,
        symbols=granted.symbols,
        timeframes=granted.timeframes,
        warmup=code.warmup,
        risk=granted.risk,
        signals_per_s=granted.limits.signals_per_s,
        begun=begun,
        checkpoint_bytes=granted.limits.checkpoint_bytes,
    )


def ended(generation: int, died: Died, chance: float) -> Ended:
    """Turn a warden's last report into the event of the lifecycle; ``chance`` as there."""
    detail = died.detail.partition("\n")[0]  # the rest is a traceback, kept as the stack
    if not detail and died.signal is not None:
        detail = signal_name(died.signal)
    elif not detail and died.exit_code is not None:
        detail = f"code {died.exit_code}"
    return Ended(generation, died.cause, detail, died.exit_code, chance)


def unaccounted(life: Life, deaths: Sequence[DeathRecord]) -> bool:
    """Whether the last instance ended and nobody recorded it; ``life`` as a new daemon finds it."""
    return life.generation > 0 and all(record.generation != life.generation for record in deaths)


def unobserved(deployment_id: str, life: Life, tail: list[str], *, rebooted: bool, at: int) -> DeathRecord:
    """Account for an instance of a daemon that ended without a word: it died then, or a moment before.

    ``rebooted``: so did everything else, and it is no failure of its own. ``at`` unix ns of the discovery,
    for when it was nobody knows.
    """
    why = "the host was booted since" if rebooted else "the daemon that ran it ended without a word"
    return DeathRecord(
        deployment_id=deployment_id,
        generation=life.generation,
        at=at,
        cause="shutdown" if rebooted else "unknown",
        detail=f"not observed: {why}",
        log_tail=tail,
    )


def death(
    deployment_id: str,
    life: Life,
    event: Ended,
    instance: Instance | None,
    tail: list[str],
    *,
    now: float,
    at: int,
) -> DeathRecord:
    """Gather everything that explains a death. ``life`` as it was before; ``at`` unix ns."""
    died = instance.died if instance and instance.died else Died(event.cause, event.detail)
    detail = event.detail
    if life.ending is not None:  # what the supervisor wanted, and then what the warden saw
        seen = f"{event.cause}: {event.detail}" if event.detail else event.cause
        detail = f"{life.reason} ({seen})" if life.reason else seen
    return DeathRecord(
        deployment_id=deployment_id,
        generation=event.generation,
        at=at,
        cause=cause_of(life, event),
        detail=detail,
        exit_code=died.exit_code,
        signal=died.signal,
        stack=died.stack or died.detail.partition("\n")[2],
        log_tail=tail,
        peak_memory=max(died.peak_memory, instance.usage.peak if instance else 0),
        uptime=now - instance.born_at if instance else None,
        last_event=died.last_event,
    )
