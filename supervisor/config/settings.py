"""The one frozen object of settings, read once at the edge; inner code gets the part that it needs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from strategies.trading.instruments import Instruments
from supervisor.config.api import Api
from supervisor.config.layers import Layer, from_credentials, from_environment, from_toml, merge, origins
from supervisor.config.messages import explain
from supervisor.config.notifications import Notification
from supervisor.config.sections import (
    CallBudgets,
    Candles,
    Concurrency,
    Database,
    Directory,
    Feed,
    Log,
    Packages,
    Quota,
    Redis,
    Restart,
    Sandbox,
    Services,
    Signals,
    Strategies,
)
from supervisor.config.trading import Account, InstrumentsFile, Live, Paper, Route
from supervisor.control import FeedSpec
from supervisor.errors import SettingsError
from supervisor.notifying.target import MOST, NAME, Target
from supervisor.paths import config_path, default_runtime_dir, default_state_dir
from supervisor.routes.spec import RouteSpec
from supervisor.trading_control import TradingSpec

AccountName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
FeedName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
RouteName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
TargetName = Annotated[str, Field(pattern=NAME)]


class Settings(BaseSettings):
    """Everything that can be set (docs/configuration.md). Made by ``load``; secrets are ``SecretStr``."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    state_dir: Directory
    runtime_dir: Directory
    log: Log = Log()
    api: Api = Api()
    redis: Redis = Redis()
    database: Database = Database()
    limits: Concurrency = Concurrency()
    strategies: Strategies = Strategies()
    sandbox: Sandbox = Sandbox()
    packages: Packages = Packages()
    quota: Quota = Quota()
    restart: Restart = Restart()
    budgets: CallBudgets = CallBudgets()
    signals: Signals = Signals()
    candles: Candles = Candles()
    services: Services = Services()
    feeds: dict[FeedName, Feed] = {}
    instruments: InstrumentsFile = InstrumentsFile()
    paper: Paper = Paper()
    routes: dict[RouteName, Route] = {}
    accounts: dict[AccountName, Account] = {}
    live: Live = Live()
    notifications: Annotated[dict[TargetName, Notification], Field(max_length=MOST)] = {}

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def origins(self) -> dict[str, str]:
        """Where each value was said that is no default, by dotted name; made by ``load``."""
        return self._origins

    def replaced(self, update: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
        """Return these with some sections replaced, which were checked already, and where each was said."""
        made = self.model_copy(update=update)
        made._origins = dict(origins)  # noqa: SLF001  (as in load)
        return made

    @field_validator("accounts")
    @classmethod
    def _by_routes_there_are(cls, value: dict[str, Account], info: ValidationInfo) -> dict[str, Account]:
        routes = info.data.get("routes")  # not there: they are wrong themselves, which is told
        for name, account in value.items():
            if routes is not None and account.route and account.route not in routes:
                raise ValueError(f"{name}.route: there is no [routes.{account.route}]")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  (pydantic-settings' signature)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from ``load`` alone: the sources of pydantic-settings forget where they read."""
        return (init_settings,)

    @property
    def api_socket(self) -> Path:
        """The Unix socket on which the CLI talks to the daemon."""
        return self.runtime_dir / "api.sock"

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL; may hold a password, so never print it."""
        url = self.database.url
        return f"sqlite:///{self.state_dir / 'stratd.db'}" if url is None else url.get_secret_value()

    def trading_spec(self, instruments: Instruments) -> TradingSpec:
        """What is traded, for whom and on which terms, as the engine is told it."""
        return TradingSpec(
            instruments=instruments,
            accounts={name: account.terms(name) for name, account in self.accounts.items()},
            paper=self.paper.terms(),
            live=self.live.enabled,
            remote_risk=self.services.risk_management_url is not None,
            approval_timeout=self.signals.approval_timeout,
        )

    @property
    def route_specs(self) -> list[RouteSpec]:
        """The routes of live orders; what one does not say of its URL and key, [services] and [redis] do."""
        services, redis = self.services, self.redis
        known = {
            "http": (services.trading_gateway_url, services.trading_gateway_key),
            "redis": (redis.url, redis.password),
        }
        specs = []
        for name, route in self.routes.items():
            # A key belongs to its own URL: shown to another, it would be given away.
            url, key = known.get(route.kind, (None, None)) if route.url is None else (None, None)
            specs.append(route.spec(name, url, key))
        return specs

    @property
    def notification_targets(self) -> dict[str, Target]:
        """Who is told of what happens, by name."""
        return {name: one.target(name) for name, one in self.notifications.items()}

    @property
    def feed_specs(self) -> list[FeedSpec]:
        """The feeds as the engine is told them."""
        return [feed.spec(name) for name, feed in self.feeds.items()]


def load(
    environ: Mapping[str, str] | None = None, *, file: Path | None = None, uid: int | None = None
) -> Settings:
    """Read the settings: ``STRATD_SECTION__NAME``, plain variables, credentials, TOML, defaults; first wins.

    ``environ`` and ``uid`` are the process's own if not given. Without a named file the default one is
    read if there is one. Raises ``SettingsError`` with every mistake at once, one line each.
    """
    environ = os.environ if environ is None else environ
    uid = os.geteuid() if uid is None else uid
    path = config_path(environ, uid, file)
    named = file is not None or bool(environ.get("STRATD_CONFIG"))
    toml = from_toml(path) if named or path.exists() else Layer({})
    said = (*from_environment(environ), from_credentials(environ), toml)
    defaults = Layer(
        {
            "state_dir": str(default_state_dir(environ, uid)),
            "runtime_dir": str(default_runtime_dir(environ, uid)),
        },
    )
    try:
        settings = Settings(**merge((*said, defaults)))
    except ValidationError as error:
        raise SettingsError(explain(error, Settings, said)) from None
    settings._origins = origins(said)  # noqa: SLF001  (of the object that was made here)
    return settings
