"""The tables of ``DATABASE_URL``, and the records that are rows of them. No IO."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sql
from msgspec import Struct, structs
from sqlalchemy import Column, MetaData, Table

from supervisor.life import Life, State, Wanted

DURABLE_STATES = frozenset({State.FAILED, State.QUARANTINED})
"""Observed states that outlive the daemon; after any other, there is no process and nothing was decided."""


class Deployment(Struct, frozen=True, kw_only=True):
    """What an operator said of a deployment. ``memory`` bytes, ``cpu`` share of a core, times unix ns."""

    id: str
    strategy: str
    version: str
    account: str
    mode: str
    symbols: list[str]
    timeframes: list[str]
    parameters: dict[str, Any] = {}
    risk: dict[str, Any] = {}
    memory: int
    cpu: float
    trusted_path: str = ""
    """Where the code lies that the operator answers for, "" if he does for none."""
    schedule: dict[str, Any] = {}
    """When it is to run (``supervisor.schedule.dump``), {} for always."""
    created_at: int
    updated_at: int


class Standing(Struct, frozen=True, kw_only=True):
    """The durable part of a ``Life``."""

    wanted: Wanted = Wanted.STOPPED
    state: State = State.REGISTERED
    generation: int = 0
    restarts: int = 0
    reason: str = ""
    actor: str = ""
    begun: int = 0
    suspended: str = ""

    @staticmethod
    def of(life: Life) -> Standing:
        """Take from ``life`` what must outlive the daemon."""
        started = State.STOPPED if life.generation else State.REGISTERED
        state = life.state if life.state in DURABLE_STATES else started
        return Standing(
            wanted=life.wanted,
            state=state,
            generation=life.generation,
            restarts=life.restarts,
            reason=life.reason if life.state in DURABLE_STATES else "",
            actor=life.actor if life.state in DURABLE_STATES else "",
            begun=life.begun,
            suspended=life.suspended,
        )

    def life(self) -> Life:
        """Return the life that a fresh daemon begins with: no instance, no timer."""
        return Life(**structs.asdict(self))


class DeathRecord(Struct, frozen=True, kw_only=True):
    """How one instance ended, with everything known about it. ``peak_memory`` bytes, ``uptime`` seconds."""

    deployment_id: str
    generation: int
    at: int
    cause: str
    detail: str = ""
    exit_code: int | None = None
    signal: int | None = None
    stack: str = ""
    log_tail: list[str] = []
    peak_memory: int = 0
    uptime: float | None = None
    last_event: str = ""


class Event(Struct, frozen=True):
    """One numbered line of ``stratd events``. ``at`` unix ns."""

    seq: int
    at: int
    kind: str
    deployment_id: str = ""
    generation: int = 0
    detail: str = ""


META = MetaData()
DEPLOYMENTS = Table(
    "deployments",
    META,
    Column("id", sql.String(64), primary_key=True),
    Column("strategy", sql.String(200), nullable=False),
    Column("version", sql.String(64), nullable=False),
    Column("account", sql.String(64), nullable=False),
    Column("mode", sql.String(16), nullable=False),
    Column("symbols", sql.JSON, nullable=False),
    Column("timeframes", sql.JSON, nullable=False),
    Column("parameters", sql.JSON, nullable=False),
    Column("risk", sql.JSON, nullable=False),
    Column("memory", sql.BigInteger, nullable=False),
    Column("cpu", sql.Float, nullable=False),
    Column("trusted_path", sql.String(4096), nullable=False, server_default=""),
    Column("created_at", sql.BigInteger, nullable=False),
    Column("updated_at", sql.BigInteger, nullable=False),
    Column("wanted", sql.String(16), nullable=False),
    Column("state", sql.String(16), nullable=False),
    Column("generation", sql.BigInteger, nullable=False),
    Column("restarts", sql.BigInteger, nullable=False),
    Column("reason", sql.Text, nullable=False),
    Column("actor", sql.Text, nullable=False),
    Column("begun", sql.BigInteger, nullable=False, server_default="0"),
    Column("suspended", sql.String(64), nullable=False, server_default=""),
    Column("schedule", sql.JSON, nullable=False, server_default="{}"),
)
# SQLite counts up by itself only a primary key that is spelled INTEGER (sqlite.org/autoinc.html).
SERIAL = sql.BigInteger().with_variant(sql.Integer(), "sqlite")
DEATHS = Table(
    "deaths",
    META,
    Column("number", SERIAL, primary_key=True, autoincrement=True),
    Column("deployment_id", sql.String(64), nullable=False, index=True),
    Column("generation", sql.BigInteger, nullable=False),
    Column("at", sql.BigInteger, nullable=False),
    Column("cause", sql.String(32), nullable=False),
    Column("detail", sql.Text, nullable=False),
    Column("exit_code", sql.Integer),
    Column("signal", sql.Integer),
    Column("stack", sql.Text, nullable=False),
    Column("log_tail", sql.JSON, nullable=False),
    Column("peak_memory", sql.BigInteger, nullable=False),
    Column("uptime", sql.Float),
    Column("last_event", sql.Text, nullable=False),
)
EVENTS = Table(
    "events",
    META,
    Column("seq", sql.BigInteger, primary_key=True, autoincrement=False),
    Column("at", sql.BigInteger, nullable=False),
    Column("kind", sql.String(64), nullable=False),
    Column("deployment_id", sql.String(64), nullable=False, index=True),
    Column("generation", sql.BigInteger, nullable=False),
    Column("detail", sql.Text, nullable=False),
)
REGISTERED = Table("registered_paths", META, Column("path", sql.String(4096), primary_key=True))
KEYS = Table(
    "api_keys",
    META,
    Column("id", sql.String(12), primary_key=True),
    Column("name", sql.String(100), nullable=False),
    Column("scopes", sql.JSON, nullable=False),
    Column("account", sql.String(64), nullable=False),
    Column("digest", sql.String(200), nullable=False),
    Column("created_at", sql.BigInteger, nullable=False),
    Column("created_by", sql.String(100), nullable=False),
    Column("expires_at", sql.BigInteger),
    Column("used_at", sql.BigInteger),
)
AUDIT = Table(
    "audit",
    META,
    Column("number", SERIAL, primary_key=True, autoincrement=True),
    Column("at", sql.BigInteger, nullable=False),
    Column("who", sql.String(100), nullable=False),
    Column("key", sql.String(12), nullable=False),
    Column("account", sql.String(64), nullable=False),
    Column("address", sql.String(64), nullable=False),
    Column("method", sql.String(16), nullable=False),
    Column("path", sql.String(300), nullable=False),
    Column("status", sql.Integer, nullable=False),
    Column("request_id", sql.String(128), nullable=False),
)
ANSWERS = Table(
    "idempotent_answers",
    META,
    Column("key", sql.String(64), primary_key=True),
    Column("fingerprint", sql.String(64), nullable=False),
    Column("status", sql.Integer, nullable=False),
    Column("media", sql.String(100), nullable=False),
    Column("body", sql.LargeBinary, nullable=False),
    Column("at", sql.BigInteger, nullable=False, index=True),
)
CODE_VERSIONS = Table(
    "code_versions",
    META,
    Column("name", sql.String(64), primary_key=True),
    Column("version", sql.String(64), primary_key=True),
    Column("code_hash", sql.String(64), nullable=False),
    Column("entry", sql.String(256), nullable=False),
    Column("kind", sql.String(16), nullable=False),
    Column("account", sql.String(64), nullable=False),
    Column("at", sql.BigInteger, nullable=False),
    Column("by", sql.String(256), nullable=False),
    Column("origin", sql.String(256), nullable=False),
    Column("size", sql.BigInteger, nullable=False),
    Column("archive", sql.LargeBinary, nullable=False),
    Column("owner", sql.String(64), nullable=False, server_default=""),
)
CODE_LABELS = Table(
    "code_labels",
    META,
    Column("name", sql.String(64), primary_key=True),
    Column("version", sql.String(64), primary_key=True),
    Column("title", sql.Text),
    Column("description", sql.Text),
    Column("type", sql.String(32)),
    Column("at", sql.BigInteger, nullable=False),
    Column("by", sql.String(256), nullable=False),
)
CODE_ACTIVATIONS = Table(
    "code_activations",
    META,
    Column("number", SERIAL, primary_key=True, autoincrement=True),
    Column("name", sql.String(64), nullable=False, index=True),
    Column("version", sql.String(64), nullable=False),
    Column("at", sql.BigInteger, nullable=False),
    Column("by", sql.String(256), nullable=False),
    Column("undone_at", sql.BigInteger),
    Column("undone_by", sql.String(256)),
)
