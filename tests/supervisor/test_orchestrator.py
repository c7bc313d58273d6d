"""Strategies driven by the program that embeds them: real cells, the real gate, broker and books."""

from __future__ import annotations

import csv
import math
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.messages import Candle, Tick
from sandbox.spec import Budget, Budgets
from supervisor.embedding.folder import PREFIX
from supervisor.orchestrator import (
    Answer,
    BadData,
    Misused,
    OrchestratorError,
    State,
    StrategyDied,
    StrategyOrchestrator,
    StrategyRefused,
)
from tests.scenarios.rig import Site
from tests.shared import SHARED, needs_shared
from tests.waiting import wait_until

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
S = 1_000_000_000
START = 1_704_067_200 * S
CROSSING = {"fast_period": 5, "slow_period": 10}
EURUSD = ("data", "backtesting_py", "backtesting__test__EURUSD.csv")
COUNTER = """
from strategies import IStrategy, Signal

class Counter(IStrategy):
    def initialize(self, config):
        self.seen = []
        self.filled = []
    def on_tick(self, data):
        price = data.tick.last
        self.seen.append(price)
        print(f"tick {len(self.seen)}", flush=True)
        {act}
        if price == 2.0:
            return Signal(symbol="X", intent="enter_long", quantity=1, reason="two")
        if price == 3.0:
            return Signal(symbol="X", intent="exit_all", reason="three")
    def on_candle_complete(self, timeframe, candle, data):
        print(f"candle {timeframe} {candle.close} of {len(data.history(timeframe, 100))}", flush=True)
    def on_fill(self, fill, position):
        self.filled.append(fill.quantity)
        print(f"fill {fill.quantity} after {len(self.seen)}", flush=True)
    def on_pause(self, reason):
        print(f"paused {reason}", flush=True)
    def on_stop(self, reason):
        print(f"stopped {reason.text if hasattr(reason, 'text') else reason}", flush=True)
    def save_state(self):
        return {"seen": self.seen, "filled": self.filled}
    def load_state(self, state, version):
        self.seen = list(state["seen"])
        self.filled = list(state["filled"])
        print(f"loaded {len(self.seen)} {self.filled}", flush=True)
"""


@pytest.fixture
def orchestrator() -> Iterator[StrategyOrchestrator]:
    budgets = Budgets(tick=Budget(0.05, 1.0))
    with StrategyOrchestrator(budgets=budgets) as one:
        yield one


def tick(number: int, price: float = 1.0, symbol: str = "X") -> Tick:
    """One trade a second."""
    return Tick(symbol, START + number * S, price, 1.0)


def config(strategy_id: str, **more: Any) -> dict[str, Any]:
    return {
        "strategy_id": strategy_id, "account_id": "demo", "symbols": ["X"], "timeframes": ["1m"], **more
    }  # fmt: skip


def written(folder: Path, act: str = "pass", name: str = "counter") -> Path:
    path = folder / f"{name}.py"
    path.write_text(COUNTER.replace("{act}", act))
    return path


def says(orchestrator: StrategyOrchestrator, strategy_id: str, *lines: str) -> bool:
    """Wait until a strategy has written so many lines, and tell whether they are these."""
    wait_until(lambda: len(orchestrator.logs(strategy_id)) >= len(lines), what=f"lines of {strategy_id}")
    assert list(lines) == orchestrator.logs(strategy_id)
    return True


def verdicts(answer: Answer) -> list[tuple[str, str, str]]:
    return [(one.signal.intent, one.decision, one.rule) for one in answer.verdicts]


AFTER_WARM_UP = ("tick 1", "candle 1m 1.0 of 3", "tick 2")


# ---- the same as the daemon -------------------------------------------------------------------------
def recorded(count: int) -> list[Tick]:
    """The closes of the recorded hours, each as a trade within its hour."""
    with SHARED.joinpath(*EURUSD).open() as file:
        rows = list(csv.DictReader(file))[:count]
    found = []
    for row in rows:
        at = datetime.fromisoformat(row[""]).replace(tzinfo=UTC)
        found.append(Tick("EURUSD", int(at.timestamp()) * S, float(row["Close"]), 1.0))
    return found


