"""The daemon for who operates it: whether it is ready, what the host has, how it is configured."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)
from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from supervisor.schema.base import Request, View
from supervisor.schema.daemon import ProcessView, RescanResult
from supervisor.schema.deployments import Enforcer, Outcome, Quota, State


class Alive(View):
    """``GET /livez``: the daemon's loop turns, and that is all that this says."""

    status: Literal["alive"] = "alive"


class ReadinessCheck(View):
    """One thing that the daemon leans on. ``needed``: without it the daemon is not ready."""

    name: str
    ok: bool
    needed: bool
    detail: str


class Readiness(View):
    """``GET /readyz``. ``checks`` are told to who may look, nobody else."""

    ready: bool
    checks: list[ReadinessCheck] = []


class VersionView(View):
    """What runs: of stratd, of Python, of the API; and since when (unix ns)."""

    version: str
    python: str
    api: str = "v1"
    started_at: int


class HostView(View):
    """The host now. None is what could not be read; ``cpu_percent`` is of all cores since the last look."""

    name: str
    cpus: int
    cpu_percent: float | None = None
    load: list[float] = []
    memory_mb: float | None = None
    memory_available_mb: float | None = None
    disk_free_mb: float | None = None
    """Of the state directory's disk."""


class HostLimits(View):
    """How many instances may run, and what a start leaves of the host."""

    max_concurrent: int
    max_per_account: int
    running: int
    memory_reserve_mb: float
    memory_overcommit: float
    disk_reserve_mb: float


class CellView(View):
    """One instance as it was sampled last: both of its processes together."""

    deployment_id: str
    account: str
    state: State
    generation: int
    pid: int | None = None
    uptime_s: float | None = None
    cpu_percent: float | None = None
    memory_mb: float | None = None
    quota: Quota
    enforcer: Enforcer = Enforcer()


class SystemView(View):
    """``GET /api/v1/system``: the host, the daemon's own processes, and every instance."""

    host: HostView
    limits: HostLimits
    quota: Quota
    """What a deployment gets whose start does not say."""
    drained: bool = False
    processes: list[ProcessView] = []
    cells: list[CellView] = []


class ConfigView(View):
    """The settings in force, secrets as stars. ``origins`` says where a value came from, by dotted name.

    ``FILE:LINE``, ``variable NAME`` or ``credential PATH``; what is not in it is a default.
    """

    file: str = ""
    settings: dict[str, Any]
    origins: dict[str, str] = {}


class SystemRequest(Request):
    """Why, for the record."""

    reason: Annotated[str, Field(max_length=500)] = ""


class SystemResult(View):
    """What was done to each deployment, and whether the daemon is drained now."""

    drained: bool
    outcomes: list[Outcome] = []


class ReloadResult(View):
    """What a reload took, and what is new in the strategy folders.

    ``changed`` and ``needs_restart`` are settings by dotted name; those of the second stay as they were.
    ``problems`` are sentences about what could not be taken, such as a certificate that cannot be read.
    """

    changed: list[str] = []
    needs_restart: list[str] = []
    problems: list[str] = []
    strategies: RescanResult = RescanResult()
