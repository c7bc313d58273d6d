"""What the warden enforces, against strategies that go round the runtime and write to their socket by hand.

Each quota of docs/sandbox.md ("Quotas") that the warden holds: broken on purpose, in a real cell.
"""

from __future__ import annotations

import signal

import pytest

from bus.messages import Beat, Checkpoint, Schedule, TakeCheckpoint
from sandbox.spec import Budget, Budgets, ExtraTime, Limits, Terminate, TimeLeft
from tests.sandbox.world import World, look_into
from tests.waiting import wait_until

pytestmark = pytest.mark.system

RAW = """
import os, socket, sys, threading, time
from bus.messages import Schedule, Signal
from sandbox import protocol
from strategies.api import IStrategy
from strategies.outputs import Fault, LogLine


def say(word):
    os.write(3, protocol.encode(word))


def turn():
    '''The number of the turn that runs, out of the runner's own frame.'''
    frame = sys._getframe()
    while "turn" not in frame.f_locals:
        frame = frame.f_back
    return frame.f_locals["turn"].number


class Mine(IStrategy):
    def initialize(self, config):
        pass

    def on_candle_complete(self, timeframe, candle, data):
        pass

    def on_tick(self, data):
"""


def raw(*lines: str) -> str:
    return RAW + "".join(f"        {line}\n" for line in lines)


def quick(tick: float = 2.0, **extra: float) -> Budgets:
    return Budgets(tick=Budget(0.1, tick), extra=ExtraTime(**extra))


def ticked(world: World, body: str, **changes: object):
    cell = world.running(body, **changes)
    world.engine.ticks("EURUSD", 1.0)
    return cell


def resident(pid: int) -> int:
    """Bytes of private memory of a process."""
    rollup = (look_into(pid) / "smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in rollup if line.startswith("Private_"))


# ---- words ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("lines", "detail"),
    [
        (["say(protocol.Done(turn()))", "say(protocol.Done(turn()))", "time.sleep(60)"], "Done"),
        (["for n in range(300): say(protocol.Done(n))", "time.sleep(60)"], "Done is of another turn"),
        (["while True: say(protocol.Progress('on_candle_complete'))"], "names more callbacks than its turn"),
        (["while True: say(protocol.StatePart(b'', 1, True))"], "a checkpoint that nobody asked for"),
        (["say(protocol.Progress('x\\x1b[2J'))", "time.sleep(60)"], "does not decode"),
        (["while True: say(protocol.AskTime(1.0))"], "asks for time without reading the answers"),
        (["socket.socket(fileno=os.dup(3)).send(b'')", "time.sleep(60)"], "it closed its socket"),
        (["while True: os.write(3, bytes(1000))"], "does not decode"),
        (["while True: os.write(3, os.urandom(65_536))"], "datagram of 65536 bytes"),
    ],
)
def test_a_word_that_no_runtime_says_ends_the_cell(world: World, lines, detail):
    died = world.ended(ticked(world, raw(*lines), budgets=quick(tick=20.0)), timeout=60.0)
    assert died.cause == "protocol"
    assert detail in died.detail
    assert died.signal == signal.SIGKILL


def test_one_that_answers_and_then_never_reads_is_a_hang(world: World):
    """A turn that is answered ends the clock; the next one, never read, starts it again."""
    cell = ticked(world, raw("say(protocol.Done(turn()))", "time.sleep(60)"), budgets=quick())
    world.until(lambda: world.engine.ticks("EURUSD", 1.0) or cell.handle.gone, "the end")
    assert cell.died is not None
    assert (cell.died.cause, cell.died.detail) == ("hang", "on_tick ran longer than 2 s")
    assert "in on_tick" in cell.died.stack


def test_a_tick_that_calls_itself_a_start_has_the_budget_of_a_tick(world: World):
    cell = ticked(world, raw("say(protocol.Progress('on_start'))", "time.sleep(60)"), budgets=quick())
    died = world.ended(cell)
    assert (died.cause, died.detail) == ("hang", "on_start ran longer than 2 s")


def test_a_flood_of_words_is_a_hang_and_leaves_the_warden_small_and_listening(world: World):
    """200 log lines in each of a datagram a millisecond, for 3 s: the queue of the engine is drained all the
    while, the supervisor is heard, and the warden keeps none of it."""
    flood = "protocol.encode(protocol.Updates([LogLine('info', 'x\\n' * 200, 0)] * 50))"
    cell = world.running(raw(f"flood = {flood}", "while True: os.write(3, flood)"), budgets=quick(tick=60.0))
    before = resident(cell.handle.warden_pid)
    world.engine.ticks("EURUSD", 1.0)
    world.until(lambda: sum(r.dropped for r in cell.reports if hasattr(r, "dropped")) > 100_000, "the flood")
    grown = resident(cell.handle.warden_pid) - before
    assert cell.handle.order(Terminate("enough", 0.2))
    died = world.ended(cell)
    assert (died.cause, died.signal) == ("operator", signal.SIGABRT)
    assert grown < 8 * 2**20
    assert cell.warnings("log_limit")[0].endswith(
        "more than 262,144 bytes a second, or than the supervisor takes"
    )


