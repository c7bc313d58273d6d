"""Whole cells: a real zygote, real processes, a real engine's sockets. One strategy a way of life."""

from __future__ import annotations

import json
import os
import signal
import stat
from pathlib import Path

import msgspec
import pytest

from bus.messages import (
    Acked,
    Beat,
    Bye,
    Checkpoint,
    Pause,
    Position,
    Resume,
    Running,
    Schedule,
    SignalAck,
    Signals,
    Stop,
    TakeCheckpoint,
    Welcome,
)
from sandbox.nursery import ENVIRONMENT
from sandbox.spec import Budget, Budgets, Dump, Held, Limits, Terminate
from tests.sandbox.world import EPOCH, NOON, PREAMBLE, SECOND, TOKEN, World, candle, gone, look_into

pytestmark = pytest.mark.system

BUYER = """
def on_tick(self, data):
    return buy()
"""


# ---- the ordinary life ----------------------------------------------------------------------------
def test_a_tick_becomes_a_signal(world: World):
    world.running(BUYER)
    world.engine.ticks("EURUSD", 1.25)
    world.until(world.engine.signals, "a signal")
    one = world.engine.signals()[0]
    assert (one.symbol, one.intent, one.quantity, one.reference_price) == ("EURUSD", "enter_long", 1.0, 1.25)
    assert world.engine.said[-1][0] == "cell-0:1"


def test_every_tick_is_answered_in_order(world: World):
    world.running("def on_tick(self, data):\n    return buy(ttl_ms=data.tick.ts % 1000 + 1)")
    for n in range(200):
        world.engine.ticks("EURUSD", 1.0 + n)
    world.until(lambda: len(world.engine.signals()) == 200, "200 signals")
    assert [s.data_key - NOON for s in world.engine.signals()] == list(range(1, 201))


def test_warm_up_precedes_running_and_makes_no_signal(world: World):
    warmup = [candle("EURUSD", "1m", NOON + n * 60 * SECOND, 1.0 + n) for n in range(3000)]
    world.engine.welcome = lambda _: Welcome(epoch=EPOCH, now=NOON + 3000 * 60 * SECOND, warmup=warmup)
    cell = world.running("""
        def on_candle_complete(self, timeframe, candle, data):
            return buy()

        def on_start(self, ctx, recovered):
            print("history", len(ctx._data.history("1m", 5000)))
    """)
    world.until(lambda: cell.lines("out"), "the print")
    assert cell.lines("out") == ["history 3000"]
    assert world.engine.signals() == []
    assert len(world.engine.of(Running)) == 1


def test_ticks_that_the_warm_up_covers_are_not_delivered_again(world: World):
    world.engine.welcome = lambda _: Welcome(epoch=EPOCH, now=NOON, position={"tick|EURUSD|": 10})
    world.running(BUYER)
    world.engine.ticks("EURUSD", 1.0, 2.0, 3.0, 4.0, seq=9)
    world.until(lambda: len(world.engine.signals()) == 2, "two signals")
    assert [s.reference_price for s in world.engine.signals()] == [3.0, 4.0]


def test_a_missing_sequence_is_counted_and_told(world: World):
    cell = world.running(BUYER)
    world.engine.ticks("EURUSD", 1.0, seq=1)
    world.engine.ticks("EURUSD", 1.0, seq=5)
    world.until(lambda: cell.warnings("gap"), "the gap")
    assert cell.warnings("gap") == ["3 missing: tick|EURUSD| from 2"]


def test_a_stop_ends_in_order_with_state_and_goodbye(world: World):
    cell = world.running("""
        def on_stop(self, reason):
            return buy()

        def save_state(self):
            return {"answer": 42}

        def cleanup(self):
            print("cleaned")
    """)
    world.engine.command("cell-0", 1, Stop("enough", ask=True))
    died = world.ended(cell)
    assert (died.cause, died.exit_code, died.detail) == ("exit", 0, "stopped")
    assert cell.lines("out") == ["cleaned"]
    world.until(lambda: world.engine.of(Bye), "its last word to the engine")
    kinds = [type(report) for _, report in world.engine.said]
    assert kinds[kinds.index(Running) :] == [Running, Signals, Checkpoint, Bye]
    world.until(lambda: cell.warden_code is not None, "the zygote's word")
    assert cell.warden_code == 0


