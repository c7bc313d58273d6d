"""How long something was kept waiting for processor, memory or disk (PSI)."""

from __future__ import annotations

from supervisor.schema.base import View


class StallView(View):
    """Percent of the last ten seconds in which some task waited, and in which all did that had work.

    ``full_percent`` None: the kernel does not tell it.
    """

    some_percent: float
    full_percent: float | None = None


class PressureView(View):
    """Pressure of one deployment's control group or of the host; None is a resource that is not told of."""

    cpu: StallView | None = None
    memory: StallView | None = None
    io: StallView | None = None
