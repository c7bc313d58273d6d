"""From what the daemon knows to the shapes of the API. Pure: everything, ``now`` too, is an argument."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

import msgspec

from sandbox.confine.survey import Survey
from sandbox.spec import Limits
from strategies.trading.latches import Latch
from strategies.trading.protection import Guard
from supervisor import control, pressure
from supervisor import life as lf
from supervisor.actor import Actor
from supervisor.sampler import ProcessUse
from supervisor.schedule_views import spec_of
from supervisor.schema import (
    CheckpointsView,
    CheckpointView,
    Death,
    DeploymentDetail,
    DeploymentRow,
    Enforcer,
    FeedView,
    GuardView,
    LastDeath,
    LatchView,
    PackagesView,
    PositionView,
    ProcessView,
    Quota,
    Verdicts,
)
from supervisor.store.journal_checkpoints import Kept, Summary
from supervisor.store.tables import DeathRecord
from supervisor.trading_control import AccountRow, HoldingRow
from supervisor.trust import trusted

MIB = 2**20
SHOWN_DEATHS = 5


def row(
    actor: Actor, known: control.DeploymentRow | None, saved: Summary | None, *, now: int, monotonic: float
) -> DeploymentRow:
    """Return one line of ``ps``. ``known`` is what the engine said last of it; ``now`` unix ns."""
    return DeploymentRow(**_row(actor, known, saved, now, monotonic))


def _row(
    actor: Actor, known: control.DeploymentRow | None, saved: Summary | None, now: int, monotonic: float
) -> dict[str, Any]:
    mine, life, instance = actor.deployment, actor.life, actor.instance
    usage = instance.usage if instance else None
    stats = known.stats if known and instance and known.generation == instance.generation else None
    share = usage.cpu_share if usage else None
    it, enforcers = (mine.id, instance.generation) if instance else None, actor.host.enforcers
    held = enforcers.held_by(it)
    death = actor.deaths[-1] if actor.deaths else None
    code = actor.host.code(mine.strategy, mine.version)
    return {
        "id": mine.id,
        "strategy": mine.strategy,
        "version": mine.version,
        "account": mine.account,
        "mode": mine.mode,
        "symbols": mine.symbols,
        "timeframes": mine.timeframes,
        "state": life.state.value,
        "desired": life.wanted.value,
        "pid": actor.host.cells.pid(mine.id, instance.generation) if instance else None,
        "generation": life.generation,
        "restarts": life.restarts,
        "uptime_s": monotonic - instance.ready_since if instance and instance.ready_at else None,
        "cpu_percent": None if share is None else round(share * 100, 1),
        "memory_mb": round(usage.rss / MIB, 1) if usage and share is not None else None,
        "quota": Quota(memory_mb=mine.memory / MIB, cpu=mine.cpu),
        "enforcer": Enforcer(memory=held.memory, cpu=held.cpu),
        "ticks": stats.ticks if stats else 0,
        "candles": stats.candles if stats else 0,
        "gaps": stats.gaps if stats else 0,
        "stale": stats.stale if stats else 0,
        "conflated": stats.conflated if stats else 0,
        "lag_ms": round(stats.lag_ns / 1e6, 3) if stats and (stats.ticks or stats.candles) else None,
        "signals": verdicts(known.counts) if known else Verdicts(),
        "last_death": LastDeath(cause=death.cause, detail=death.detail, at=death.at) if death else None,
        "reason": f"stuck: {lf.STUCK}" if life.rung is lf.Rung.STUCK else life.reason,
        "trusted": code is not None and trusted(mine, code),
        "builtin": code is not None and code.built_in,
        "equity": known.equity if known else None,
        "latch": latch_view(known.latch if known else None),
        "checkpoint_age_s": _age(saved.at, now) if saved and saved.seq else None,
        "outside": life.closed.reason if life.closed and life.wanted is not lf.Wanted.STOPPED else "",
        "pressure": pressure.view(enforcers.pressure.of(it)),
    }


def detail(
    actor: Actor,
    known: control.DeploymentRow | None,
    saved: Summary | None,
    *,
    now: int,
    monotonic: float,
    code: tuple[str, str],
    limits: Limits,
) -> DeploymentDetail:
    """Return all of ``describe``; ``code`` is (path, hash), ``monotonic`` the clock of ``life.due``."""
    mine, life, instance = actor.deployment, actor.life, actor.instance
    waits = life.state == "backoff" and life.due is not None
    stats = known.stats if known and instance and known.generation == instance.generation else None
    return DeploymentDetail(
        **_row(actor, known, saved, now, monotonic),
        code_path=code[0],
        code_hash=code[1],
        parameters=mine.parameters,
        risk=mine.risk,
        limits={name: getattr(limits, name) for name in limits.__struct_fields__},
        packages=packages(actor),
        without=without(actor.host.survey),
        schedule=spec_of(mine),
        restart_policy=actor.host.policy.restart,
        created_at=mine.created_at,
        updated_at=mine.updated_at,
        started_at=instance.ready_at if instance else None,
        next_start_in_s=max(0.0, life.due - monotonic) if waits and life.due is not None else None,
        published=known.published if known else 0,
        replayed=stats.replayed if stats else 0,
        refused=stats.refused if stats else 0,
        errors=stats.errors if stats else 0,
        slow_calls=stats.slow_calls if stats else 0,
        longest_call_ms=stats.longest_call_ns / 1e6 if stats else 0.0,
        extra_time_s=round(actor.extra_time, 1),
        log_dropped=actor.book.dropped,
        last_event=stats.last_event if stats else "",
        checkpoints=_checkpoints(saved) if saved else CheckpointsView(),
        positions=positions(known) if known else [],
        deaths=[death(record) for record in reversed(actor.deaths[-SHOWN_DEATHS:])],
    )


def packages(actor: Actor) -> PackagesView | None:
    """Return the packages that the strategy of a deployment needs, as it is in the catalogue now."""
    code = actor.host.code(actor.deployment.strategy, actor.deployment.version)
    if code is None or code.lock is None:
        return None
    lock, store = code.lock, actor.host.packages
    names = list(lock.names)
    return PackagesView(key=store.key(lock), count=len(names), names=names, installed=store.has(lock))


def checkpoints(kept: list[Kept], now: int) -> list[CheckpointView]:
    """Return what is kept of one deployment, in the order given: the newest first."""
    newest = next((one.seq for one in kept if not one.refused), 0)
    return [
        CheckpointView(
            seq=one.seq,
            at=one.at,
            age_s=_age(one.at, now),
            generation=one.generation,
            state_version=one.state_version,
            size_bytes=one.size,
            quarantined=bool(one.refused),
            why=one.refused,
            newest=one.seq == newest,
            paused=one.paused,
            tape=one.epoch,
            offset=one.offset,
            position=one.position,
        )
        for one in kept
    ]


def _checkpoints(saved: Summary) -> CheckpointsView:
    newest = {"seq": saved.seq, "size_bytes": saved.size} if saved.seq else {}
    return CheckpointsView(**newest, good=saved.good, quarantined=saved.refused)


def _age(at: int, now: int) -> float:
    return max(0.0, (now - at) / 1e9)


def without(survey: Survey | None) -> list[str]:
    """Return the layers of the sandbox that cells of this host do not get."""
    return [layer.name for layer in survey.layers if not layer.active] if survey else []


def process(name: str, pid: int | None, use: ProcessUse | None, *, up: bool, starts: int) -> ProcessView:
    """Return one of the daemon's own processes; ``use`` as it was read last, of whichever process then."""
    view = ProcessView(name=name, pid=pid, state="running" if up else "starting", restarts=max(0, starts - 1))
    if use is None or use.pid != pid:
        return view
    return view.model_copy(
        update={
            "uptime_s": use.uptime,
            "cpu_percent": None if use.cpu_share is None else round(use.cpu_share * 100, 1),
            "memory_mb": round(use.rss / MIB, 1),
        }
    )


