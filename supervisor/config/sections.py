"""The sections of stratd.toml, one frozen model each. Spans are seconds, sizes bytes, cpu shares of a core.

A field's bounds stand in its type, and every message about a wrong value is made from them, so what is
allowed is said in one place (docs/configuration.md is checked against this file by a test).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from sandbox.spec import Budget, Budgets, ExtraTime, Limits
from supervisor.admission import Rules
from supervisor.config.endpoints import curve_key, curve_secret, endpoint, leaves_host, recovery, url
from supervisor.control import FeedSpec, SignalsSpec
from supervisor.packages.plan import Bounds, Source
from supervisor.quantities import parse_duration, parse_size


def _no_bool(value: object) -> object:
    # bool is an int to Python: ``max_concurrent = true`` would be taken for 1.
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004  (pydantic wants ValueError)
    return value


def _absolute(value: Path) -> Path:
    if not value.is_absolute():
        raise ValueError("must be an absolute path")
    return value


Int = Annotated[int, BeforeValidator(_no_bool)]
Float = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False)]
Size = Annotated[int, BeforeValidator(parse_size)]
Duration = Annotated[float, BeforeValidator(parse_duration), Field(allow_inf_nan=False)]
Directory = Annotated[Path, AfterValidator(_absolute)]
Endpoint = Annotated[str, AfterValidator(endpoint)]
Recovery = Annotated[str, AfterValidator(recovery)]
CurveKey = Annotated[str, AfterValidator(curve_key)]
CurveSecret = Annotated[SecretStr, AfterValidator(curve_secret)]
HttpUrl = Annotated[SecretStr, AfterValidator(url(("http", "https")))]
RedisUrl = Annotated[SecretStr, AfterValidator(url(("redis", "rediss", "unix")))]
DatabaseUrl = Annotated[SecretStr, AfterValidator(url(("sqlite", "postgresql")))]


class Section(BaseModel):
    """A table of stratd.toml: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Log(Section):
    """``[log]``. The level is also read from LOG_LEVEL."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["auto", "text", "json", "journal"] = "auto"
    """``auto``: text on a terminal, systemd's journal where stderr is connected to it, else JSON lines."""

    @field_validator("level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value


class Redis(Section):
    """``[redis]``: the state manager's mirror; off without a URL."""

    url: RedisUrl | None = None
    password: SecretStr | None = None


class Database(Section):
    """``[database]``: catalogue and deployments; SQLite in the state directory without a URL."""

    url: DatabaseUrl | None = None


class Concurrency(Section):
    """``[limits]``: how many instances may run at once, and what a start leaves of the host."""

    max_concurrent: Annotated[Int, Field(ge=1, le=10_000)] = 10
    max_per_account: Annotated[Int, Field(ge=1, le=10_000)] = 10
    memory_reserve: Annotated[Size, Field(ge=0, le=2**40)] = 64 * 2**20
    memory_overcommit: Annotated[Float, Field(ge=1, le=1000)] = 4.0
    """How often the free memory may be promised in quotas, because most take far less than theirs."""
    disk_reserve: Annotated[Size, Field(ge=0, le=2**40)] = 64 * 2**20

    def rules(self) -> Rules:
        """Return the rules of admission."""
        return Rules(
            memory_reserve=self.memory_reserve,
            memory_overcommit=self.memory_overcommit,
            disk_reserve=self.disk_reserve,
        )


class Strategies(Section):
    """``[strategies]``: folders searched besides the built-in ones, again on every reload."""

    path: list[Directory] = [Path("/etc/stratd/strategies")]
    register_code: bool = True
    """Whether code is taken in over HTTP (docs/registering.md); what is registered already stays."""

    @field_validator("path", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        # One string is written as PATH is: the only way to say a list in a variable.
        return [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value


LAYERS = (
    "own process", "descriptors", "environment", "limits", "credentials", "namespaces", "mounts", "landlock",
    "seccomp", "cgroup",
)  # fmt: skip
"""The layers of the sandbox, as ``stratd doctor`` names them."""


def _layer(value: str) -> str:
    if value not in LAYERS:
        raise ValueError(f"must be one of {', '.join(LAYERS)}")
    return value


class Sandbox(Section):
    """``[sandbox]``: how cells are confined, and what must hold (docs/sandbox.md)."""

    setting: Literal["auto", "root", "userns", "bare"] = "auto"
    """``auto``: the strongest that this host gives."""
    require: list[Annotated[str, AfterValidator(_layer)]] | None = None
    """Layers without which ``doctor`` fails and a stranger's code does not run; what it needs in any case
    is not made less by this. None: just that."""

    @field_validator("require", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value


class Packages(Section):
    """``[packages]``: where those of strategies are installed from; nowhere, unless the operator says so."""

    index: HttpUrl | None = None
    """A simple index (PEP 503); may hold a password."""
    wheelhouse: Directory | None = None
    """Or a folder of wheels: then nothing is asked of a network."""
    timeout: Annotated[Duration, Field(ge=1, le=3600)] = Bounds().timeout
    """For one installation."""
    max_size: Annotated[Size, Field(ge=2**20, le=2**40)] = Bounds().size
    """Bytes on disk of one installation."""

    @model_validator(mode="after")
    def _one_of(self) -> Packages:
        if self.index is not None and self.wheelhouse is not None:
            raise ValueError("index and wheelhouse are two places, and packages come from one of them")
        return self

    def source(self) -> Source:
        """Return where packages come from."""
        index = self.index.get_secret_value() if self.index else ""
        return Source(index=index, wheelhouse=str(self.wheelhouse or ""))

    def bounds(self) -> Bounds:
        """Return what one installation may take."""
        return Bounds(timeout=self.timeout, size=self.max_size)


class Quota(Section):
    """``[quota]``: what a deployment may use if its start does not say."""

    memory: Annotated[Size, Field(ge=8 * 2**20, le=2**40)] = 256 * 2**20
    cpu: Annotated[Float, Field(gt=0, le=1024)] = 0.5
    cpu_policy: Literal["throttle", "kill", "warn"] = "throttle"
    """What happens to one that wants more than its cpu share: it is held to that, ended, or told of."""
    cpu_window: Annotated[Duration, Field(ge=1, le=3600)] = 10.0
    cgroup: Literal["auto", "off"] = "auto"
    """Control groups where this host gives them to the daemon, or never."""
    files: Annotated[Int, Field(ge=16, le=65_536)] = 128
    processes: Annotated[Int, Field(ge=1, le=4096)] = 64
    file_size: Annotated[Size, Field(ge=0, le=2**40)] = 16 * 2**20
    nice: Annotated[Int, Field(ge=0, le=19)] = 0
    log_rate: Annotated[Size, Field(ge=1024, le=2**30)] = 256 * 1024
    """Bytes a second that a strategy may log; what is over is dropped and counted."""
    signal_rate: Annotated[Int, Field(ge=1, le=100_000)] = 200
    checkpoint: Annotated[Size, Field(ge=1024, le=16 * 2**20)] = 2**20
    backlog: Annotated[Int, Field(ge=1, le=1_000_000)] = 10_000

    def limits(self, memory: int | None = None, cpu: float | None = None) -> Limits:
        """Return the limits of one cell; ``memory`` (bytes) and ``cpu`` (share) as its start said."""
        return Limits(
            memory=self.memory if memory is None else memory,
            cpu=self.cpu if cpu is None else cpu,
            files=self.files,
            processes=self.processes,
            file_size=self.file_size,
            nice=self.nice,
            log_bytes_per_s=self.log_rate,
            signals_per_s=self.signal_rate,
            checkpoint_bytes=self.checkpoint,
            backlog=self.backlog,
        )


class Restart(Section):
    """``[restart]``: what follows an unplanned end, and how long each step of a start or a stop may take.

    The delay before the nth restart is min(max_delay, delay * 2**n), less or more by ``jitter``; more than
    ``max_restarts`` unplanned ends within ``window`` quarantine the deployment; ``stable_time`` of running
    forgets what was before.
    """

    policy: Literal["always", "on-failure", "never"] = "on-failure"
    delay: Annotated[Duration, Field(ge=0, le=3600)] = 1.0
    max_delay: Annotated[Duration, Field(gt=0, le=86_400)] = 60.0
    jitter: Annotated[Float, Field(ge=0, le=1)] = 0.25
    max_restarts: Annotated[Int, Field(ge=1, le=1000)] = 5
    window: Annotated[Duration, Field(gt=0, le=86_400)] = 120.0
    stable_time: Annotated[Duration, Field(gt=0, le=86_400)] = 30.0
    checkpoint_every: Annotated[Duration, Field(ge=1, le=86_400)] = 30.0
    """How much of its state a strategy loses at most when it ends unplanned."""
    ready_timeout: Annotated[Duration, Field(gt=0, le=3600)] = 60.0
    stop_timeout: Annotated[Duration, Field(gt=0, le=600)] = 8.0
    """For the strategy's own goodbye (``on_stop``, ``save_state``, ``cleanup``), before it is made to end."""
    kill_timeout: Annotated[Duration, Field(gt=0, le=60)] = 2.0
    """Between the request to end and the end by force, time to write the stack."""


class CallBudget(Section):
    """How long one call may take: past ``soft`` it is counted, past ``hard`` it is a hang."""

    soft: Annotated[Duration, Field(gt=0, le=3600)]
    hard: Annotated[Duration, Field(gt=0, le=3600)]

    @model_validator(mode="after")
    def _ordered(self) -> CallBudget:
        if self.soft > self.hard:
            raise ValueError(f"soft ({self.soft:g} s) must not be longer than hard ({self.hard:g} s)")
        return self

    def budget(self) -> Budget:
        """Return it as a cell is told it."""
        return Budget(self.soft, self.hard)


_DEFAULT = Budgets()


class CallBudgets(Section):
    """``[budgets.tick]`` and so on: time allowed to each kind of callback (docs/strategies.md)."""

    tick: CallBudget = CallBudget(soft=_DEFAULT.tick.soft, hard=_DEFAULT.tick.hard)
    candle: CallBudget = CallBudget(soft=_DEFAULT.candle.soft, hard=_DEFAULT.candle.hard)
    initialize: CallBudget = CallBudget(soft=_DEFAULT.initialize.soft, hard=_DEFAULT.initialize.hard)
    save_state: CallBudget = CallBudget(soft=_DEFAULT.save_state.soft, hard=_DEFAULT.save_state.hard)
    cleanup: CallBudget = CallBudget(soft=_DEFAULT.cleanup.soft, hard=_DEFAULT.cleanup.hard)
    errors_in_a_row: Annotated[Int, Field(ge=1, le=100_000)] = _DEFAULT.errors_in_a_row
    errors_per_minute: Annotated[Int, Field(ge=1, le=100_000)] = _DEFAULT.errors_per_minute
    extra: Annotated[Duration, Field(ge=0, le=86_400)] = _DEFAULT.extra.capacity
    """What ``ctx.request_time`` may be granted at once; 0 grants nothing."""
    extra_refill: Annotated[Duration, Field(ge=0, le=3600)] = _DEFAULT.extra.refill
    """How much of it comes back in an hour."""

    @field_validator("tick", "candle", "initialize", "save_state", "cleanup", mode="before")
    @classmethod
    def _complete(cls, value: object, info: ValidationInfo) -> object:
        # The half of a budget that is not given keeps its default.
        default: Budget = getattr(_DEFAULT, str(info.field_name))
        return {"soft": default.soft, "hard": default.hard, **value} if isinstance(value, dict) else value

    def budgets(self) -> Budgets:
        """Return them as a cell is told them."""
        return Budgets(
            tick=self.tick.budget(),
            candle=self.candle.budget(),
            initialize=self.initialize.budget(),
            save_state=self.save_state.budget(),
            cleanup=self.cleanup.budget(),
            errors_in_a_row=self.errors_in_a_row,
            errors_per_minute=self.errors_per_minute,
            extra=ExtraTime(self.extra, self.extra_refill),
        )


class Signals(Section):
    """``[signals]``: the outward socket of accepted signals, and the one beside it that replays them."""

    curve_secret_key: CurveSecret | None = None
    """CURVE key of this server (40 characters, Z85): needed where an endpoint crosses a network."""
    endpoint: Endpoint | None = None
    """PUB; ``ipc://RUNTIME_DIR/signals.out`` if not given."""
    replay_endpoint: Endpoint | None = None
    """ROUTER; ``ipc://RUNTIME_DIR/signals.replay`` if not given."""
    approval_timeout: Annotated[Duration, Field(gt=0, le=86_400)] = 300.0
    """How long a signal waits for a person, where the risk that asks for one names no time of its own."""

    @field_validator("endpoint", "replay_endpoint")
    @classmethod
    def _private(cls, value: str | None, info: ValidationInfo) -> str | None:
        # Not in info.data: the key itself is wrong, which is said of the key.
        if value and leaves_host(value) and info.data.get("curve_secret_key", value) is None:
            raise ValueError("can be reached from other hosts, so it needs signals.curve_secret_key")
        return value

    def spec(self) -> SignalsSpec:
        """Return it as the engine is told it."""
        key = self.curve_secret_key
        return SignalsSpec(
            endpoint=self.endpoint or "",
            replay_endpoint=self.replay_endpoint or "",
            curve_secret_key=key.get_secret_value() if key else "",
        )


class Candles(Section):
    """``[candles]``: what strategies are given for an interval in which nothing traded (docs/candles.md)."""

    synthetic: Literal["deliver", "history_only", "off"] = "deliver"


class Services(Section):
    """``[services]``: the other services of the platform, each off without a URL."""

    analysis_engine_url: HttpUrl | None = None
    analysis_engine_key: SecretStr | None = None
    feature_store_url: HttpUrl | None = None
    feature_store_key: SecretStr | None = None
    trading_gateway_url: HttpUrl | None = None
    trading_gateway_key: SecretStr | None = None
    risk_management_url: HttpUrl | None = None
    portfolio_management_url: HttpUrl | None = None
    api_key: SecretStr | None = None
    """What stratd shows the others (SERVICE_API_KEY), where they have no key of their own here."""


class Feed(Section):
    """``[feeds.NAME]``: an external publisher of market data (docs/feeds.md)."""

    endpoint: Endpoint
    mode: Literal["connect", "bind"] = "connect"
    format: Literal["native", "cryptofeed", "openalgo", "dwx"] = "native"
    calendar: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_./+@:-]*$")] = ""
    price: Literal["auto", "last", "bid", "ask", "mid", "mark"] = "auto"
    heartbeat: Annotated[Duration, Field(gt=0, le=3600)] = 3.0
    lateness: Annotated[Duration, Field(ge=0, le=3600)] = 0.0
    grace: Annotated[Duration, Field(ge=0, le=3600)] = 0.25
    venue_suffix: bool = False
    curve_server_key: CurveKey | None = None
    on_loss: Literal["tell", "pause", "restart"] = "tell"
    """What follows for those who read its symbols when its publisher is gone (docs/supervision.md)."""
    recovery: Recovery = "auto"
    """Where it is asked for what was missed; ``auto`` is what its heartbeats say, if that is on its host."""

    @field_validator("recovery")
    @classmethod
    def _native(cls, value: str, info: ValidationInfo) -> str:
        if "://" in value and info.data.get("format", "native") != "native":
            raise ValueError("is for the native format: no other publisher can be asked")
        return value

    def spec(self, name: str) -> FeedSpec:
        """Return the feed as the engine is told it."""
        values = self.model_dump(exclude={"curve_server_key", "on_loss"})
        return FeedSpec(name=name, curve_server_key=self.curve_server_key or "", **values)
