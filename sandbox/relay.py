"""What becomes of a strategy's words: signals and checkpoints to the engine, the rest to the supervisor."""

from __future__ import annotations

import time
from typing import TypeAlias

from bus import messages
from bus.messages import CellStats, Checkpoint, Schedule, Signal, Signals
from sandbox import protocol
from sandbox.intake import Intake
from sandbox.output import Output
from sandbox.protocol import Conversation
from sandbox.reports import Outbox, Supervisor
from sandbox.spec import Limits, Warned
from sandbox.watchdog import TokenBucket
from strategies.outputs import Fault, LogLine, Recorded, TimeRequest

Update: TypeAlias = LogLine | Fault | Recorded | TimeRequest | Schedule
WARNINGS_AT_ONCE = 20
"""Warnings that may leave at once; one a second after that, the rest counted."""
TIMERS_PER_S = 20
"""Timers that a strategy may set a second, with ten seconds' worth at once: each is work for the engine."""


class Relay:
    """Passes on, limits and counts. Times are monotonic seconds."""

    def __init__(
        self,
        *,
        limits: Limits,
        conversation: Conversation,
        intake: Intake,
        outbox: Outbox,
        output: Output,
        supervisor: Supervisor,
        now: float,
    ) -> None:
        self.last_word: protocol.Word | None = None
        self._conversation = conversation
        self._intake = intake
        self._outbox = outbox
        self._output = output
        self._supervisor = supervisor
        self._signals_per_s = limits.signals_per_s
        self._signal_rate = TokenBucket(limits.signals_per_s, limits.signals_per_s, now)
        self._warnings = TokenBucket(1.0, WARNINGS_AT_ONCE, now)
        self._timer_rate = TokenBucket(TIMERS_PER_S, 10 * TIMERS_PER_S, now)
        self._unwarned = 0
        self._refused = 0
        self._errors = 0
        self._slow_calls = 0
        self._longest_ns = 0
        self._unkept: set[str] = set()

    def hear(self, word: protocol.Word, now: float) -> None:
        """Pass on one word of the strategy."""
        self.last_word = word
        match word:
            case protocol.Done():
                if word.signals:
                    self._pass_on(word.signals, now)
                self._slow_calls += word.slow_calls
                self._longest_ns = max(self._longest_ns, word.longest_ns)
                for call, took in word.slow:
                    self.warn("slow_call", f"{call} took {took / 1e6:.0f} ms")
            case protocol.Said():
                self._pass_on(word.signals, now)
            case protocol.Updates():
                for update in word.updates:
                    self._pass_update(update, now)
            case protocol.StatePart():
                self._keep(word)

    def _pass_on(self, signals: list[Signal], now: float) -> None:
        admitted = [one for one in signals if self._signal_rate.take(1, now)]
        if len(admitted) < len(signals):
            refused = len(signals) - len(admitted)
            self._refused += refused
            self.warn("rate_limit", f"{refused} signals refused: more than {self._signals_per_s} a second")
        if admitted:
            self._intake.pending.asked(admitted)
            self._outbox.put(messages.encode(Signals(admitted)), again=True)

    def _keep(self, part: protocol.StatePart) -> None:
        state = self._conversation.collect(part)
        if state is not None:
            checkpoint = Checkpoint(state, part.version, self._intake.epoch, self._intake.position())
            self._outbox.put(messages.encode(checkpoint))

    def _pass_update(self, update: Update, now: float) -> None:
        match update:
            case LogLine():
                self._output.log(f"{update.level}: {update.text}", now)
            case Fault():
                self._errors += 1
                text = f"{update.callback}: {update.error}\n{update.traceback}".rstrip()
                self._output.log(f"error: {text}", now)
                self.warn("error", text)
            case Schedule():
                if self._timer_rate.take(1, now):
                    self._intake.pending.armed(update)
                    self._outbox.put(messages.encode(update), again=True)
                else:
                    self._refused += 1
                    self.warn("rate_limit", f"a timer refused: more than {TIMERS_PER_S} are set a second")
            case Recorded() | TimeRequest():
                kind = type(update).__name__
                if kind not in self._unkept:
                    self._unkept.add(kind)
                    self.warn("not_kept", f"{kind} is taken, but nothing keeps or grants it yet")

    def warn(self, kind: str, detail: str) -> None:
        """Tell the supervisor, within a rate; what is over it is counted and told with the next."""
        if not self._warnings.take(1, time.monotonic()):
            self._unwarned += 1
            return
        if self._unwarned:
            detail, self._unwarned = f"{detail[:4000]} (and {self._unwarned} warnings before)", 0
        self._supervisor.report(Warned(kind, detail[:4096]))

    def stats(self, lag: float, last_event: str) -> CellStats:
        """Return the counters of this cell; ``lag`` in seconds."""
        intake, backlog = self._intake, self._intake.backlog
        return CellStats(
            ticks=intake.ticks,
            candles=intake.candles,
            conflated=backlog.conflated,
            gaps=intake.gaps,
            stale=backlog.stale,
            refused=self._refused + self._outbox.lost,
            errors=self._errors,
            slow_calls=self._slow_calls,
            log_dropped=self._output.queue.dropped,
            lag_ns=int(lag * 1e9),
            longest_call_ns=self._longest_ns,
            last_event=last_event,
        )