def test_descriptors_that_are_sent_along_stay_nowhere(world: World):
    lines = [
        "ours = socket.socket(fileno=os.dup(3))",
        "for _ in range(20): socket.send_fds(ours, [protocol.encode(protocol.Progress('on_tick'))], [1, 2])",
        "return Signal(symbol='EURUSD', intent='enter_long', quantity=1.0)",
    ]
    cell = world.running(raw(*lines))
    held = look_into(cell.handle.warden_pid) / "fd"
    before = len(list(held.iterdir()))
    world.engine.ticks("EURUSD", 1.0)
    world.until(world.engine.signals, "its signal")
    assert len(list(held.iterdir())) == before


# ---- signals, timers, logs ------------------------------------------------------------------------
def test_a_signal_larger_than_the_runtime_allows_is_refused_and_told(world: World):
    lines = [
        "big = Signal(symbol='EURUSD', intent='enter_long', tags={str(n): 'x' * 250 for n in range(100)})",
        "say(protocol.Said([big, Signal(symbol='EURUSD', intent='exit_long')]))",
    ]
    cell = ticked(world, raw(*lines))
    world.until(lambda: cell.warnings("size_limit"), "the refusal")
    assert cell.warnings("size_limit") == ["1 signals refused: of more than 8,192 bytes"]
    world.until(world.engine.signals, "the other signal")
    assert [one.intent for one in world.engine.signals()] == ["exit_long"]


def test_timers_over_the_rate_are_refused_and_told(world: World):
    cell = ticked(world, raw("for n in range(500): self.ctx.schedule(f't{n}', every=60)"))
    world.until(lambda: cell.warnings("rate_limit"), "the refusal")
    assert cell.warnings("rate_limit")[0] == "a timer refused: more than 20 are set a second"
    world.until(lambda: world.engine.of(Beat), "a beat")
    assert len(world.engine.of(Schedule)) < 250


def test_what_is_told_of_a_strategy_cannot_write_on_the_terminal(world: World):
    cell = ticked(world, raw("raise KeyError(chr(27) + '[2J')", "pass"))
    world.until(lambda: cell.warnings("error"), "the warning")
    assert "\x1b" not in cell.warnings("error")[0]
    cell = world.start("class X: pass\nraise ValueError('\\x1b[2J gone')")
    assert world.ended(cell).detail.startswith("ValueError: \\x1b[2J gone")


def test_signals_for_an_engine_that_does_not_read_are_bounded_in_bytes_and_told(world: World):
    """160 MB of signals: 500 reports are on their way, 32 MiB wait, and the rest is counted as lost."""
    lines = [
        "tags = {str(n): 'x' * 250 for n in range(30)}",
        "big = [Signal(symbol='EURUSD', intent='enter_long', tags=tags, number=n) for n in range(7)]",
        "for _ in range(3000): say(protocol.Said(big))",
    ]
    cell = world.running(raw(*lines), limits=Limits(signals_per_s=100_000), budgets=quick(tick=60.0))
    before = resident(cell.handle.warden_pid)
    world.engine.ticks("EURUSD", 1.0)

    def told() -> bool:  # nobody turns the engine meanwhile
        cell.reports += cell.handle.receive()
        return bool(cell.warnings("lost"))

    wait_until(told, timeout=60, what="the loss is told")
    assert cell.warnings("lost")[0].startswith("signals lost: the engine is away and ")
    assert resident(cell.handle.warden_pid) - before < 64 * 2**20
    # What waits goes once the engine is heard again.
    world.until(lambda: world.engine.pulse() or len(world.engine.signals()) > 7_000, "what had room")
    assert cell.died is None


# ---- checkpoints ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("bytes(2_000_000)", "state is 2,000,"),
        ("nested", "is nested deeper than 32"),
        ("endless", "is nested deeper than 32"),
        ("lambda: 0", "state.blob is a function, which cannot be kept"),
    ],
)
def test_a_checkpoint_that_cannot_be_kept_is_refused_in_a_sentence_and_the_strategy_lives(
    world: World, state, sentence
):
    cell = world.running(f"""
        def on_start(self, ctx, recovered):
            self.tries = 0

        def save_state(self):
            self.tries += 1
            nested, endless = [], []
            for _ in range(100):
                nested = [nested]
            endless.append(endless)
            return {{"blob": {state}}} if self.tries == 1 else {{"n": self.tries}}
    """)
    world.engine.command("cell-0", 1, TakeCheckpoint())
    world.until(lambda: cell.warnings("error"), "the refusal")
    assert cell.warnings("error")[0].startswith("save_state: strategies.errors.StateInvalid: ")
    assert sentence in cell.warnings("error")[0]
    world.engine.command("cell-0", 1, TakeCheckpoint())
    world.until(lambda: world.engine.of(Checkpoint), "the next checkpoint")
    assert cell.died is None