def death(record: DeathRecord) -> Death:
    """Return one death; the signal by its name."""
    return Death(
        cause=record.cause,
        detail=record.detail,
        at=record.at,
        generation=record.generation,
        exit_code=record.exit_code,
        signal=_signal_name(record.signal),
        stack=record.stack,
        log_tail=record.log_tail,
        peak_memory_mb=round(record.peak_memory / MIB, 1) if record.peak_memory else None,
        uptime_s=record.uptime,
        last_event=record.last_event,
    )


def _signal_name(number: int | None) -> str | None:
    if number is None:
        return None
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"


def verdicts(counts: control.SignalCounts) -> Verdicts:
    """Return the verdicts of one deployment."""
    return Verdicts(
        accepted=counts.accepted,
        rejected=counts.rejected,
        duplicate=counts.duplicate,
        expired=counts.expired,
    )


def total(rows: Mapping[str, control.DeploymentRow]) -> Verdicts:
    """Return the verdicts of all deployments together."""
    return Verdicts(
        accepted=sum(row.counts.accepted for row in rows.values()),
        rejected=sum(row.counts.rejected for row in rows.values()),
        duplicate=sum(row.counts.duplicate for row in rows.values()),
        expired=sum(row.counts.expired for row in rows.values()),
    )


def positions(known: control.DeploymentRow) -> list[PositionView]:
    """Return the holdings of one deployment."""
    guards = {guard.symbol: guard for guard in known.guards}
    return [
        PositionView(
            symbol=one.symbol,
            quantity=one.quantity,
            average_price=one.average_price,
            realised=one.realised,
            unrealised=one.unrealised,
            fees=one.fees,
            currency=one.currency,
            guard=guard_view(guards.get(one.symbol)),
        )
        for one in known.positions
    ]


def latch_view(latch: Latch | None) -> LatchView | None:
    """Return a latch as it is shown."""
    if latch is None:
        return None
    return LatchView.model_validate(msgspec.structs.asdict(latch))


def latches(told: control.EngineStats | None) -> list[LatchView]:
    """Return what bars accounts, and then deployments; none while the engine says nothing."""
    if told is None:
        return []
    rows: list[AccountRow | control.DeploymentRow | HoldingRow] = []
    rows += [*told.accounts, *told.deployments, *told.holdings]
    return [view for row in rows if (view := latch_view(row.latch)) is not None]


def guard_view(guard: Guard | None) -> GuardView | None:
    """Return a guard as it is shown."""
    if guard is None:
        return None
    return GuardView(
        stop=guard.stop,
        trailing_stop=guard.trail_stop,
        target=guard.target,
        expires_at=guard.expires_at or None,
        square_off_at=guard.square_off_at or None,
    )


def feed(found: control.FeedRow) -> FeedView:
    """Return one feed as the engine told it."""
    return FeedView(**{name: getattr(found, name) for name in found.__struct_fields__})
