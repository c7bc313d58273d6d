"""docs/paper.md names every model, and what it shows can be read."""

import re
from pathlib import Path
from typing import get_args

import pytest

from bus.messages import OrderType, TimeInForce
from strategies.trading.instruments import parse
from strategies.trading.terms import Commission, Slippage, Terms

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "paper.md").read_text("utf-8")


def table(head):
    """Return the cells of the table whose first column is headed ``head``, without the head."""
    rows = PAGE[PAGE.index(f"| {head} |") :].split("\n\n")[0].splitlines()[2:]
    return {cells[1].strip(): " ".join(cells[2:]) for cells in (row.split("|") for row in rows)}


@pytest.mark.parametrize(("head", "models"), [("commission", Commission), ("slippage", Slippage)])
def test_every_model_has_its_row_with_every_field(head, models):
    rows = table(head)
    assert [f"`{model.__struct_config__.tag}`" for model in get_args(models)] == list(rows)
    for model in get_args(models):
        for field in model.__struct_fields__:
            assert re.search(rf"[`{{* ]{field}\b", rows[f"`{model.__struct_config__.tag}`"]), field


def test_every_type_of_order_and_time_in_force_has_its_row():
    assert {f"`{kind}`" for kind in get_args(OrderType)} == set(table("type"))
    named = {word for cell in table("time in force") for word in re.findall(r"`(\w+)`", cell)}
    assert set(get_args(TimeInForce)) == named


def test_every_term_is_told():
    for field in set(Terms.__struct_fields__) - {"commission", "slippage", "latency"}:
        assert f"`{field}`" in PAGE


def test_the_instruments_shown_can_be_read():
    read = parse(PAGE.split("```toml\n")[1].split("```")[0])
    assert () == read.problems
    assert ("ESZ6", 50.0, "EUR") == (
        read.of("ES").at("ib"),
        read.of("ES").multiplier,
        read.of("EUR/USD").base,
    )
