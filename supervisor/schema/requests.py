"""What the daemon is asked."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)
from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    FailFast,
    Field,
    JsonValue,
    WithJsonSchema,
    model_validator,
)

from bus import timeframes
from bus.topics import DEPLOYMENT_ID_ALLOWED, SYMBOL_ALLOWED, is_deployment_id, is_symbol
from supervisor.quantities import SIZE_ALLOWED, format_size, parse_size
from supervisor.schema.base import Request, few
from supervisor.schema.schedules import ScheduleRequest

LEAST_MEMORY, MOST_MEMORY = 8 * 2**20, 2**40
"""Bytes between which a quota may be: a Python needs so much to start."""


def _id(value: str) -> str:
    if not is_deployment_id(value):
        raise ValueError(f"must be {DEPLOYMENT_ID_ALLOWED}")
    return value


def _symbol(value: str) -> str:
    if not is_symbol(value):
        raise ValueError(f"must be {SYMBOL_ALLOWED}")
    return value


def _memory(value: int) -> int:
    if not LEAST_MEMORY <= value <= MOST_MEMORY:
        raise ValueError(
            f"must be a size from {format_size(LEAST_MEMORY)} to {format_size(MOST_MEMORY)}: {SIZE_ALLOWED}"
        )
    return value


def _timeframe(value: str) -> str:
    return timeframes.parse(value).id


DeploymentId = Annotated[str, AfterValidator(_id)]
AccountId = Annotated[str, AfterValidator(_id)]
Symbol = Annotated[str, AfterValidator(_symbol)]
Timeframe = Annotated[str, AfterValidator(_timeframe)]
"""Canonical from here on: whoever asks for ``60m`` gets ``1h``, the id by which engine and gate know it."""
Memory = Annotated[
    int,
    BeforeValidator(parse_size),
    AfterValidator(_memory),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": LEAST_MEMORY, "maximum": MOST_MEMORY},
                {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*([KMGTkmgt]([iI]?[bB])?|[bB])?\s*$"},
            ],
            "description": "Bytes, or a number with K, M, G or T (powers of 1024), as in 256M.",
        }
    ),
]
Values = Annotated[dict[str, JsonValue], BeforeValidator(few), Field(max_length=1000)]
Texts = Annotated[dict[str, str], BeforeValidator(few), Field(max_length=1000)]
"""By name. Each that is wrong is told, and compared with those that there are: so there are only so many."""
Cpu = Annotated[float, Field(gt=0, le=1024, allow_inf_nan=False)]


class StartRequest(Request):
    """``stratd start``: creates the deployment if it is new, else starts it as it was.

    Everything but ``id`` is None or empty when not given: then a known deployment keeps what it has, and
    a new one takes the default. ``parameter_text`` and ``risk_text`` are ``K=V`` as typed on a command
    line, coerced by the schema of the strategy; ``parameters`` and ``risk`` are values as they are.
    """

    id: DeploymentId
    strategy: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """``NAME`` (the newest version) or ``NAME@VERSION``; needed once, when the deployment is new."""
    symbols: list[Symbol] | None = Field(default=None, max_length=1000)
    timeframes: list[Timeframe] | None = Field(default=None, max_length=32)
    parameters: Values = {}
    parameter_text: Texts = {}
    risk: Values = {}
    risk_text: Texts = {}
    account: AccountId | None = None
    mode: Literal["paper", "live"] | None = None
    memory: Memory | None = None
    cpu: Cpu | None = None
    trust: bool | None = None
    """True: the caller answers for the code, which then runs also where the sandbox could not hold a
    stranger's. Only root and the daemon's own user may say so. False takes it back."""
    schedule: ScheduleRequest | None = None
    """When it is to run by the clock (docs/schedules.md); outside, it begins with the next window."""
    confirm_live: bool = False
    """Whoever asks knows that it begins to trade real money: needed where ``mode`` becomes ``live``."""
    wait: bool = True
    """Answer when it runs or has failed, else as soon as it is on its way."""

    @property
    def configures(self) -> bool:
        """Whether the request says anything but which deployment to start."""
        return bool(self.model_fields_set - {"id", "wait", "confirm_live"})


class Selection(Request):
    """Which deployments a verb is for: some ids, all of an account, or all. Exactly one of the three."""

    ids: Annotated[list[str], FailFast()] = Field(default=[], max_length=10_000)
    account: str | None = None
    all: bool = False

    @model_validator(mode="after")
    def _one_of(self) -> Selection:
        if (bool(self.ids), self.account is not None, self.all).count(True) != 1:
            raise ValueError("must name deployments (ids), or an account, or all: exactly one of them")
        return self


class ActionRequest(Selection):
    """``stop``, ``pause``, ``resume``, ``restart`` (and ``reset-failed``, ``remove``, by ids)."""

    reason: Annotated[str, Field(max_length=500)] = ""
    now: bool = False
    """Skip the strategy's own goodbye: the last rung of the stop ladder at once."""
    wait: bool = True


class RegisterRequest(Request):
    """``stratd register PATH``: an absolute path on the daemon's host, of a folder or a .py file."""

    path: Annotated[str, Field(min_length=2, max_length=4096, pattern="^/")]