def test_a_checkpoint_holds_the_position_of_what_came_before_it(world: World):
    world.running("def save_state(self):\n    return {'n': 1}")
    world.engine.ticks("EURUSD", 1.0, 1.1, 1.2)
    world.engine.command("cell-0", 1, TakeCheckpoint())
    world.engine.ticks("EURUSD", 1.3)
    world.until(lambda: world.engine.of(Checkpoint), "a checkpoint")
    saved = world.engine.of(Checkpoint)[0]
    assert (saved.epoch, saved.position) == (EPOCH, {"tick|EURUSD|": 3})


def test_a_checkpoint_larger_than_a_datagram_arrives_whole(world: World):
    cell = world.running("def save_state(self):\n    return {'blob': bytes(range(256)) * 2000}")
    world.engine.command("cell-0", 1, TakeCheckpoint())
    world.until(lambda: world.engine.of(Checkpoint) or cell.died, "a checkpoint")
    state = world.engine.of(Checkpoint)[0].state
    assert bytes(range(256)) * 2000 in state
    assert msgspec.msgpack.decode(state)["state"]["blob"] == bytes(range(256)) * 2000


def test_paused_ticks_are_dropped_and_candles_come_first_on_the_resume(world: World):
    cell = world.running("""
        def on_tick(self, data):
            print("tick", data.tick.price)

        def on_candle_complete(self, timeframe, candle, data):
            print("candle", candle.close)
            return buy()

        def on_resume(self):
            print("resumed")
    """)
    world.engine.command("cell-0", 1, Pause("lunch"))
    world.engine.ticks("EURUSD", 1.0)
    world.engine.candle("EURUSD", "1m", NOON + 60 * SECOND, 5.0)
    world.engine.command("cell-0", 1, Resume())
    world.engine.ticks("EURUSD", 2.0)
    world.until(lambda: len(cell.lines("out")) == 3, "three lines")
    assert cell.lines("out") == ["candle 5.0", "resumed", "tick 2.0"]
    assert world.engine.signals() == []


def test_heartbeats_tell_the_counters_of_a_strategy_that_answers(world: World):
    world.running(BUYER)
    world.engine.ticks("EURUSD", 1.0, 1.1)
    for _ in range(400):
        world.engine.pulse()
        world.turn()
        if world.engine.of(Beat):
            break
    stats = world.until(lambda: world.engine.of(Beat), "a beat")[0].stats
    assert stats.ticks == 2


def test_a_timer_asked_for_reaches_the_engine(world: World):
    world.running("def on_start(self, ctx, recovered):\n    ctx.schedule('close', at=5)")
    assert world.until(lambda: world.engine.of(Schedule), "a timer") == [Schedule("close", 5, 0)]


def test_a_new_run_of_the_engine_is_greeted_and_missed_candles_are_made_up(world: World):
    world.running("def on_candle_complete(self, timeframe, candle, data):\n    return buy()")
    world.engine.candle("EURUSD", "1m", NOON + 60 * SECOND, 1.0)
    world.until(lambda: len(world.engine.signals()) == 1, "the first signal")
    minutes = [candle("EURUSD", "1m", NOON + n * 60 * SECOND, float(n)) for n in (1, 2, 3)]
    world.engine.epoch = EPOCH + 1
    world.engine.welcome = lambda _: Welcome(
        epoch=EPOCH + 1, now=NOON, warmup=minutes, position={"candle|EURUSD|": 40, "tick|EURUSD|": 9}
    )
    world.engine.pulse()
    world.until(lambda: len(world.engine.signals()) == 4, "two more, and the one that was never answered")
    assert [s.reference_price for s in world.engine.signals()] == [1.0, 1.0, 2.0, 3.0]
    assert len(world.engine.of(Running)) == 2


