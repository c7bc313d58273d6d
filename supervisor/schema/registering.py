"""Registering code: what is handed in, what was found step by step, and the versions that are kept."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)
from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from supervisor.schema.base import Request, View
from supervisor.schema.requests import Symbol, Timeframe, Values

MOST_SOURCE = 2**20
"""Characters of one module: as many as the bytes that ``strategies.manifest`` allows a single file."""
MOST_PICKLED = 4 * 2**20
"""Characters of a pickled class in base64: 3 MiB of it."""
StrategyType = Literal[
    "trend_following",
    "mean_reversion",
    "breakout",
    "causal_enhanced",
    "ml_enhanced",
    "momentum",
    "custom",
]
_WORDS = r"[^/\\\x00-\x1f\x7f]*"
"""No path and no control character: those are somebody's mistake, and no name."""
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=f"^{_WORDS}[A-Za-z0-9]{_WORDS}$")]


class CodeRequest(Request):
    """``POST strategies/register`` and ``strategies/validate-code``: one strategy, as source or as a pickle.

    ``name`` is the strategy's id, or what people call it: what has blanks or other letters becomes the title,
    and the id is made of it (``My breakout`` is ``My_breakout``).
    Exactly one of ``code`` (Python with one subclass of ``IStrategy``) and ``pickled`` (base64 of a class,
    written by ``dill``, with ``python`` as ``3.12``) is given. ``parameters`` are defaults by name, or
    specifications as in config.json (docs/strategies.md). ``trial`` stands in for parameters without a
    default while the code is tried, and for nothing else. ``source`` is what a pickle's author says it was
    made of: kept for whoever looks, never run.
    """

    name: Name
    description: Annotated[str, Field(max_length=4096)] = ""
    type: StrategyType = "custom"
    instruments: list[Symbol] = Field(default=[], max_length=1000)
    timeframe: Timeframe | None = None
    parameters: Values | list[Values] = {}
    code: Annotated[str, Field(min_length=1, max_length=MOST_SOURCE)] | None = None
    pickled: Annotated[str, Field(min_length=1, max_length=MOST_PICKLED)] | None = None
    python: Annotated[str, Field(max_length=16)] = ""
    source: Annotated[str, Field(max_length=MOST_SOURCE)] = ""
    trial: Values = {}
    trust: bool = False
    """You answer for the code: it is tried where the sandbox could not hold a stranger's. Of root and the
    daemon's own user only (docs/sandbox.md)."""

    @model_validator(mode="after")
    def _one_of(self) -> CodeRequest:
        if (self.code is None) == (self.pickled is None):
            raise ValueError("either code (Python source) or pickled (base64) must be given, not both")
        return self


class CheckStep(View):
    """One check of code that was handed in; ``detail`` says what was found, or what is wrong.

    ``line`` and ``column`` count from 1 in ``file``, a path below the strategy; 0 where there is none.
    ``ms`` is how long the step took.
    """

    name: str
    ok: bool
    detail: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    ms: float = 0.0


class CheckReport(View):
    """What came of all checks. ``reason`` is what is wrong, "" if nothing is; checks end with the first.

    ``rule`` names what kept the code from being tried (``sandbox``, ``packages``), "" where it was.
    ``log`` holds the last lines that the code wrote while it was tried.
    """

    ok: bool
    reason: str = ""
    rule: str = ""
    steps: list[CheckStep] = []
    log: list[str] = []


class CodeVersion(View):
    """One version of registered code: it never changes. ``active`` is what its name means without one.

    ``kind`` is how it was handed in; ``registered_at`` unix ns; ``registered_by`` who, ``origin`` from where;
    ``size`` bytes of all its files; ``deployments`` counts those that have it; ``owner`` is the account whose
    keys alone see and run it, "" for everybody's.
    """

    id: str
    name: str
    version: str
    code_hash: str
    kind: Literal["source", "archive", "pickle"]
    active: bool
    registered_at: int
    registered_by: str
    origin: str = ""
    size: int
    deployments: int = 0
    owner: str = ""


class CodeVersions(View):
    """Every version of one name, the newest first. ``active`` is "" where the one that was is gone."""

    name: str
    active: str
    versions: list[CodeVersion]


class Registration(View):
    """Code was registered, or was already (``created`` false: then nothing was tried again).

    ``strategy_id`` is the id under which ``strategies`` lists it and that ``execute`` and ``start`` take: of
    its active version. Where another version is active it is ``NAME@VERSION``, as ``version.id`` always is.
    """

    strategy_id: str
    created: bool
    version: CodeVersion
    report: CheckReport = CheckReport(ok=True)


class Progress(View):
    """One line of a check that is followed (``Accept: application/x-ndjson``): exactly one is set.

    ``step`` as each check ends; then, last, ``report`` (validate-code), ``registration``, or ``problem``, the
    same document that an answer without progress is.
    """

    step: CheckStep | None = None
    report: CheckReport | None = None
    registration: Registration | None = None
    problem: dict[str, Any] | None = None
