"""What can go wrong for a program that embeds strategies, split by whose fault it is.

::

    OrchestratorError            root
    +-- Misused                  the caller: not started, of another thread, no such strategy
    +-- BadData                  the data: a tick or candle that is none
    +-- StrategyRefused          it was never started: configuration, parameters, packages, the host
    +-- StrategyDied             its process is gone; the others go on
"""

from __future__ import annotations

from sandbox.spec import Cause, Died


class OrchestratorError(Exception):
    """Root of all that the orchestrator raises of itself."""


class Misused(OrchestratorError):
    """The orchestrator was asked for what it cannot do now; the text says what and why."""


class BadData(OrchestratorError):
    """A tick or candle that is none; the text names the field. Nothing was taken of it."""


class StrategyRefused(OrchestratorError):
    """A strategy that was not started; the text has every reason."""


class StrategyDied(OrchestratorError):
    """The process of one strategy is gone: it crashed, hung, took too much, or was ended for what it did.

    ``cause`` is as in docs/supervision.md, ``stack`` its Python stack where there is one, ``log`` its last
    lines. ``restart`` goes on from the last call that it ended.
    """

    def __init__(self, strategy_id: str, died: Died, log: tuple[str, ...] = ()) -> None:
        first, _, rest = died.detail.partition("\n")
        super().__init__(f"{strategy_id}: {died.cause}" + (f": {first}" if first else ""))
        self.strategy_id = strategy_id
        self.cause: Cause = died.cause
        self.detail = first
        self.stack = died.stack or rest
        self.exit_code = died.exit_code
        self.signal = died.signal
        self.peak_memory = died.peak_memory
        """Bytes."""
        self.log = log