def test_a_new_run_of_the_engine_tells_what_is_held_and_is_told_of_timers_and_signals(world: World):
    cell = world.running("""
        def on_start(self, ctx, recovered):
            ctx.schedule("close", at=5, every=1.0)

        def on_candle_complete(self, timeframe, candle, data):
            print("holds", self.ctx.position().quantity)
            return buy()
    """)
    world.engine.candle("EURUSD", "1m", NOON + 60 * SECOND, 1.0)
    world.until(lambda: len(world.engine.signals()) == 1, "the first signal")
    position = Position("cell-0", "EURUSD", 3.0, 1.0)
    world.engine.epoch = EPOCH + 1
    world.engine.welcome = lambda _: Welcome(epoch=EPOCH + 1, now=NOON, positions=[position])
    world.engine.pulse()
    world.until(lambda: len(world.engine.of(Running)) == 2, "the second greeting")
    world.until(lambda: len(world.engine.of(Schedule)) == 2, "the timer again")
    assert [s.number for s in world.engine.signals()] == [1, 1]
    world.engine.command("cell-0", 1, Acked(SignalAck("key", "duplicate", number=1)))
    world.engine.candle("EURUSD", "1m", NOON + 120 * SECOND, 1.0)
    world.until(lambda: len(cell.lines("out")) == 2, "the second candle")
    assert cell.lines("out") == ["holds 0.0", "holds 3.0"]


# ---- what a strategy finds ------------------------------------------------------------------------
def test_the_strategy_holds_four_descriptors_and_the_literal_environment(world: World):
    cell = world.running("""
        def initialize(self, config):
            import json, stat
            kinds = {}
            for n in range(4096):
                try:
                    kinds[n] = stat.S_IFMT(os.fstat(n).st_mode)
                except OSError:
                    continue
            print(json.dumps([kinds, dict(os.environ)]))
    """)
    world.until(lambda: cell.lines("out"), "the print")
    descriptors, environ = json.loads(cell.lines("out")[0])
    character, pipe, socket = stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK
    assert descriptors == {"0": character, "1": pipe, "2": pipe, "3": socket}
    assert environ == ENVIRONMENT
    if os.geteuid() == 0:  # the kernel's own copy, of the exec
        raw = (look_into(cell.handle.strategy_pid) / "environ").read_text().split("\0")[:-1]
        assert sorted(raw) == sorted(f"{name}={value}" for name, value in ENVIRONMENT.items())


def test_the_strategy_finds_no_module_of_the_warden_or_the_daemon(world: World):
    cell = world.running("""
        def initialize(self, config):
            print(" ".join(sorted(sys.modules)))
    """)
    world.until(lambda: cell.lines("out"), "the print")
    found = set(cell.lines("out")[0].split())
    assert {name.partition(".")[0] for name in found} & {
        "zmq", "psutil", "pydantic", "redis", "sqlalchemy", "fastapi", "pandas", "supervisor", "cli",
    } == set()  # fmt: skip
    assert {"sandbox.warden", "sandbox.zygote", "sandbox.confine"} & found == set()
    assert [name for name in found if name.startswith("bus.sockets")] == []
    assert {"numpy", "msgspec", "strategies.api"} <= found


def test_the_token_is_nowhere_in_the_memory_of_the_strategy(world: World):
    for _ in range(2):  # the second is forked after the first one's token went by
        cell = world.running("pass")
    parts, process = [], look_into(cell.handle.strategy_pid)
    with (process / "mem").open("rb", buffering=0) as mem:
        for line in (process / "maps").read_text().splitlines():
            where, rights, *_ = line.split()
            low, high = (int(part, 16) for part in where.split("-"))
            if "rw" in rights and "[v" not in line:
                mem.seek(low)
                parts.append(mem.read(high - low))
    memory = b"".join(parts)
    assert b"cell-1" in memory
    assert TOKEN.encode() not in memory
    assert world.engine.market_endpoint.encode() not in memory


def test_limits_hold_inside_the_strategy(world: World):
    limits = Limits(files=64, file_size=4096, nice=5)
    cell = world.running(
        """
        def initialize(self, config):
            import resource
            print(resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_FSIZE),
                  resource.getrlimit(resource.RLIMIT_CORE), os.getpriority(os.PRIO_PROCESS, 0),
                  os.getsid(0) == os.getpid())
        """,
        limits=limits,
    )
    world.until(lambda: cell.lines("out"), "the print")
    assert cell.lines("out") == ["(64, 64) (4096, 4096) (0, 0) 5 True"]


