"""What a deployment is to be: what its start asks for, what is known of it, defaults for the rest. Pure.

Every mistake is told at once. Whether it may run is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from strategies.config import RiskConfig
from strategies.errors import ParametersInvalid
from supervisor.catalogue import Catalogue, Entry
from supervisor.errors import CREATES, Invalid, NotFound, near_matches
from supervisor.schedule import dump
from supervisor.schedule_views import schedule_of
from supervisor.schema import StartRequest
from supervisor.schema.schedules import ScheduleRequest
from supervisor.store.tables import Deployment


class Defaults(Protocol):
    """What a new deployment gets where its start does not say."""

    @property
    def memory(self) -> int:
        """Bytes."""
        ...

    @property
    def cpu(self) -> float:
        """Share of one core."""
        ...


def configure(
    request: StartRequest,
    known: Deployment | None,
    *,
    catalogue: Catalogue,
    defaults: Defaults,
    ids: Iterable[str],
    now: int,
) -> Deployment:
    """Return the deployment that ``request`` asks for; ``known`` is what it was, None for a new one.

    ``ids`` are those that there are, for near matches; ``now`` unix ns. Raises ``NotFound``, or
    ``Invalid`` with every mistake.
    """
    entry = _entry(request, known, catalogue, ids)
    errors: list[str] = []
    symbols = request.symbols or (known.symbols if known else entry.symbols)
    if not symbols:
        errors.append("symbols: at least one is needed (--symbol)")
    timeframes = request.timeframes or (known.timeframes if known else entry.timeframes)
    parameters, risk = dict(known.parameters if known else {}), dict(known.risk if known else {})
    same = known is not None and known.strategy == entry.name
    given = {**(parameters if same else {}), **request.parameters}
    try:
        parameters = catalogue.parameters(entry, given, request.parameter_text)
    except Invalid as error:
        errors += error.errors
    risk |= {**request.risk, **request.risk_text}
    try:
        checked = RiskConfig.from_mapping(risk)
        risk = {name: getattr(checked, name) for name in risk}
    except ParametersInvalid as error:
        errors += [str(problem) for problem in error.problems]
    if errors:
        raise Invalid(errors)
    return Deployment(
        id=request.id,
        strategy=entry.name,
        version=entry.version,
        account=request.account or (known.account if known else "default"),
        mode=request.mode or (known.mode if known else "paper"),
        symbols=list(dict.fromkeys(symbols)),
        timeframes=list(dict.fromkeys(timeframes)),
        parameters=parameters,
        risk=risk,
        memory=request.memory or (known.memory if known else defaults.memory),
        cpu=request.cpu or (known.cpu if known else defaults.cpu),
        trusted_path=_trusted_path(request.trust, known, entry),
        schedule=_schedule(request.schedule, known),
        created_at=known.created_at if known else now,
        updated_at=now,
    )


def _schedule(request: ScheduleRequest | None, known: Deployment | None) -> dict[str, Any]:
    if request is not None:
        return dump(schedule_of(request))
    return known.schedule if known else {}


def _entry(
    request: StartRequest, known: Deployment | None, catalogue: Catalogue, ids: Iterable[str]
) -> Entry:
    if request.strategy is not None:
        return catalogue.find(request.strategy)
    if known is None:  # more often a typing error than a new one without its strategy
        raise NotFound("deployment", request.id, near_matches(request.id, ids), CREATES)
    return catalogue.find(f"{known.strategy}@{known.version}")


def _trusted_path(trust: bool | None, known: Deployment | None, entry: Entry) -> str:
    """Trust is in the code at one place: given other code, a deployment has to be trusted anew."""
    if trust is not None:
        return entry.code_path if trust else ""
    kept = known is not None and known.trusted_path == entry.code_path
    return entry.code_path if kept else ""
