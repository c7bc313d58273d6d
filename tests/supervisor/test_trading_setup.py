"""The instruments file: read as a whole, a slip changes nothing that was good and is told of once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from supervisor.account_limits import AccountLimits
from supervisor.store import trading_file
from supervisor.trading_control import TradingSpec
from supervisor.trading_setup import LARGEST, TradingSetup
from tests.waiting import turn

GOOD = '["EURUSD"]\ntick_size = 0.5\n'


class Setup:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "instruments.toml"
        self.noted: list[str] = []
        self.problems: dict[str, str] = {}
        events: Any = SimpleNamespace(note=lambda _kind, detail: self.noted.append(detail))
        limits = AccountLimits(folder, events, turn)
        self.setup = TradingSetup(folder, events, self.problems, limits)
        self.settings: Any = SimpleNamespace(
            instruments=SimpleNamespace(file=self.file),
            trading_spec=lambda known: TradingSpec(instruments=known),
        )

    def read(self, text: str | None) -> str:
        """Let the file hold ``text`` (None: be absent) and read it; return the digest."""
        if text is None:
            self.file.unlink(missing_ok=True)
        else:
            self.file.write_text(text)
        return asyncio.run(self.setup.bring_up(self.settings))


@pytest.fixture
def one(tmp_path: Path) -> Setup:
    return Setup(tmp_path)


def test_a_good_file_is_written_for_the_engine_under_another_digest_each_time_it_changes(one):
    first, again, other = one.read(GOOD), one.read(GOOD), one.read(GOOD.replace("0.5", "0.25"))
    assert first == again != other
    assert "" not in (first, other)
    assert ({}, []) == (one.problems, one.noted)
    assert (one.file.parent / trading_file.NAME).exists()


@pytest.mark.parametrize(
    "wrong", [None, '["EURUSD"\ntick', "\udcff", '["EURUSD"]\ntick_size = -1\n', "x" * (LARGEST + 1)]
)
def test_a_slip_changes_nothing_and_is_told_of_once(one, wrong):
    before = one.read(GOOD)
    if wrong == "\udcff":
        one.file.write_bytes(b"\xff\xfe")
        after = [asyncio.run(one.setup.bring_up(one.settings)) for _ in range(2)]
    else:
        after = [one.read(wrong) for _ in range(2)]
    if wrong is None or "tick_size" not in wrong:
        assert [before, before] == after
    assert 1 == len(one.noted), one.noted
    assert one.noted[0] in one.problems["instruments"]
    assert before == one.read(GOOD)
    assert {} == one.problems


def test_a_file_that_is_being_written_is_read_once_it_stays_as_it_is(one):
    def differs() -> bool:
        return asyncio.run(one.setup.differs(one.file))

    one.read(GOOD)
    assert [False, False] == [differs(), differs()]
    one.file.write_text("")  # opened for writing
    assert not differs()
    one.file.write_text(GOOD + GOOD.replace("EUR", "GBP"))
    assert [False, True, True] == [differs(), differs(), differs()]
    asyncio.run(one.setup.bring_up(one.settings))
    assert not differs()


def test_a_state_directory_that_takes_nothing_is_told_of(one):
    (one.file.parent / trading_file.NAME).mkdir()
    assert "" == one.read(GOOD)
    assert "cannot be written" in one.problems["instruments"]