def test_two_cells_with_one_seed_draw_the_same_and_iterate_alike(world: World):
    body = """
        def initialize(self, config):
            import random, numpy
            print(random.random(), numpy.random.random(), list({"a", "b", "c", "d", "e"}))
    """
    cells = [world.running(body, seed=seed) for seed in (1, 1, 2)]
    world.until(lambda: all(cell.lines("out") for cell in cells), "the prints")
    first, second, other = (cell.lines("out") for cell in cells)
    assert first == second
    assert first != other


def test_a_folder_with_siblings_and_a_named_class_is_loaded(world: World, tmp_path: Path):
    folder = tmp_path / "crossing"
    folder.mkdir()
    (folder / "config.json").write_text('{"name": "crossing", "class": "Second"}')
    (folder / "pricing.py").write_text("PRICE = 3.5\n")
    (folder / "json.py").write_text("raise RuntimeError('shadowed')\n")
    (folder / "strategy.py").write_text(
        "import json, pricing\nfrom . import pricing as same\nfrom strategies.api import IStrategy\n"
        "class First(IStrategy):\n    def initialize(self, config): pass\n"
        "    def on_candle_complete(self, timeframe, candle, data): pass\n"
        "class Second(First):\n    def initialize(self, config): print(type(self).__name__, pricing.PRICE)\n"
    )
    cell = world.running("pass", code_path=str(folder))
    world.until(lambda: cell.lines("out"), "the print")
    assert cell.lines("out") == ["Second 3.5"]


# ---- misbehaviour ---------------------------------------------------------------------------------
def test_code_that_cannot_be_loaded_is_a_load_error_with_file_and_line(world: World):
    died = world.ended(world.start("class Broken(:\n    pass"))
    assert (died.cause, died.exit_code) == ("load_error", 64)
    assert "strategy_1.py:1: invalid syntax: class Broken(:" in died.detail


def test_a_call_that_is_held_to_its_share_of_cpu_is_no_hang(world: World):
    body = "def on_tick(self, data):\n    time.sleep(0.8)\n    return buy()"
    cell = world.running(body, budgets=Budgets(tick=Budget(0.05, 0.3)))
    world.engine.ticks("EURUSD", 1.0)

    def answered() -> bool:
        cell.handle.order(Held(1.0))
        return bool(world.engine.signals() or cell.died)

    world.until(answered, "the answer")
    assert cell.died is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's strategies run as another user")
@pytest.mark.parametrize("what", ["file", "folder", "sibling"])
def test_code_that_its_user_may_not_read_is_told_with_the_command_that_helps(world: World, what: str):
    code = world.write("import prices\n" + PREAMBLE + "    pass\n")
    if what == "file":
        code.chmod(0o600)
        closed = code
    else:
        folder = world.folder / "closed"
        folder.mkdir(mode=0o700 if what == "folder" else 0o755)
        code.rename(folder / "strategy.py")
        (folder / "prices.py").touch(mode=0o600)
        code, closed = folder, folder / ("strategy.py" if what == "folder" else "prices.py")
    died = world.ended(world.start("pass", code_path=str(code)))
    assert died.cause == "load_error"
    assert died.detail == (
        f"{closed}: Permission denied: may not be read by the user that strategies run as here: "
        f"chmod -R a+rX {code} (the folders above it may stay closed)"
    )


def test_code_behind_a_link_is_not_shown_to_a_cell(world: World):
    """Whoever owns the link could lead it elsewhere between the look at it and the cell's."""
    code = world.write("pass")
    (world.folder / "link").symlink_to(code)
    (world.folder / "folders").symlink_to(world.folder)
    for path in (world.folder / "link", world.folder / "folders" / code.name):
        died = world.ended(world.start("pass", code_path=str(path)))
        assert died.cause == "error"
        why = "leads through a symbolic link now; register it again"
        assert died.detail == f"not confined, so not run: {path}: {why}"


def test_an_import_that_fails_names_the_author_line(world: World):
    died = world.ended(world.start("import nothing_of_that_name\nclass X: pass"))
    assert (died.cause, died.exit_code) == ("load_error", 64)
    assert died.detail.startswith("ModuleNotFoundError: No module named 'nothing_of_that_name'")
    assert "sandbox" not in died.detail


def test_a_refused_configuration_is_a_load_error_with_its_own_code(world: World):
    died = world.ended(world.start("def initialize(self, config):\n    raise ValueError('fast > slow')"))
    assert (died.cause, died.exit_code) == ("load_error", 65)
    assert died.detail.startswith("ValueError: fast > slow")


