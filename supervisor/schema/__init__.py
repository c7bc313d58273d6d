"""The shapes of the HTTP API: what the daemon is asked, and what it answers. Pure, pydantic only.

This is the one module of the supervisor that the CLI imports to talk; what no command reads (``catalogue``,
``data``, ``ops``, ``running``) is not loaded by it. Instants are int nanoseconds since
the Unix epoch, UTC; spans are seconds unless the name says otherwise; memory is MiB where the name ends in
``_mb``; cpu is a share of one core (``cpu_percent`` 100 is one core). Fields are only ever added: programs
are written against ``ps --json``, ``events --json`` and ``signals --json`` (docs/cli.md).
"""

from __future__ import annotations

from supervisor.schema.base import Request, View
from supervisor.schema.candles import CandleView
from supervisor.schema.chains import OrderEnd, RouteReport, SignalChain
from supervisor.schema.changes import (
    ChangeResult,
    NamedValues,
    PromoteRequest,
    PromoteResult,
    QuotaPatch,
    SettingsPatch,
    VerbRequest,
)
from supervisor.schema.checkpoints import CheckpointsView, CheckpointView
from supervisor.schema.checks import DoctorReport, LayerView, SandboxView, ValidationReport, ValidationStep
from supervisor.schema.daemon import (
    FeedView,
    Health,
    MirrorView,
    ProcessView,
    RescanResult,
    Status,
    StrategyView,
)
from supervisor.schema.deployments import (
    ActionResult,
    Death,
    DeploymentDetail,
    DeploymentRow,
    Desired,
    Enforcer,
    LastDeath,
    Outcome,
    PackagesView,
    PositionView,
    Quota,
    StartResult,
    State,
    Verdicts,
)
from supervisor.schema.limits import LimitsRequest, LimitsView, TightenedView
from supervisor.schema.performance import EquityPoint, EquityView, MetricsView, PerformanceView
from supervisor.schema.problem import Problem
from supervisor.schema.records import EventView, LogLine, SignalView
from supervisor.schema.registering import (
    CheckReport,
    CheckStep,
    CodeRequest,
    CodeVersion,
    CodeVersions,
    Progress,
    Registration,
)
from supervisor.schema.requests import ActionRequest, RegisterRequest, Selection, StartRequest
from supervisor.schema.trading import (
    AccountView,
    ExposureView,
    GuardView,
    LatchRequest,
    LatchResult,
    LatchView,
    LossView,
    OrderRow,
    PositionRow,
    SymbolExposure,
    TradeRow,
)

__all__ = [
    "AccountView",
    "ActionRequest",
    "ActionResult",
    "CandleView",
    "ChangeResult",
    "CheckReport",
    "CheckStep",
    "CheckpointView",
    "CheckpointsView",
    "CodeRequest",
    "CodeVersion",
    "CodeVersions",
    "Death",
    "DeploymentDetail",
    "DeploymentRow",
    "Desired",
    "DoctorReport",
    "Enforcer",
    "EquityPoint",
    "EquityView",
    "EventView",
    "ExposureView",
    "FeedView",
    "GuardView",
    "Health",
    "LastDeath",
    "LatchRequest",
    "LatchResult",
    "LatchView",
    "LayerView",
    "LimitsRequest",
    "LimitsView",
    "LogLine",
    "LossView",
    "MetricsView",
    "MirrorView",
    "NamedValues",
    "OrderEnd",
    "OrderRow",
    "Outcome",
    "PackagesView",
    "PerformanceView",
    "PositionRow",
    "PositionView",
    "Problem",
    "ProcessView",
    "Progress",
    "PromoteRequest",
    "PromoteResult",
    "Quota",
    "QuotaPatch",
    "RegisterRequest",
    "Registration",
    "Request",
    "RescanResult",
    "RouteReport",
    "SandboxView",
    "Selection",
    "SettingsPatch",
    "SignalChain",
    "SignalView",
    "StartRequest",
    "StartResult",
    "State",
    "Status",
    "StrategyView",
    "SymbolExposure",
    "TightenedView",
    "TradeRow",
    "ValidationReport",
    "ValidationStep",
    "VerbRequest",
    "Verdicts",
    "View",
]
