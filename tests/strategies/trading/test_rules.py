import re
from pathlib import Path

import pytest

from strategies.trading.latches import LATCH_KINDS
from strategies.trading.limits import Limits
from strategies.trading.rules import RULES

PAGE = (Path(__file__).parents[3] / "docs" / "signals.md").read_text("utf-8")
ROWS = re.findall(r"^\| \| `(\w+)` \| (.*?)(?: \(`(\w+)`\))? \|$", PAGE, flags=re.MULTILINE)


def test_the_page_has_every_rule_in_the_order_in_which_they_are_asked():
    refusing = sorted((r for r in RULES if RULES[r].decision != "modified"), key=lambda r: RULES[r].step)
    changing = [rule for rule, each in RULES.items() if each.decision == "modified"]
    assert [rule for rule, _, _ in ROWS] == refusing + changing


@pytest.mark.parametrize(("rule", "because", "decision"), ROWS)
def test_the_page_says_why_as_the_rule_does(rule, because, decision):
    usual = "modified" if RULES[rule].decision == "modified" else "rejected"
    assert (because, decision or usual) == (RULES[rule].because, RULES[rule].decision)


@pytest.mark.parametrize("limit", [*Limits.__struct_fields__, *LATCH_KINDS])
def test_the_page_has_every_limit_and_every_latch(limit):
    assert limit in {"protect", "unheld", "invalid"} or f"`{limit}`" in PAGE


def test_steps_are_those_of_the_specification_but_the_last():
    assert {rule.step for rule in RULES.values()} == set(range(1, 12))