def test_one_exception_is_counted_and_told_and_the_strategy_goes_on(world: World):
    cell = world.running("""
        def on_tick(self, data):
            if data.tick.price == 1.0:
                raise KeyError("boom")
            return buy()
    """)
    world.engine.ticks("EURUSD", 1.0, start=NOON)
    world.engine.ticks("EURUSD", 2.0)
    world.until(world.engine.signals, "a signal")
    world.until(lambda: cell.warnings("error"), "the warning")
    assert cell.warnings("error")[0].startswith("on_tick: KeyError: 'boom'\nTraceback")


def test_too_many_exceptions_end_it_with_cause_error(world: World):
    cell = world.running("def on_tick(self, data):\n    raise KeyError('boom')")
    world.engine.ticks("EURUSD", *([1.0] * 10))
    died = world.ended(cell)
    assert died.cause == "error"
    assert "KeyError: 'boom'" in died.detail


@pytest.mark.parametrize(
    ("line", "death", "detail"),
    [
        ("sys.exit(3)", ("exit", 3, None), "exit code 3; on_tick ran"),
        ("os._exit(4)", ("exit", 4, None), "exit code 4; on_tick ran"),
        ("os.kill(os.getpid(), 9)", ("signal", None, 9), "SIGKILL while on_tick"),
        ("os.abort()", ("signal", None, 6), "SIGABRT while on_tick"),
        ("import ctypes; ctypes.string_at(0)", ("signal", None, 11), "SIGSEGV while on_tick"),
        ("x = bytearray(2**30)", ("oom", 1, None), "on_tick was refused memory"),
        ("x = [[i] for i in range(10**9)]", ("oom", 1, None), "on_tick was refused memory"),
        ("os.close(3); time.sleep(60)", ("protocol", None, 9), "it closed its socket"),
        ("os.write(3, b'rubbish')", ("protocol", None, 9), "a datagram of 7 bytes does not decode"),
        ("os.write(3, bytes(70_000))", ("protocol", None, 9), "a datagram of 65537 bytes"),
        ("os.write(3, b'\\x94\\x01')", ("protocol", None, 9), "does not decode"),
    ],
)
def test_a_death_has_a_cause_and_a_sentence(world: World, line, death, detail):
    # patient, or memory filled in small pieces would be a hang on a busy machine
    cell = world.running(f"def on_tick(self, data):\n    {line}", budgets=quick(tick=60.0))
    world.engine.ticks("EURUSD", 1.0)
    died = world.ended(cell, timeout=60.0)
    assert (died.cause, died.exit_code, died.signal) == death
    assert died.detail.startswith(detail) or detail in died.detail
    assert died.last_event == "on_tick"
    assert died.peak_memory > 10 * 2**20


def test_a_crash_leaves_the_python_stack(world: World):
    cell = world.running("def on_tick(self, data):\n    import ctypes\n    ctypes.string_at(0)")
    world.engine.ticks("EURUSD", 1.0)
    died = world.ended(cell)
    assert died.stack.startswith("Fatal Python error: Segmentation fault")
    assert "in on_tick" in died.stack


@pytest.mark.parametrize("line", ["while True: pass", "time.sleep(60)", "self.ctx.log.info('x' * 100)"])
def test_a_callback_past_its_hard_budget_is_a_hang_with_its_stack(world: World, line):
    body = "def on_tick(self, data):\n    while True:\n        " + line
    cell = world.running(body, budgets=quick(tick=0.3))
    world.engine.ticks("EURUSD", 1.0)
    died = world.ended(cell)
    assert (died.cause, died.detail) == ("hang", "on_tick ran longer than 0.3 s")
    assert died.signal == signal.SIGABRT
    assert "in on_tick" in died.stack


def test_a_hang_that_ignores_the_abort_is_killed(world: World):
    cell = world.running(
        """
        def on_tick(self, data):
            import faulthandler, signal
            faulthandler.disable()
            signal.signal(signal.SIGABRT, signal.SIG_IGN)
            while True: pass
        """,
        budgets=quick(tick=0.3),
    )
    world.engine.ticks("EURUSD", 1.0)
    died = world.ended(cell)
    assert (died.cause, died.signal, died.stack) == ("hang", signal.SIGKILL, "")