def reached(rows: Callable[[], list[Any]], count: int) -> bool:
    return len(rows()) >= count


@needs_shared(*EURUSD)
def test_a_recorded_file_gives_the_signals_and_fills_that_it_gives_in_the_daemon(
    orchestrator: StrategyOrchestrator,
) -> None:
    given = {"symbols": ["EURUSD"], "timeframes": ["1h"], "parameters": CROSSING}
    orchestrator.load_strategy(config("first", **given), "moving_average_crossover")
    verdicts, fills = [], []
    site = Site().with_feed()
    try:
        daemon = site.daemon()
        daemon.start("first", "moving_average_crossover", **given)

        def signals() -> list[dict[str, Any]]:
            return site.stratd("signals", "first", "-n", "1000", "--json").lines

        def trades() -> list[dict[str, Any]]:
            return sorted(daemon.get("trades", n=1000), key=lambda trade: trade["seq"])

        def waiting() -> int:
            return len(orchestrator._core.world.state.broker.everything())

        with site.feed() as feed:
            feed.wait_for_engine()
            before = 0
            for one in recorded(150):
                answer = orchestrator.on_tick(one)["first"]
                verdicts += answer.verdicts
                fills += answer.fills
                feed.tick("EURUSD", one.last or 0.0, one.ts)
                # An hour of the market lies between two of these: the daemon has time to answer, too.
                if answer.verdicts:
                    wait_until(partial(reached, signals, len(verdicts)), what="a signal of the daemon's")
                if answer.fills:
                    wait_until(partial(reached, trades, len(fills)), what="a fill of the daemon's")
                if (
                    waiting() != before
                ):  # it may have ended without a fill, of which the strategy is told, too
                    before = waiting()
                    wait_until(lambda: len(daemon.get("orders")) == before, what="as many orders that wait")  # noqa: B023
        said, done = signals(), trades()
    finally:
        site.remove()
    assert len(fills) > 5
    assert [(one["verdict"], one["rule"], one["intent"], one["data_as_of"]) for one in said] == [
        (one.decision, one.rule, one.signal.intent, one.signal.data_as_of) for one in verdicts
    ]
    assert [(one["quantity"], one["price"]) for one in done] == [(one.quantity, one.price) for one in fills]


def test_what_it_does_is_the_same_in_every_run() -> None:
    def run() -> list[Any]:
        with StrategyOrchestrator() as one:
            one.load_strategy(config("a", parameters=CROSSING), "moving_average_crossover")
            answers = [one.on_tick(tick(10 * n, 100 + math.sin(n / 40)))["a"] for n in range(400)]
        for answer in answers:
            for number, judged in enumerate(answer.verdicts):  # when it was said is of the wall clock
                said = msgspec.structs.replace(judged.signal, generated_at=0)
                answer.verdicts[number] = msgspec.structs.replace(judged, signal=said)
        return answers

    first = run()
    assert any(answer.fills for answer in first)
    assert first == run()


# ---- calls ------------------------------------------------------------------------------------------
def test_a_strategy_answers_a_tick_is_filled_by_the_next_and_told_of_it(
    orchestrator: StrategyOrchestrator, tmp_path: Path
) -> None:
    orchestrator.load_strategy(config("one"), written(tmp_path))
    orchestrator.feed(tick(1, 2.0))
    answer = orchestrator.execute_on_tick("X", "one")
    assert [("enter_long", "accepted", "")] == verdicts(answer)
    assert [] == answer.fills
    [fill] = orchestrator.feed(tick(2, 2.5)).fills
    assert (1.0, 2.5) == (fill.quantity, fill.price)
    assert [fill] == orchestrator.execute_on_tick("X", "one").fills
    assert says(orchestrator, "one", "tick 1", "tick 2", "fill 1.0 after 2")
    [position] = orchestrator.positions("one")
    assert (1.0, 2.5) == (position.quantity, position.average_price)


def test_one_strategy_is_called_and_no_other(orchestrator: StrategyOrchestrator, tmp_path: Path) -> None:
    path = written(tmp_path)
    for name in ("one", "two"):
        orchestrator.load_strategy(config(name), path)
    orchestrator.feed(tick(1))
    orchestrator.execute_on_tick("X", "two")
    assert says(orchestrator, "two", "tick 1")
    assert says(orchestrator, "one")


