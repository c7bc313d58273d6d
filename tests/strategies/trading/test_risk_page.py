"""What docs/risk.md says by example is so."""

import re
from pathlib import Path

from bus.messages import Level, Trail
from strategies.config import RiskConfig
from strategies.trading.protection import Protection
from strategies.trading.watch import watch
from tests.strategies.trading.protection_world import T0, Holding, guard
from tests.strategies.trading.trading_world import running_core, signal, verdicts

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "risk.md").read_text("utf-8")


def rows(heading):
    """Return the cells of each row of the tables below ``heading``, the heads left out."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in lines if "---" not in line[0]]


def test_the_signal_of_the_page_is_accepted():
    [block] = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    named = {}
    exec(compile(block, "docs/risk.md", "exec"), named)  # noqa: S102 - it is our own page
    asked = named["entry"]
    fields = {name: getattr(asked, name) for name in asked.__struct_fields__}
    stamped = signal(asked.intent, symbol="X", **{n: fields[n] for n in (
        "quantity", "stop_loss", "take_profit", "trailing_stop", "time_stop_s", "indicators"
    )})  # fmt: skip
    assert ["accepted"] == verdicts(running_core().on_signals("d", 1, [stamped], T0))


def test_the_limits_of_the_page_are_limits():
    names = {name for row in rows("Asking for them") for name in re.findall(r"`(\w+)`", row[0])}
    limits = {name for name in names if name not in {"pct", "price", "ticks", "atr"}}
    assert len(limits) == 6
    assert limits <= set(RiskConfig.__struct_fields__)


def test_the_first_example_of_the_page_goes_as_it_says():
    made = guard(1, 50.0, stop_loss=Level("pct", 2.0), trailing_stop=Trail("pct", 1.5, 1.0))
    assert made.stop == 49.0
    table = [row for row in rows("Three examples") if row[0] != "bid"]
    for bid, best, stands, said in table:
        made, role = watch(made, float(bid), T0)
        assert made.peak == float(best)
        assert made.trail_stop == (float(stands) if stands else None)
        assert ("closed" in said) == (role == "trailing_stop")
    assert role == "trailing_stop"


def test_the_second_example_of_the_page_goes_as_it_says():
    for price, entry, stop in ((54.0, 52.0, 50.96), (49.4, 49.7, 49.0)):
        holding = Holding()
        holding.fill(100.0, 50.0, Protection(stop_loss=Level("pct", 2.0)))
        assert holding.fill(100.0, price).entry == entry
        assert holding.guard.stop == stop