def test_a_hang_while_loading_ends_too(world: World):
    died = world.ended(world.start("class X: pass\nwhile True: pass", budgets=quick(initialize=0.3)))
    assert (died.cause, died.last_event) == ("hang", "load")


def test_a_slow_call_is_counted_and_told_and_nothing_else(world: World):
    cell = world.running("""
        def on_tick(self, data):
            deadline = time.monotonic() + 0.08
            while time.monotonic() < deadline: pass
            return buy()
    """)
    world.engine.ticks("EURUSD", 1.0)
    world.until(world.engine.signals, "a signal")
    world.until(lambda: cell.warnings("slow_call"), "the warning")
    assert cell.warnings("slow_call")[0].startswith("on_tick took")


def test_signals_over_the_rate_are_refused_and_told(world: World):
    cell = world.running(
        "def on_tick(self, data):\n    return [buy() for _ in range(50)]", limits=Limits(signals_per_s=20)
    )
    world.engine.ticks("EURUSD", 1.0)
    world.until(lambda: cell.warnings("rate_limit"), "the refusal")
    assert cell.warnings("rate_limit") == ["30 signals refused: more than 20 a second"]
    # They travel by another pipe than the warning; what that pipe brings after the next beat is no signal.
    world.until(lambda: len(world.engine.signals()) >= 20, "the signals")
    beats = len(world.engine.of(Beat))
    world.until(lambda: len(world.engine.of(Beat)) > beats, "the next beat")
    assert len(world.engine.signals()) == 20


def test_a_thousand_signals_of_one_callback_all_arrive(world: World):
    world.running(
        "def on_tick(self, data):\n    return [buy(tags={'note': 'x' * 200}) for _ in range(1000)]",
        limits=Limits(signals_per_s=5000),
    )
    world.engine.ticks("EURUSD", 1.0)
    world.until(lambda: len(world.engine.signals()) == 1000, "all signals")
    assert [s.number for s in world.engine.signals()] == list(range(1, 1001))


def test_a_slow_strategy_gets_the_newest_tick_and_every_candle(world: World):
    cell = world.running(
        """
        def on_tick(self, data):
            if data.tick.price == 1.0:
                time.sleep(0.3)
            else:
                print("tick", data.tick.price)

        def on_candle_complete(self, timeframe, candle, data):
            print("candle", candle.close)
        """,
        limits=Limits(backlog=10),
    )
    world.engine.ticks("EURUSD", 1.0)
    for n in range(2, 100):
        world.engine.ticks("EURUSD", float(n))
        if n % 33 == 0:
            world.engine.candle("EURUSD", "1m", NOON + n * 60 * SECOND, float(n))
    world.until(lambda: "tick 99.0" in cell.lines("out"), "the last tick")
    out = cell.lines("out")
    assert [line for line in out if line.startswith("candle")] == [
        "candle 33.0",
        "candle 66.0",
        "candle 99.0",
    ]
    assert len([line for line in out if line.startswith("tick")]) < 30


# ---- output ---------------------------------------------------------------------------------------
def test_the_last_hundred_lines_before_a_crash_are_all_there(world: World):
    cell = world.running("""
        def on_tick(self, data):
            for n in range(100):
                print("line", n)
            os.kill(os.getpid(), 11)
    """)
    world.engine.ticks("EURUSD", 1.0)
    world.ended(cell)
    assert cell.lines("out") == [f"line {n}" for n in range(100)]


def test_a_flood_is_limited_counted_and_its_end_is_kept(world: World):
    cell = world.running(
        """
        def on_tick(self, data):
            for n in range(50_000):
                print("flood", n, "x" * 100)
            os._exit(1)
        """,
        limits=Limits(log_bytes_per_s=50_000),
    )
    world.engine.ticks("EURUSD", 1.0)
    world.ended(cell)
    lines = cell.lines("out")
    dropped = sum(report.dropped for report in cell.reports if hasattr(report, "dropped"))
    assert lines[-1].startswith("flood 49999 ")
    assert [int(line.split()[1]) for line in lines[-100:]] == list(range(49_900, 50_000))
    assert dropped + len(lines) == 50_000
    assert dropped > 40_000


