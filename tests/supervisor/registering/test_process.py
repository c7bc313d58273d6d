"""The process that tries code, with real cells: what it says is wrong, and on which line."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.confine.survey import Survey
from strategies.plugins import Found, inspect
from supervisor.registering import process
from supervisor.registering.job import Job, Log, Step
from supervisor.registering.smoke import recording
from supervisor.survey import take
from supervisor.trial import Lab

pytestmark = pytest.mark.system
HEAD = "from strategies import IStrategy, Signal\n\nclass Mine(IStrategy):\n"
INITIALIZE = "    def initialize(self, config):\n        {}\n"
CANDLE = "    def on_candle_complete(self, timeframe, candle, data):\n        {}\n"
SOUND = HEAD + INITIALIZE.format("pass") + CANDLE.format("return None")
WRONG = {
    "null byte": ("x = 1\nb = '\0'\n", "decoding", 2, "null byte"),
    "other encoding": ("x = '\xe9'\n".encode("latin-1"), "decoding", 1, "0xe9, which is not UTF-8"),
    "syntax": ("x = 1\nclass Mine(IStrategy:\n", "syntax", 2, "class Mine(IStrategy:"),
    "compiler": ("x = 1\nreturn x\n", "syntax", 2, "'return' outside function"),
    "parentheses": ("x = " + "(" * 5000 + ")" * 5000, "syntax", 1, "too many nested parentheses"),
    "unary chain": ("x = " + "-" * 100_000 + "1", "syntax", 0, "nested too deeply"),
    "attributes": ("x = a" + ".b" * 100_000, "syntax", 0, "nested too deeply"),
    "huge number": ("x = " + "9" * 500_000, "syntax", 1, "limit (4300 digits)"),
    "no class": ("x = 1\n", "strategy class", 0, "no class that derives from IStrategy"),
    "never imported": ("class Mine(BaseStrategy):\n    pass\n", "strategy class", 1, "begin with 'from"),
    "two classes": (SOUND + SOUND.replace("Mine", "Yours"), "strategy class", 10, "Mine (line 3), Yours"),
    "import": ("import nothing_like_it\n" + SOUND, "import", 1, "No module named 'nothing_like_it'"),
    "leaves": (SOUND + "import os\nos._exit(0)\n", "import", 0, "exit code 0"),
    "crash": (SOUND + "import ctypes\nctypes.string_at(0)\n", "import", 9, "SIGSEGV"),
    "memory": (SOUND + "x = bytearray(10**11)\n", "import", 0, "oom"),
    "initialize": (SOUND.replace("pass", "raise ValueError('no way')"), "initialize", 5, "no way"),
    "callback": (SOUND.replace("return None", "return 1 / 0"), "smoke run", 7, "ZeroDivisionError"),
}  # fmt: skip
"""Code, the step that it fails at, the line that is named, and a piece of what is said."""


@pytest.fixture(scope="module")
def survey() -> Survey:
    return take()


@pytest.fixture(scope="module")
def lab(survey: Survey) -> Iterator[Lab]:
    """One zygote for all of them."""
    with _folder() as made, Lab(made, survey) as lab:
        yield lab


@pytest.fixture
def folder() -> Iterator[Path]:
    with _folder() as made:
        yield made


@contextmanager
def _folder() -> Iterator[Path]:
    # Not pytest's tmp_path: the path of a Unix socket holds 107 bytes.
    with tempfile.TemporaryDirectory(prefix="stratd-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


def tried(code: str | bytes, folder: Path, lab: Lab, survey: Survey) -> tuple[list[Step], list[str]]:
    path = folder / "mine.py"
    path.write_bytes(code if isinstance(code, bytes) else code.encode())
    path.chmod(0o644)
    plugin = inspect(path)
    assert isinstance(plugin, Found)
    job = Job(path=str(path), values={}, survey=survey, trusted=True)
    found = list(process.tried(lab, job, plugin, folder))
    steps = [one for one in found if isinstance(one, Step)]
    return steps, [line for one in found if isinstance(one, Log) for line in one.lines]


def test_sound_code_passes_every_step_and_what_it_wrote_is_told(folder, lab, survey):
    steps, log = tried(SOUND.replace("pass", "print('hello')"), folder, lab, survey)
    names = ["decoding", "syntax", "strategy class", "import", "initialize", "smoke run"]
    assert [(step.name, step.ok) for step in steps] == [(name, True) for name in names]
    assert steps[2].detail == "Mine"
    assert "960 ticks" in steps[-1].detail
    assert log == ["hello"]


def test_the_alias_is_a_strategy_too(folder, lab, survey):
    steps, _ = tried(SOUND.replace("IStrategy", "BaseStrategy"), folder, lab, survey)
    assert steps[-1].name == "smoke run"
    assert all(step.ok for step in steps)


def test_signals_on_the_recording_are_counted(folder, lab, survey):
    buy = "return Signal(symbol=candle.symbol, intent='enter_long', quantity=1)"
    steps, _ = tried(SOUND.replace("return None", buy), folder, lab, survey)
    ticks, candles, signals = steps[-1].detail.split(", ")
    assert ticks == "960 ticks"
    assert candles.removesuffix(" times a candle closed") == signals.removesuffix(" signals")


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_with_its_line(name, folder, lab, survey):
    code, step, line, said = WRONG[name]
    steps, _ = tried(code, folder, lab, survey)
    assert (steps[-1].name, steps[-1].ok, steps[-1].line) == (step, False, line)
    assert said in steps[-1].detail
    assert all(one.ok for one in steps[:-1])


def test_a_recording_is_the_same_every_time_and_bounded():
    assert recording(["EURUSD"], ["1m", "1h"]) == recording(["EURUSD"], ["1m", "1h"])
    for frames in (["1s", "1M"], ["1d"], ["1m", "1d"]):
        made = recording([f"S{number}" for number in range(50)], frames)
        assert 500 < len(made) < 15_000
        assert len({topic for topic, _ in made}) == 6
