"""The sections of stratd.toml about money: instruments, accounts, paper terms, live trading and its routes.

Limits are checked here as they are for a deployment (``RiskConfig``), so that a wrong one is said at once and
not when the first signal meets it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args
from zoneinfo import ZoneInfo

import msgspec
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bus.sessions import at
from strategies.config import RiskConfig
from strategies.errors import ParametersInvalid
from strategies.trading.accounts import AccountTerms
from strategies.trading.terms import Commission, NoCommission, NoSlippage, Slippage, Terms
from supervisor.config.endpoints import url
from supervisor.config.sections import Directory, Duration, Float, Int, Section
from supervisor.routes.spec import RouteSpec

NANOS: Final = 1_000_000_000
CURRENCY: Final = r"^[A-Z0-9]{2,12}$"
SCHEMES: Final = {"http": ("http", "https"), "redis": ("redis", "rediss", "unix"), "zmq": ("tcp", "ipc")}
"""What a URL of each kind of route that is built in begins with."""


def _model(kind: Any) -> Any:
    """Return what reads an inline table ``{model = "..."}`` into one of the models of ``kind``."""
    names = [one.__struct_config__.tag for one in get_args(kind)]

    def read(value: object) -> object:
        if isinstance(value, kind):
            return value
        if not isinstance(value, dict) or value.get("model") not in names:
            raise ValueError(f'must be a table {{model = "..."}} with one of the models {", ".join(names)}')
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise ValueError(str(error).replace("`$.", "`").replace(" - at `$`", "")) from None

    return PlainValidator(read)


_PLAIN: Final = PlainSerializer(msgspec.to_builtins)


def _clock(value: object) -> object:
    """Read ``HH:MM`` into seconds after midnight; ``-HH:MM`` is of the day before."""
    if not isinstance(value, str):
        return value
    if not re.fullmatch(r"-?([01]\d|2[0-3]):[0-5]\d", value, re.ASCII):
        raise ValueError('must be a time of the day, "HH:MM", or "-HH:MM" of the day before')
    return at(value.removeprefix("-"), -1 if value.startswith("-") else 0)


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (LookupError, ValueError, OSError):
        raise ValueError("must be an IANA time zone, as Europe/London") from None
    return value


def _risk(value: object) -> object:
    if not isinstance(value, dict):
        return value
    try:
        RiskConfig.from_mapping(value)
    except ParametersInvalid as error:
        raise ValueError("; ".join(str(problem) for problem in error.problems)) from None
    return value


def _toml(value: Path) -> Path:
    if value.suffix != ".toml":
        raise ValueError("must be a .toml file")
    return value


class InstrumentsFile(Section):
    """``[instruments]``: a file with a table for each symbol, read again when it changes."""

    file: Annotated[Directory, AfterValidator(_toml)] | None = None


class Paper(Section):
    """``[paper]``: how orders fill on paper. Models are inline tables: ``{model = "bps", bps = 1}``."""

    commission: Annotated[Any, _model(Commission), _PLAIN] = NoCommission()
    slippage: Annotated[Any, _model(Slippage), _PLAIN] = NoSlippage()
    latency: Annotated[Duration, Field(ge=0, le=86_400)] = 0.0
    volume_share: Annotated[Float, Field(gt=0, le=1)] | None = None
    trade_through: bool = False
    bars: Literal["open", "close"] = "open"

    def terms(self) -> Terms:
        """Return them as the broker goes by them."""
        return Terms(
            commission=self.commission,
            slippage=self.slippage,
            latency=round(self.latency * NANOS),
            volume_share=self.volume_share,
            trade_through=self.trade_through,
            bars=self.bars,
        )


class Account(Section):
    """``[accounts.NAME]``: whose money it is. ``risk`` are limits for all of its deployments together."""

    currency: Annotated[str, Field(pattern=CURRENCY)] = "USD"
    capital: Annotated[Float, Field(gt=0, le=1e15)] | None = None
    live: bool = False
    """The account's opt-in to live trading: ``[live] enabled`` and the deployment's are needed as well."""
    route: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9_-]{0,31})?$")] = ""
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    day_starts: Annotated[Int, BeforeValidator(_clock), Field(ge=-86_400, lt=86_400)] = 0
    signal_rate: Annotated[Int, Field(ge=1, le=1_000_000)] = 1_000
    """Signals a second of all of its deployments together."""
    risk: Annotated[dict[str, Any], BeforeValidator(_risk)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _routed(self) -> Account:
        if self.live and not self.route:
            raise ValueError("live = true needs a route: the name of one of [routes.NAME]")
        return self

    def terms(self, name: str) -> AccountTerms:
        """Return it as the core goes by it."""
        return AccountTerms(
            name=name,
            currency=self.currency,
            capital=self.capital,
            live=self.live,
            route=self.route,
            risk=self.risk,
            zone=self.timezone,
            day_starts=self.day_starts,
            signals_per_s=self.signal_rate,
        )


class Route(Section):
    """``[routes.NAME]``: a way out for live orders (docs/routing.md)."""

    kind: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
    """``http``, ``redis``, ``zmq``, or one that a package offers."""
    url: SecretStr | None = None
    key: SecretStr | None = None
    timeout: Annotated[Duration, Field(gt=0, le=60)] = 3.0
    """For one question and its answer."""
    patience: Annotated[Duration, Field(gt=0, le=3600)] = 30.0
    """For an entry to be taken."""
    poll: Annotated[Duration, Field(gt=0, le=60)] = 5.0
    """Between two questions about an order that works and does not change, at most."""
    failures: Annotated[Int, Field(ge=1, le=1000)] = 5
    cool_down: Annotated[Duration, Field(gt=0, le=3600)] = 10.0
    at_once: Annotated[Int, Field(ge=1, le=256)] = 16
    most: Annotated[Int, Field(ge=1, le=100_000)] = 1_000
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("url")
    @classmethod
    def _fits(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        schemes = SCHEMES.get(info.data.get("kind", ""))
        return value if value is None or schemes is None else url(schemes)(value)

    def spec(self, name: str, url: SecretStr | None, key: SecretStr | None) -> RouteSpec:
        """Return it as its courier goes by it; ``url`` and ``key`` are for where it has none."""
        chosen, secret = self.url or url, self.key or key
        return RouteSpec(
            name=name,
            kind=self.kind,
            url=chosen.get_secret_value() if chosen else "",
            key=secret.get_secret_value() if secret else "",
            timeout=self.timeout,
            patience=self.patience,
            poll_most=self.poll,
            failures=self.failures,
            cool_down=self.cool_down,
            at_once=self.at_once,
            most=self.most,
            options=self.options,
        )


class Live(Section):
    """``[live]``: the first of the three opt-ins that live trading needs."""

    enabled: bool = False