def test_a_tick_is_told_once(orchestrator: StrategyOrchestrator, tmp_path: Path) -> None:
    orchestrator.load_strategy(config("one"), written(tmp_path))
    with pytest.raises(Misused, match="no tick of 'X' was fed"):
        orchestrator.execute_on_tick("X", "one")
    orchestrator.feed(tick(1))
    orchestrator.execute_on_tick("X", "one")
    with pytest.raises(Misused, match="has had the last tick of X"):
        orchestrator.execute_on_tick("X", "one")


def test_candles_that_ticks_close_are_told_one_by_one(
    orchestrator: StrategyOrchestrator, tmp_path: Path
) -> None:
    orchestrator.load_strategy(config("one"), written(tmp_path))
    closed = [c for number in range(0, 181, 30) for c in orchestrator.feed(tick(number, 1 + number)).closed]
    assert [31.0, 91.0, 151.0] == [candle.close for candle in closed]
    for candle in closed:
        orchestrator.execute_on_candle_complete("X", "1m", candle, "one")
    assert says(orchestrator, "one", *(f"candle 1m {60.0 * n - 29} of {n}" for n in (1, 2, 3)))


def test_candles_of_ones_own_fill_orders_where_there_are_no_ticks(
    orchestrator: StrategyOrchestrator,
) -> None:
    orchestrator.load_strategy(config("a", parameters=CROSSING), "moving_average_crossover")
    fills, accepted = 0, 0
    for number in range(120):
        close = 100 + 5 * math.sin(number / 6)
        at = START + 60 * S * number
        candle = Candle("X", "1m", at, at + 60 * S, close, close + 1, close - 1, close, 10.0)
        fills += len(orchestrator.feed(candle).fills)
        answer = orchestrator.execute_on_candle_complete("X", "1m", candle, "a")
        accepted += sum(one.decision == "accepted" for one in answer.verdicts)
    assert accepted > 3
    assert accepted - 1 <= fills <= accepted


def test_a_warm_up_is_known_before_the_first_call(orchestrator: StrategyOrchestrator, tmp_path: Path) -> None:
    at = START - 120 * S
    known = [Candle("X", "1m", at + n * 60 * S, at + (n + 1) * 60 * S, 1, 1, 1, 1, 1.0) for n in range(2)]
    orchestrator.load_strategy(config("one"), written(tmp_path), warmup=known)
    for number in (0, 61):
        orchestrator.on_tick(tick(number))
    assert says(orchestrator, "one", *(f"candle 1m 1.0 of {n}" for n in (1, 2)), *AFTER_WARM_UP)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (Tick("X", START, float("nan")), "Expected `float` > 0.0"),
        (Tick("X", START, -1.0), "> 0"),
        (Tick("X Y", START, 1.0), "no symbol"),
        (Candle("X", "1m", START, START, 1, 1, 1, 1, 1.0), "close_time is after"),
        (Candle("X", "1m", START, START + S, 9, 1, 1, 1, 1.0), "lie between low and high"),
    ],
)
def test_data_that_is_none_is_refused_and_changes_nothing(
    orchestrator: StrategyOrchestrator, bad: Tick | Candle, why: str
) -> None:
    with pytest.raises(BadData, match=why):
        orchestrator.feed(bad)
    assert [] == orchestrator.feed(tick(1)).closed


# ---- verbs ------------------------------------------------------------------------------------------
def test_who_is_paused_hears_no_tick_and_goes_on_with_the_candles_that_it_missed(
    orchestrator: StrategyOrchestrator, tmp_path: Path
) -> None:
    orchestrator.load_strategy(config("one"), written(tmp_path))
    orchestrator.on_tick(tick(0))
    orchestrator.pause_strategy("one", "lunch")
    assert {"one": State.PAUSED} == orchestrator.strategies()
    assert [] == orchestrator.on_tick(tick(61, 2.0))["one"].verdicts
    assert says(orchestrator, "one", "tick 1", "paused lunch")
    orchestrator.resume_strategy("one")
    answer = orchestrator.on_tick(tick(62, 2.0))["one"]
    assert [("enter_long", "accepted", "")] == verdicts(answer)
    assert says(orchestrator, "one", "tick 1", "paused lunch", "candle 1m 1.0 of 1", "tick 2")