def test_a_checkpoint_past_its_size_by_hand_ends_the_cell(world: World):
    piece = "say(protocol.StatePart(bytes(60_000), 1, True))"
    body = raw("pass") + f"\n    def save_state(self):\n        while True: {piece}\n"
    cell = world.running(body, limits=Limits(checkpoint_bytes=200_000))
    world.engine.command("cell-0", 1, TakeCheckpoint())
    died = world.ended(cell)
    assert (died.cause, died.detail) == ("protocol", "a state of over 200000 bytes")


# ---- time -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "line",
    [
        "ctypes.PyDLL(None).sleep(60)",  # a PyDLL keeps the GIL
        "sum(itertools.repeat(1, 10**12))",  # a loop in C that never looks up
        "re.match('(a+)+$', 'a' * 64 + 'b')",
        "(3 ** 2**27) % 7",
    ],
)
def test_a_hang_in_c_with_the_lock_of_the_interpreter_held_leaves_its_stack(world: World, line):
    body = f"def on_tick(self, data):\n    import ctypes, itertools, re\n    {line}\n    while True: pass"
    died = world.ended(ticked(world, body, budgets=quick(tick=1.0)))
    assert (died.cause, died.detail) == ("hang", "on_tick ran longer than 1 s")
    assert died.signal == signal.SIGABRT
    assert "in on_tick" in died.stack


def test_a_hang_that_blocks_every_signal_is_killed(world: World):
    body = """
        def on_tick(self, data):
            import signal
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
            while True: pass
    """
    died = world.ended(ticked(world, body, budgets=quick(tick=1.0)))
    assert (died.cause, died.signal, died.stack) == ("hang", signal.SIGKILL, "")


TRAINER = """
def on_tick(self, data):
    granted = self.ctx.request_time(ASKED)
    print("granted", granted)
    time.sleep(3)
    return buy()
"""


def test_time_that_is_granted_lets_a_callback_run_on_and_flows_back(world: World):
    cell = ticked(world, TRAINER.replace("ASKED", "60"), budgets=quick(capacity=100.0, refill=0.0))
    world.until(world.engine.signals, "its answer")
    assert cell.lines("out") == ["granted True"]
    detail = "on_tick asked for 60 s beyond its budget: 40 s are left in its bucket"
    assert cell.warnings("time_granted") == [detail]
    world.until(lambda: len(cell.of(TimeLeft)) == 2, "what flowed back")
    first, last = (report.left for report in cell.of(TimeLeft))
    assert first == 40.0
    assert 60.0 < last < 100.0  # some second was used
    assert cell.warnings("slow_call") == []


def test_time_that_is_not_there_is_refused_and_the_budget_stands(world: World):
    cell = ticked(world, TRAINER.replace("ASKED", "60"), budgets=quick(capacity=100.0, left=20.0))
    died = world.ended(cell)
    assert (died.cause, died.detail) == ("hang", "on_tick ran longer than 2 s")
    assert cell.lines("out") == ["granted False"]
    detail = "on_tick asked for 60 s beyond its budget: only 20 s are left in its bucket"
    assert cell.warnings("time_refused") == [detail]


def test_a_crash_does_not_fill_the_bucket(world: World):
    """What is left was told before the answer, so the next instance goes on with it."""
    body = "def on_tick(self, data):\n    self.ctx.request_time(60)\n    os._exit(1)"
    cell = ticked(world, body, budgets=quick(capacity=100.0, refill=0.0))
    world.ended(cell)
    assert [report.left for report in cell.of(TimeLeft)] == [40.0]


def test_time_is_granted_while_loading_too(world: World):
    body = """
        def initialize(self, config):
            assert self.ctx.request_time(30)
            time.sleep(3)
    """
    cell = world.running(body, budgets=Budgets(initialize=Budget(0.1, 2.0)))
    assert cell.died is None


def test_extra_time_does_not_hold_up_an_operator(world: World):
    cell = ticked(
        world, TRAINER.replace("ASKED", "60").replace("sleep(3)", "sleep(60)"), budgets=quick(capacity=100.0)
    )
    world.until(lambda: cell.lines("out"), "the grant")
    assert cell.handle.order(Terminate("enough", 0.3))
    assert world.ended(cell).cause == "operator"
