"""What is granted to a cell, and what its warden tells the supervisor: plain data, no IO.

``CellSpec`` travels supervisor -> zygote; ``WardenReport`` warden -> supervisor over the cell's control
channel (one AF_UNIX SOCK_SEQPACKET pair a cell, one report a datagram); ``WardenOrder`` the other way.
Sizes are bytes, spans are seconds, cpu is a share of one core.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

CONTROL_DATAGRAM = 192 * 1024
"""Largest report or order in bytes; below the kernel's default socket buffer (net.core.wmem_default)."""

Cause: TypeAlias = Literal[
    "exit", "signal", "oom", "memory_quota", "cpu_quota", "task_quota", "hang", "start_timeout",
    "load_error", "protocol", "error", "crash_loop", "flood", "operator", "schedule", "shutdown", "unknown",
]  # fmt: skip
"""Why an instance ended (supervision.md); ``error`` is a strategy that raised too often,
``flood`` one that asked for far more than its rate, for far too long."""

EXIT_LOAD_ERROR = 64
"""The strategy could not be loaded: permanent, never restarted (sysexits.h EX_USAGE; s6 uses 125)."""
EXIT_CONFIG_ERROR = 65
"""``initialize`` refused its configuration: permanent, never restarted (sysexits.h EX_DATAERR)."""


class Limits(Struct, frozen=True, kw_only=True):
    """Kernel limits and quotas of one cell."""

    memory: int = 256 * 2**20
    warden_memory: int = 128 * 2**20
    """Bytes that its warden may take: what strategy and engine say to it is bounded."""
    cpu: float = 0.5
    files: int = 128
    processes: int = 64
    file_size: int = 16 * 2**20
    scratch: int = 64 * 2**20
    """Bytes of its private /tmp (tmpfs), where namespaces give it one."""
    nice: int = 0
    log_bytes_per_s: int = 256 * 1024
    signals_per_s: int = 200
    checkpoint_bytes: int = 2**20
    backlog: int = 10_000


class Budget(Struct, frozen=True, array_like=True):
    """How long one call may take: past ``soft`` it is counted, past ``hard`` it is a hang."""

    soft: float
    hard: float


class ExtraTime(Struct, frozen=True, array_like=True):
    """A leaky bucket of time beyond the budgets, for training (``ctx.request_time``); LEAN has the same.

    ``capacity`` seconds when full, ``refill`` seconds an hour, ``left`` in it at birth (None: full).
    """

    capacity: float = 600.0
    refill: float = 60.0
    left: float | None = None

    def after(self, left: float, elapsed: float) -> float:
        """Return what is in it ``elapsed`` seconds after there was ``left``."""
        return min(self.capacity, left + max(0.0, elapsed) * self.refill / 3600)


class Budgets(Struct, frozen=True, kw_only=True):
    """Time allowed to each kind of callback (strategy-api.md)."""

    tick: Budget = Budget(0.05, 2.0)
    candle: Budget = Budget(0.25, 10.0)
    initialize: Budget = Budget(5.0, 30.0)
    save_state: Budget = Budget(0.5, 2.0)
    cleanup: Budget = Budget(1.0, 5.0)
    errors_in_a_row: int = 5
    errors_per_minute: int = 30
    extra: ExtraTime = ExtraTime()


class CellSpec(Struct, frozen=True, kw_only=True):
    """Everything that a cell is told at birth. ``token`` is its PLAIN password towards the engine."""

    deployment_id: str
    generation: int
    strategy: str
    version: str
    code_path: str
    stored: str = ""
    """Copy of its code that is shown instead of what lies at ``code_path``, under the name of that."""
    account_id: str
    trading_mode: Literal["paper", "live", "backtest"]
    symbols: list[str]
    timeframes: list[str]
    parameters: dict[str, Any]
    updatable: list[str] = []
    """Names of the parameters that may change while it runs."""
    risk: dict[str, Any] = {}
    seed: int = 0
    market_endpoint: str
    report_endpoint: str
    token: str
    conflate: bool = True
    packages: str = ""
    """Folder of the packages that its lock names, read-only for it; "" for none."""
    trusted: bool = False
    """The operator's own code: runs also where a layer that untrusted code needs is missing."""
    limits: Limits = Limits()
    budgets: Budgets = Budgets()

    @property
    def username(self) -> str:
        """Name of this instance's connection: the engine reads it back as the frame's User-Id."""
        return f"{self.deployment_id}:{self.generation}"


# ---- warden -> supervisor -------------------------------------------------------------------------
class Born(Struct, array_like=True, frozen=True, tag=1):
    """The strategy process exists. Its pidfd comes with this datagram (SCM_RIGHTS).

    Both numbers are filled in by the receiver, from the pidfd: a warden knows its ward by the pid of their
    own namespace. ``start_ticks`` is field 22 of /proc/PID/stat: with the boot id it names a process.
    """

    pid: int = 0
    start_ticks: int = 0


class Ready(Struct, array_like=True, frozen=True, tag=2):
    """Initialised and warm; ``took`` seconds since the fork."""

    took: float


class LogLines(Struct, array_like=True, frozen=True, tag=3):
    """What the strategy wrote: (unix ns, "out" | "err" | "log", text). ``dropped`` since the last."""

    lines: list[tuple[int, str, str]]
    dropped: int = 0


class Warned(Struct, array_like=True, frozen=True, tag=4):
    """Something worth an event that is no death: a slow call, an exception, a refused message."""

    kind: Annotated[str, Meta(max_length=64)]
    detail: Annotated[str, Meta(max_length=4096)]


class Died(Struct, array_like=True, frozen=True, tag=5):
    """The strategy process is gone (reaped). Last report of a warden."""

    cause: Cause
    detail: Annotated[str, Meta(max_length=4096)] = ""
    exit_code: int | None = None
    signal: int | None = None
    stack: Annotated[str, Meta(max_length=64 * 1024)] = ""
    peak_memory: int = 0
    cpu_time: float = 0.0
    last_event: str = ""


class TimeLeft(Struct, array_like=True, frozen=True, tag=6):
    """What is left of its extra time (``ExtraTime``), in seconds: the next instance goes on with that."""

    left: float


WardenReport: TypeAlias = Born | Ready | LogLines | Warned | Died | TimeLeft


# ---- supervisor -> warden -------------------------------------------------------------------------
class Terminate(Struct, array_like=True, frozen=True, tag=1):
    """Stop in order although the engine cannot say so; after ``grace`` seconds the stack, then the end."""

    reason: str
    grace: float


class Dump(Struct, array_like=True, frozen=True, tag=2):
    """Write the Python stack of the strategy into its log."""


class Begin(Struct, array_like=True, frozen=True, tag=3):
    """The strategy process is limited and may be told what to run. ``refused`` is what the host refused."""

    refused: list[str]


class Held(Struct, array_like=True, frozen=True, tag=4):
    """The strategy was kept from the processor for ``seconds`` more: by its share of CPU, no fault of its."""

    seconds: float


WardenOrder: TypeAlias = Terminate | Dump | Begin | Held

encode = msgspec.msgpack.Encoder().encode