def test_an_account_is_paused_as_a_whole_until_it_is_rearmed(
    orchestrator: StrategyOrchestrator, tmp_path: Path
) -> None:
    path = written(tmp_path)
    orchestrator.load_strategy(config("one"), path)
    orchestrator.load_strategy(config("two"), path)
    orchestrator.load_strategy(config("other", account_id="other"), path)
    orchestrator.on_tick(tick(1))
    assert ["one", "two"] == orchestrator.pause_all_strategies("demo", "the news")
    answers = orchestrator.on_tick(tick(2, 2.0))
    barred = [("enter_long", "rejected", "latch_pause")]
    assert [barred, barred] == [verdicts(answers["one"]), verdicts(answers["two"])]
    assert [("enter_long", "accepted", "")] == verdicts(answers["other"])
    latch = orchestrator.latched("demo")
    assert latch is not None
    assert "the news" in latch.reason
    assert orchestrator.rearm("demo")
    assert [("enter_long", "accepted", "")] == verdicts(orchestrator.on_tick(tick(3, 2.0))["one"])


def test_a_strategy_that_was_stopped_goes_on_where_it_was(
    orchestrator: StrategyOrchestrator, tmp_path: Path
) -> None:
    orchestrator.load_strategy(config("one"), written(tmp_path))
    for number in range(3):
        orchestrator.on_tick(tick(number))
    orchestrator.stop_strategy("one", "enough")
    assert {} == orchestrator.on_tick(tick(3))
    with pytest.raises(Misused, match="one is stopped: restart it first"):
        orchestrator.execute_on_tick("X", "one")
    orchestrator.restart("one")
    orchestrator.on_tick(tick(4))
    assert says(orchestrator, "one", "loaded 3 []", "tick 4")


def test_a_pause_outlives_a_death(orchestrator: StrategyOrchestrator, tmp_path: Path) -> None:
    orchestrator.load_strategy(config("one"), written(tmp_path, "import os; price == 666 and os._exit(3)"))
    assert orchestrator.on_tick(tick(1, 666.0))["one"].error is not None
    orchestrator.restart("one")
    orchestrator.pause_strategy("one", "first")
    orchestrator.stop_strategy("one")
    orchestrator.restart("one")
    assert {"one": State.PAUSED} == orchestrator.strategies()
    assert [] == orchestrator.on_tick(tick(2, 2.0))["one"].verdicts
    orchestrator.resume_strategy("one")
    assert [("enter_long", "accepted", "")] == verdicts(orchestrator.on_tick(tick(3, 2.0))["one"])


def test_a_timer_fires_by_the_time_of_the_data(orchestrator: StrategyOrchestrator, tmp_path: Path) -> None:
    once = "len(self.seen) == 1 and self.ctx.schedule('t', at=data.tick.ts + 5_000_000_000)"
    path = written(tmp_path, once)
    path.write_text(
        path.read_text() + "\n    def on_timer(self, name, ts):\n        print(name, ts, flush=True)\n"
    )
    orchestrator.load_strategy(config("one"), path)
    for number in (0, 4, 9):
        orchestrator.on_tick(tick(number))
    assert says(orchestrator, "one", "tick 1", "tick 2", f"t {START + 5 * S}", "tick 3")


def test_a_stop_acts_for_a_strategy_that_is_dead(orchestrator: StrategyOrchestrator, tmp_path: Path) -> None:
    path = written(tmp_path, "import os; price == 666 and os._exit(3)")
    orchestrator.load_strategy(config("one", risk_management={"stop_loss_percentage": 10}), path)
    for number, price in enumerate((2.0, 1.9, 666.0)):
        orchestrator.on_tick(tick(number, price))
    assert {"one": State.DIED} == orchestrator.strategies()
    [fill] = orchestrator.feed(tick(4, 1.0)).fills
    assert (-1.0, 1.0, "stop") == (fill.quantity, fill.price, fill.role.partition("_")[0])
    assert [0.0] == [one.quantity for one in orchestrator.positions("one")]


