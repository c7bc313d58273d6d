"""The interface itself: what counts as a strategy, and how light it is to import."""

from __future__ import annotations

import inspect
import subprocess
import sys
from types import ModuleType

import pytest

import strategies
from strategies import BaseStrategy, IStrategy
from strategies.api import find_strategy_class
from strategies.errors import NoStrategyClass
from tests.strategies.market import Quiet

ALLOWED = {"bus", "strategies", "numpy", "msgspec", "msgpack"}
THEIRS = {"cython_runtime", "typing_extensions"}  # what those bring along, small


def module(**members: type) -> ModuleType:
    made = ModuleType("user_code")
    for name, member in members.items():
        if member.__module__ == __name__:
            member.__module__ = "user_code"
        setattr(made, name, member)
    return made


def made(name: str, *bases: type) -> type:
    return type(name, bases, {"__module__": "user_code"})


def test_the_one_class_of_a_module_is_found_imported_ones_do_not_count():
    mine = made("Mine", Quiet)
    assert find_strategy_class(module(Mine=mine, Quiet=Quiet, IStrategy=IStrategy)) is mine


def test_of_several_the_named_one_is_taken_and_without_a_name_none():
    one, two = made("One", Quiet), made("Two", Quiet)
    assert find_strategy_class(module(One=one, Two=two), "Two") is two
    with pytest.raises(
        NoStrategyClass, match=r'several strategies are defined here \(One, Two\): name one as "class"'
    ):
        find_strategy_class(module(One=one, Two=two))


def test_an_abstract_base_of_ones_own_does_not_count():
    base = made("Base", IStrategy)
    mine = type("Mine", (base, Quiet), {"__module__": "user_code"})
    assert find_strategy_class(module(Base=base, Mine=mine)) is mine


@pytest.mark.parametrize(
    ("members", "name", "message"),
    [
        ({}, None, "no class here derives from strategies.IStrategy"),
        ({"A": made("A", IStrategy)}, None, "class A does not define initialize, on_candle_complete"),
        ({"A": made("A", IStrategy)}, "A", "class A does not define initialize, on_candle_complete"),
        ({"A": made("A", Quiet)}, "B", "config.json names class 'B'; strategies defined here: A"),
    ],
)
def test_a_module_without_a_usable_class_is_told_why(members, name, message):
    with pytest.raises(NoStrategyClass, match=message):
        find_strategy_class(module(**members), name)


class Odd(Quiet):
    def on_tick(self, tick, data): ...
    def on_timer(self, *args): ...
    def on_fill(self, fill, position=None, more=None): ...
    def on_stop(self, *, reason): ...

    @staticmethod
    def on_pause(reason): ...

    def own(self, anything, at, will): ...


def test_a_method_that_cannot_be_called_as_it_will_be_is_told_at_load():
    with pytest.raises(NoStrategyClass) as failed:
        find_strategy_class(module(Odd=Odd))
    assert str(failed.value) == (
        "Odd.on_tick takes (self, tick, data), but is called with (self, data); "
        "Odd.on_stop takes (self), but is called with (self, reason)"
    )


def test_the_four_methods_have_their_exact_names_and_parameters():
    assert BaseStrategy is IStrategy
    signatures = {
        name: list(inspect.signature(getattr(IStrategy, name)).parameters)
        for name in ("initialize", "on_tick", "on_candle_complete", "cleanup")
    }
    assert signatures == {
        "initialize": ["self", "config"],
        "on_tick": ["self", "data"],
        "on_candle_complete": ["self", "timeframe", "candle", "data"],
        "cleanup": ["self"],
    }
    assert IStrategy.__abstractmethods__ == {"initialize", "on_candle_complete"}


def test_every_optional_method_has_a_default_that_does_nothing():
    strategy = Quiet()
    nothing = {name for name in vars(IStrategy) if name.startswith("on_")} - {
        "on_candle_complete",
        "on_command",
    }
    for name in nothing - {"on_warmup_candle"}:
        arguments = [None] * (len(inspect.signature(getattr(strategy, name)).parameters))
        assert getattr(strategy, name)(*arguments) is None
    assert (strategy.save_state(), strategy.inspect()) == ({}, {})
    with pytest.raises(NotImplementedError, match="Quiet takes no command 'dance'"):
        strategy.on_command("dance", None)


def test_everything_that_is_offered_is_there():
    assert all(hasattr(strategies, name) for name in strategies.__all__)


def test_a_strategy_process_loads_nothing_heavy_and_nothing_of_the_daemon():
    code = (
        "import sys; before = set(sys.modules)\n"
        "import strategies, strategies.host, strategies.moving_average_crossover.strategy\n"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    ours = {name for name in loaded if name not in sys.stdlib_module_names and not name.startswith("_")}
    assert ours - THEIRS == ALLOWED
    assert loaded.isdisjoint({"asyncio", "socket", "multiprocessing", "sqlite3", "zmq", "pydantic", "psutil"})
