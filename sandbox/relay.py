"""What becomes of a strategy's words: signals and checkpoints to the engine, the rest to the supervisor."""

from __future__ import annotations

import time
from typing import Literal, TypeAlias

from bus import messages
from bus.histogram import TURNS, Histogram
from bus.messages import CellAnswer, CellStats, Checkpoint, Schedule, Signal, Signals
from sandbox import protocol
from sandbox.intake import Intake
from sandbox.lines import harmless_text
from sandbox.output import Output
from sandbox.protocol import Conversation, Violation
from sandbox.reports import Outbox, Supervisor
from sandbox.spec import Limits, TimeLeft, Warned
from sandbox.watchdog import Bucket, Decision, TokenBucket
from strategies.outputs import PARAMETERS_UPDATED, Fault, LogLine, Recorded
from strategies.stamping import MAX_BYTES

Update: TypeAlias = LogLine | Fault | Recorded | Schedule
WARNINGS_AT_ONCE = 20
"""Warnings that may leave at once; one a second after that, the rest counted."""
TIMERS_PER_S = 20
"""Timers that a strategy may set a second, with ten seconds' worth at once: each is work for the engine."""


CATCHING_UP = "it is being told what it missed: ask again in a moment"
LONGEST_WHY = 1024
"""Characters of why a question has no answer."""
LEFT_AGAIN = 1.0
"""Seconds between two words to the supervisor that extra time flowed back; that it was granted is said at
once, or a crash would bring it back."""


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
        self._kept_turn = self._answered_turn = 0
        self._rated_turn = 0
        self._replay_allowance = 0
        self._told_left = float("inf")
        self._told_left_at = float("-inf")
        self.turns = Histogram(TURNS)
        """How long the strategy took for what it was handed together."""

    def hear(self, word: protocol.Word | Decision | Bucket, now: float) -> None:
        """Pass on one word of the strategy, or what became of a request for time."""
        if isinstance(word, protocol.Done):  # the end of every turn: asked first
            self.last_word = word
            if word.signals:
                self._pass_on(word.signals, now)
            self._slow_calls += word.slow_calls
            self._longest_ns = max(self._longest_ns, word.longest_ns)
            for call, took in word.slow:
                self.warn("slow_call", f"{call} took {took / 1e6:.0f} ms")
            self._settle_question()
            return
        if isinstance(word, Decision | Bucket):
            self._tell_time(word, now)
            return
        self.last_word = word
        match word:
            case protocol.Said():
                self._pass_on(word.signals, now)
            case protocol.Updates():
                for update in word.updates:
                    self._pass_update(update, now)
            case protocol.StatePart():
                self._keep(word)
            case protocol.Answer():
                if self._intake.handed.ends != "question" or self._conversation.turn == self._answered_turn:
                    raise Violation("an answer that nobody asked for")
                self._answer("failed" if word.why else "done", word.data, word.why)
            case protocol.GaveUp(what="state") if self._intake.handed.ends == "welcome":
                # Whoever restarts it needs to know, so within no rate.
                self._supervisor.report_last(Warned("state_refused", harmless_text(word.reason)[:4096]))

    def _admits(self, now: float) -> bool:
        """Whether one more signal may leave. What comes from the tape goes by the time of the tape."""
        handed = self._intake.handed
        if handed.replaying:
            if self._rated_turn != self._conversation.turn:
                self._rated_turn = self._conversation.turn
                # A second's worth and the burst before it, for each second: nobody is refused who was not.
                self._replay_allowance = max(self._replay_allowance, 2 * self._signals_per_s * handed.pulses)
            if self._replay_allowance > 0:
                self._replay_allowance -= 1
                return True
        return self._signal_rate.take(1, now)

    def _pass_on(self, signals: list[Signal], now: float) -> None:
        admitted = [one for one in signals if self._admits(now)]
        if len(admitted) < len(signals):
            refused = len(signals) - len(admitted)
            self._refused += refused
            self.warn("rate_limit", f"{refused} signals refused: more than {self._signals_per_s} a second")
        payload = messages.encode(Signals(admitted))
        if len(payload) > MAX_BYTES and (fitting := self._without_large(admitted)) != admitted:
            admitted, payload = fitting, messages.encode(Signals(fitting))
        if admitted:
            self._put(payload, "signals")  # first: it is on its way while the rest is done
            self._ask(admitted)

    def _ask(self, signals: list[Signal]) -> None:
        """Have signals kept until there is a verdict, as many as may be."""
        pending = self._intake.pending
        before = pending.forgotten
        pending.asked(signals)
        if forgotten := pending.forgotten - before:
            self.warn("unanswered", f"{forgotten} signals, too many without a verdict, are said only once")

    def _without_large(self, signals: list[Signal]) -> list[Signal]:
        """Refuse what the runtime never lets through: it was not the runtime that sent it."""
        fitting = [one for one in signals if len(messages.encode(one)) <= MAX_BYTES]
        if refused := len(signals) - len(fitting):
            self._refused += refused
            self.warn("size_limit", f"{refused} signals refused: of more than {MAX_BYTES:,} bytes")
        return fitting

    def _put(self, payload: bytes, what: str) -> None:
        if not self._outbox.put(payload, again=True):
            self.warn("lost", f"{what} lost: the engine is away and {self._outbox.full} wait for it")

    def _keep(self, part: protocol.StatePart) -> None:
        turn = self._conversation.turn
        if self._intake.handed.ends not in {"checkpoint", "stop"} or turn == self._kept_turn:
            raise Violation("a checkpoint that nobody asked for")
        state = self._conversation.collect(part)
        if state is not None:
            self._kept_turn = turn
            self._intake.state_bytes = len(state)
            self._outbox.put(messages.encode(self._checkpoint(state, part.version)))

    def _checkpoint(self, state: bytes, version: int) -> Checkpoint:
        intake, handed = self._intake, self._intake.handed
        return Checkpoint(
            state,
            version,
            handed.tape or intake.epoch,
            intake.position(),
            handed.at,
            handed.paused,
        )

    # ---- what operators ask -----------------------------------------------------------------------
    def _answer(self, outcome: Literal["done", "failed"], data: bytes = b"", why: str = "") -> None:
        """Answer the question that this turn ends with; whether anybody still waits, the engine knows."""
        self._answered_turn = self._conversation.turn
        request = self._intake.handed.request
        said = CellAnswer(request, outcome, data, harmless_text(why)[:LONGEST_WHY])
        self._put(messages.encode(said), "an answer")

    def _settle_question(self) -> None:
        """At the end of a turn: a question that it ends with has its answer now, whatever was said."""
        handed, turn = self._intake.handed, self._conversation.turn
        if not handed.request or turn == self._answered_turn:
            return
        if handed.ends == "checkpoint" and turn == self._kept_turn:
            self._answer("done")
        elif handed.ends == "checkpoint":
            self._answer("failed", why="save_state made none that can be kept; its log says why")
        else:
            self._answer("failed", why="it gave no answer")

    def decline(self) -> None:
        """Answer what was asked of a strategy that is told what it missed, and so not passed on."""
        unasked, self._intake.unasked = self._intake.unasked, []
        for request in unasked:
            self._put(messages.encode(CellAnswer(request, "not_now", why=CATCHING_UP)), "an answer")

    def set_timers(self) -> None:
        """Send the timers that were kept back: the engine may have set them off already, on the tape."""
        for timer in self._intake.pending.withheld():
            self._put(messages.encode(timer), "a timer")

    def _pass_update(self, update: Update, now: float) -> None:
        match update:
            case LogLine():
                self._output.log(f"{update.level}: {update.text}", now)
            case Fault():
                self._errors += 1
                text = f"{update.callback}: {update.error}\n{update.traceback}".rstrip()
                self._output.log(f"error: {text}", now)
                self.warn("parameters_refused" if update.callback == PARAMETERS_UPDATED else "error", text)
            case Schedule():
                if self._intake.tape and not self._intake.live:
                    self._intake.pending.withhold(update)
                elif self._timer_rate.take(1, now):
                    self._intake.pending.armed(update)
                    self._put(messages.encode(update), "a timer")
                else:
                    self._refused += 1
                    self.warn("rate_limit", f"a timer refused: more than {TIMERS_PER_S} are set a second")
            case Recorded():
                kind = type(update).__name__
                if kind not in self._unkept:
                    self._unkept.add(kind)
                    self.warn("not_kept", f"{kind} is taken, but nothing keeps it yet")

    def _tell_time(self, news: Decision | Bucket, now: float) -> None:
        """Tell of extra time that was asked for, and how much is left."""
        if isinstance(news, Decision):
            asked = f"{news.call} asked for {news.seconds:g} s beyond its budget"
            kind, only = ("time_granted", "") if news.granted else ("time_refused", "only ")
            self._refused += not news.granted
            self.warn(kind, f"{asked}: {only}{news.left:.0f} s are left in its bucket")
        due = news.left < self._told_left or now - self._told_left_at > LEFT_AGAIN
        if due and self._supervisor.report(TimeLeft(news.left)):
            self._told_left, self._told_left_at = news.left, now

    def warn(self, kind: str, detail: str) -> None:
        """Tell the supervisor, within a rate; what is over it is counted and told with the next.

        ``detail`` may be the strategy's own words, so it is made fit for a terminal.
        """
        if not self._warnings.take(1, time.monotonic()):
            self._unwarned += 1
            return
        if self._unwarned:
            detail, self._unwarned = f"{detail[:4000]} (and {self._unwarned} warnings before)", 0
        self._supervisor.report(Warned(kind, harmless_text(detail[:4096])[:4096]))

    def stats(self, lag: float, last_event: str) -> CellStats:
        """Return the counters of this cell; ``lag`` in seconds."""
        intake, backlog = self._intake, self._intake.backlog
        return CellStats(
            ticks=intake.handed.ticks,
            candles=intake.handed.candles,
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
            replayed=intake.handed.replayed,
            turns=self.turns.told(),
        )