# ---- isolation --------------------------------------------------------------------------------------
CRASH = "101_py_null_deref.py"
HANG = "109_py_block_forever.py"


def hostile(folder: Path, act: str) -> Path:
    """A strategy that attacks when the price is 666."""
    source = SHARED.joinpath("attacks", act).read_text()
    body = COUNTER.replace("{act}", "if price == 666:\n            attack()")
    path = folder / "hostile.py"
    path.write_text(f"{source}\n{textwrap.dedent(body)}")
    return path


@needs_shared("attacks", CRASH)
@pytest.mark.parametrize(
    ("act", "cause", "stack"), [(CRASH, "signal", "in attack"), (HANG, "hang", "in attack"), ("", "exit", "")]
)
def test_who_crashes_or_hangs_dies_alone_and_goes_on_after_a_restart(
    orchestrator: StrategyOrchestrator, tmp_path: Path, act: str, cause: str, stack: str
) -> None:
    exits = "import os; price == 666 and os._exit(3)"
    bad = hostile(tmp_path, act) if act else written(tmp_path, exits, "exits")
    orchestrator.load_strategy(config("bad"), bad)
    orchestrator.load_strategy(config("good"), written(tmp_path))
    orchestrator.on_tick(tick(1, 2.0))
    answers = orchestrator.on_tick(tick(2, 666.0))
    error = answers["bad"].error
    assert error is not None
    assert (cause, "bad") == (error.cause, error.strategy_id)
    assert stack in error.stack
    assert None is answers["good"].error
    assert {"bad": State.DIED, "good": State.RUNNING} == orchestrator.strategies()
    assert ["good"] == list(orchestrator.on_tick(tick(3)))
    with pytest.raises(StrategyDied, match=f"bad: {cause}"):
        orchestrator.execute_on_tick("X", "bad")
    orchestrator.restart("bad")
    assert [] == orchestrator.on_tick(tick(4))["bad"].faults
    # It died before it had saved its fill, so that is told again; the tick of that call is not.
    assert says(orchestrator, "bad", "loaded 1 []", "fill 1.0 after 1", "tick 2")
    assert [1.0] == [one.quantity for one in orchestrator.positions("bad")]


def test_an_exception_is_a_fault_and_no_end(orchestrator: StrategyOrchestrator, tmp_path: Path) -> None:
    orchestrator.load_strategy(config("one"), written(tmp_path, "assert price != 666, 'the beast'"))
    [fault] = orchestrator.on_tick(tick(1, 666.0))["one"].faults
    assert "AssertionError: the beast" in fault
    assert [] == orchestrator.on_tick(tick(2))["one"].faults


def test_who_cannot_be_saved_is_ended_with_the_reason(
    orchestrator: StrategyOrchestrator, tmp_path: Path
) -> None:
    orchestrator.load_strategy(config("one"), written(tmp_path, "self.seen.append({1, 2})"))
    error = orchestrator.on_tick(tick(1))["one"].error
    assert error is not None
    assert "its state cannot be saved" in error.detail


# ---- refusals ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "name", "why"),
    [
        ({"strategy_id": "a b"}, "moving_average_crossover", "strategy_id 'a b'"),
        ({"symbols": ["X Y"]}, "moving_average_crossover", "symbol 'X Y'"),
        ({"symbols": []}, "moving_average_crossover", "symbols: at least one"),
        ({"trading_mode": "live"}, "moving_average_crossover", "on paper only"),
        ({"timeframes": ["7x"]}, "moving_average_crossover", "7x"),
        ({"colour": 1}, "moving_average_crossover", "unknown field 'colour'"),
        ({"risk_management": {"max_los": 1}}, "moving_average_crossover", "risk.max_los"),
        ({"parameters": {"fast_period": 1}}, "moving_average_crossover", "fast_period"),
        ({}, "moving_average", "there is no strategy 'moving_average'"),
        ({}, "/nowhere/at/all.py", "no such folder or file"),
    ],
)
def test_what_cannot_be_started_is_refused_in_one_line(
    orchestrator: StrategyOrchestrator, given: dict[str, Any], name: str, why: str
) -> None:
    with pytest.raises(StrategyRefused, match=why) as refused:
        orchestrator.load_strategy({**config("one"), **given}, name)
    assert "\n" not in str(refused.value)
    assert {} == orchestrator.strategies()