def test_binary_and_endless_lines_are_made_harmless(world: World):
    cell = world.running("""
        def initialize(self, config):
            os.write(1, b"\\xff\\x00\\x1b[31mred\\n" + b"y" * 2_000_000 + b"\\nend\\n")
    """)
    world.until(lambda: "end" in cell.lines("out"), "the last line")
    first, second, _ = cell.lines("out")
    assert first == "\\xff\\x00\\x1b[31mred"
    assert second.startswith("y" * 8192 + " ... 1991808 bytes cut")


def test_the_log_of_the_context_is_a_stream_of_its_own(world: World):
    cell = world.running("def on_start(self, ctx, recovered):\n    ctx.log.warning('spread %d', 3)")
    world.until(lambda: cell.lines("log"), "the line")
    assert cell.lines("log") == ["warning: spread 3"]


# ---- orders and ends ------------------------------------------------------------------------------
def test_terminate_stops_in_order_without_the_engine(world: World):
    cell = world.running("def cleanup(self):\n    print('cleaned')")
    assert cell.handle.order(Terminate("shutdown", 5.0))
    died = world.ended(cell)
    assert (died.cause, died.exit_code, cell.lines("out")) == ("exit", 0, ["cleaned"])


def test_terminate_past_its_grace_leaves_a_stack_and_cause_operator(world: World):
    cell = world.running("def on_stop(self, reason):\n    time.sleep(60)")
    assert cell.handle.order(Terminate("shutdown", 0.3))
    died = world.ended(cell)
    assert (died.cause, died.signal) == ("operator", signal.SIGABRT)
    assert "in on_stop" in died.stack


def test_sigterm_to_the_warden_is_an_orderly_stop(world: World):
    cell = world.running("def cleanup(self):\n    print('cleaned')")
    os.kill(cell.handle.warden_pid, signal.SIGTERM)
    assert (world.ended(cell).cause, cell.lines("out")) == ("exit", ["cleaned"])


def test_a_dump_writes_the_stack_and_the_strategy_lives(world: World):
    cell = world.running(BUYER)
    assert cell.handle.order(Dump())
    world.until(lambda: any("most recent call first" in line for line in cell.lines("err")), "the stack")
    world.engine.ticks("EURUSD", 1.0)
    world.until(world.engine.signals, "a signal after it")


def test_a_strategy_killed_while_idle_is_reported_without_waiting_for_a_tick(world: World):
    cell = world.running("pass")
    cell.handle.kill_strategy()
    died = world.ended(cell)
    assert (died.cause, died.signal) == ("signal", signal.SIGKILL)


def test_a_word_out_of_turn_ends_the_cell(world: World):
    cell = world.running("""
        def on_start(self, ctx, recovered):
            import threading
            threading.Timer(0.1, os.write, (3, b"\\x92\\x03\\xa1x")).start()
    """)
    died = world.ended(cell)
    assert (died.cause, died.detail) == ("protocol", "Progress is out of turn: the strategy is idle")


def test_when_the_supervisor_closes_its_end_everything_is_gone(world: World):
    cell = world.running("pass")
    warden, strategy = os.dup(cell.handle.warden_pidfd), os.dup(cell.handle.strategy_pidfd)
    cell.handle.close()
    assert gone(strategy, 5.0)
    assert gone(warden, 5.0)
    os.close(warden)
    os.close(strategy)


def test_a_warden_that_dies_takes_its_strategy_along(world: World):
    cell = world.running("pass")
    os.kill(cell.handle.warden_pid, signal.SIGKILL)
    assert gone(cell.handle.strategy_pidfd, 5.0)
    world.until(lambda: cell.warden_code is not None, "the zygote's word")
    assert cell.warden_code == -signal.SIGKILL


def test_a_generation_does_not_take_the_commands_of_another(world: World):
    cell = world.running(BUYER, generation=4)
    world.engine.command("cell-0", 3, Stop("for the dead"))
    world.engine.ticks("EURUSD", 1.0)
    world.until(world.engine.signals, "a signal")
    assert cell.died is None


def quick(**hard: float):
    from sandbox.spec import Budget, Budgets

    return Budgets(**{name: Budget(0.1, seconds) for name, seconds in hard.items()})
