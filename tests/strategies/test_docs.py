"""The page for authors: its code runs, its config is sound, its names exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

from strategies import Context, IStrategy
from strategies.indicators import INDICATORS
from strategies.kinds import KINDS
from strategies.manifest import TYPES
from strategies.plugins import Found, inspect

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "strategies.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_python_of_the_page_runs_from_top_to_bottom():
    namespace = {"__name__": "docs_strategies"}
    for block in blocks("python"):
        exec(compile(block, "docs/strategies.md", "exec"), namespace)  # noqa: S102 (our own page)
    assert [signal.symbol for signal in namespace["signals"]] == ["TEST"]


def test_the_config_of_the_page_is_sound(tmp_path):
    [config] = blocks("json")
    (tmp_path / "config.json").write_text(config)
    (tmp_path / "strategy.py").write_text("")
    found = inspect(tmp_path)
    assert isinstance(found, Found), found
    assert found.schema.effective({}) == {"lookback": 20, "exit_after": None}
    assert json.loads(config)["name"] == found.name


def test_every_callback_is_on_the_page():
    callbacks = {
        name for name, value in vars(IStrategy).items() if callable(value) and not name.startswith("_")
    }
    assert {name for name in callbacks if name not in PAGE} == set()


def test_every_type_kind_and_indicator_is_on_the_page():
    assert [word for word in (*TYPES, *KINDS, *INDICATORS) if word not in PAGE] == []


def test_everything_public_of_the_context_is_on_the_page():
    own = {"snapshot", "restore", "looking", "feed_indicators"}  # the host's
    public = {name for name in vars(Context) if not name.startswith("_")} - own
    assert {name for name in public if f"ctx.{name}" not in PAGE} == set()