def test_code_that_cannot_be_loaded_is_a_death_with_the_line(
    orchestrator: StrategyOrchestrator, tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text("import nothing_of_the_kind\n")
    with pytest.raises(StrategyDied, match="load_error: ModuleNotFoundError"):
        orchestrator.load_strategy(config("one"), tmp_path / "broken.py")
    assert {} == orchestrator.strategies()


def test_it_is_for_one_thread_and_for_who_started_it(orchestrator: StrategyOrchestrator) -> None:
    raised: list[BaseException] = []

    def feed() -> None:
        try:
            orchestrator.feed(tick(1))
        except Misused as error:
            raised.append(error)

    thread = threading.Thread(target=feed)
    thread.start()
    thread.join()
    assert ["the orchestrator is for the thread that started it, and no other"] == [str(e) for e in raised]
    with pytest.raises(Misused, match="was not started"):
        StrategyOrchestrator().feed(tick(1))


# ---- nothing is left --------------------------------------------------------------------------------
EMBEDDING = """
import os, signal, sys
from supervisor.orchestrator import StrategyOrchestrator
one = StrategyOrchestrator()
one.start()
given = {"account_id": "demo", "symbols": ["X"], "timeframes": ["1m"]}
for name in ("a", "b"):
    one.load_strategy({"strategy_id": name, **given}, "moving_average_crossover")
print("ready", flush=True)
sys.stdin.readline()
ENDS
"""


def descendants(pid: int) -> set[int]:
    found: set[int] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        if int(text.rpartition(")")[2].split()[1]) == pid:
            child = int(stat.parent.name)
            found |= {child, *descendants(child)}
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    "ends", ["one.close()", "raise SystemExit(1)", "os.kill(os.getpid(), signal.SIGKILL)"]
)
def test_nothing_is_left_however_the_embedding_process_ends(tmp_path: Path, ends: str) -> None:
    base = Path(tempfile.mkdtemp(prefix="o-"))  # the path of a Unix socket holds 107 bytes (unix(7))
    environ = {**os.environ, "TMPDIR": str(base)}
    try:
        embedding = subprocess.Popen(
            [sys.executable, "-P", "-c", EMBEDDING.replace("ENDS", ends)],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with embedding:
            assert embedding.stdout is not None
            assert b"ready\n" == embedding.stdout.readline()
            cells = descendants(embedding.pid)
            assert len(cells) >= 5  # a zygote, two wardens, two strategies
            embedding.communicate(b"\n")
        wait_until(lambda: not any(map(alive, cells)), what="every process of it ended")
        if "SIGKILL" in ends:  # nobody was there to remove it: the next one does
            assert 1 == len(list(base.glob(f"{PREFIX}*")))
            script = (
                "from supervisor.embedding.folder import PrivateFolder as F; f = F(); f.open(); f.close()"
            )
            subprocess.run([sys.executable, "-P", "-c", script], env=environ, check=True)
        assert [] == list(base.iterdir())
    finally:
        subprocess.run(["rm", "-rf", str(base)], check=True)


# ---- what is shown ----------------------------------------------------------------------------------
PAGE = (ROOT / "docs" / "embedding.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("code", "prints"),
    [
        (BLOCKS[0], "enter_long accepted"),
        (BLOCKS[1], "f exit 3"),
        ((ROOT / "examples" / "embedded.py").read_text("utf-8"), "enter_long  accepted"),
    ],
)
def test_what_the_page_and_the_example_show_works_as_it_stands(code: str, prints: str) -> None:
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    assert prints in done.stdout


def test_the_page_names_every_method_and_every_error() -> None:
    assert 2 == len(BLOCKS)
    methods = [n for n in vars(StrategyOrchestrator) if not n.startswith("_") and n != "start"]
    for name in (*methods, *(error.__name__ for error in OrchestratorError.__subclasses__())):
        assert f"`{name}" in PAGE, name
