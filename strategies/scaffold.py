"""``stratd new NAME``: a strategy folder that works, with a test that passes, to change from there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from strategies import manifest, plugins
from strategies.errors import StrategyError

STRATEGY = """\
from strategies import Candle, IStrategy, MultiTimeframeData, Signal, StrategyConfig


class {class_name}(IStrategy):
    def initialize(self, config: StrategyConfig) -> None:
        self.lookback = config.parameters["lookback"]

    def on_candle_complete(self, timeframe: str, candle: Candle, data: MultiTimeframeData) -> Signal | None:
        closes = data.history(timeframe, self.lookback)["close"]
        if len(closes) == self.lookback and candle.close >= closes.max():
            return Signal(symbol=candle.symbol, intent="enter_long", quantity=1, reason="new high")
        return None
"""

TEST = '''\
"""Run with: pytest {folder}"""

from pathlib import Path

from strategies.testing import Bench


def bench() -> Bench:
    return Bench.of(Path(__file__).parent, symbols=["TEST"], timeframes=["1m"], parameters={{"lookback": 3}})


def test_buys_a_new_high():
    assert [signal.intent for signal in bench().candles("1m", [100, 99, 98, 101])] == ["enter_long"]


def test_does_nothing_while_prices_fall():
    assert bench().candles("1m", [100, 99, 98, 97]) == []
'''


def config(name: str, kind: str = "custom") -> dict[str, Any]:
    """Return the config.json of a new strategy of type ``kind``."""
    return {
        "name": name,
        "version": "0.1.0",
        "type": kind,
        "description": "Buys a new high of the last candles.",
        "parameters": [
            {
                "name": "lookback",
                "type": "integer",
                "default": 20,
                "min": 2,
                "max": 500,
                "unit": "candles",
                "description": "How many closes a new high must beat",
            }
        ],
        "warmup": 500,
    }


def contents(name: str, kind: str = "custom") -> dict[str, str]:
    """Return the texts of a new strategy's files, by their names. ``StrategyError`` for a bad name."""
    if manifest.NAME.fullmatch(name) is None:
        raise StrategyError(
            f"{name!r} is no name for a strategy: letters, digits and _ . -, at most 64, "
            "starting with a letter or digit"
        )
    return {
        plugins.CONFIG: json.dumps(config(name, kind), indent=2) + "\n",
        plugins.CODE: STRATEGY.format(class_name=class_name(name)),
        "test_strategy.py": TEST.format(folder=name),
    }


def create(path: str | Path, name: str) -> list[Path]:
    """Write a new strategy into the folder ``path/name`` and return its files; overwrite nothing."""
    files = contents(name)
    folder = Path(path) / name
    try:
        folder.mkdir(parents=True)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
    except FileExistsError:
        raise StrategyError(f"{folder} exists already: choose another name, or remove it") from None
    except OSError as error:
        raise StrategyError(f"{error.filename or folder} cannot be written: {error.strerror}") from None
    return [folder / file for file in files]


def class_name(name: str) -> str:
    """Return the name of the class: ``mean-reversion_2`` gives ``MeanReversion2``."""
    words = "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", name))
    return words if words[:1].isalpha() else f"Strategy{words}"
