"""Do two journals tell the same story, and does one agree with itself? Pure: rows in, sentences out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bus.messages import Fill, Position

Row = Mapping[str, Any]
PASSED = ("accepted", "modified")
CLOSE = 1e-9
"""What rounding may leave between a sum of fills and a position."""


class Line(NamedTuple):
    """What has to be the same of an accepted signal in two runs: what a strategy decided, and its size."""

    key: str
    symbol: str
    intent: str
    quantity: float | None
    timeframe: str
    data_as_of: int

    def __str__(self) -> str:
        return f"{self.intent} {self.quantity} on {self.timeframe} of {self.data_as_of} ({self.key[:8]})"


Story = dict[tuple[str, str], list[Line]]
"""Accepted signals by deployment and symbol, in the order of the journal."""


def story(rows: Iterable[Row], compared: Collection[str], until: Mapping[str, int]) -> Story:
    """Return the accepted signals of the ``compared`` deployments that rest on data up to ``until`` (ns).

    What is later was made by timers after the last tick of its symbol, however long that was waited for.
    """
    found: Story = defaultdict(list)
    for row in rows:
        who = (row["deployment_id"], row["symbol"])
        if row["verdict"] in PASSED and who[0] in compared and row["data_as_of"] <= until[who[1]]:
            found[who].append(
                Line(
                    row["idempotency_key"], row["symbol"], row["intent"], row["quantity"],
                    row["timeframe"], row["data_as_of"],
                )
            )  # fmt: skip
    return dict(found)


def differences(expected: Story, got: Story) -> list[str]:
    """Return what differs, a sentence each: lost, never expected, different, in another order."""
    told: list[str] = []
    for who in sorted(expected.keys() | got.keys()):
        wanted, found = expected.get(who, []), got.get(who, [])
        if wanted == found:
            continue
        name = f"{who[0]} {who[1]}"
        by_key = {line.key: line for line in found}
        known = {line.key for line in wanted}
        for line in wanted:
            other = by_key.get(line.key)
            if other is None:
                told.append(f"{name}: lost {line}")
            elif other != line:
                told.append(f"{name}: different: expected {line}, found {other}")
        told += [f"{name}: never expected {line}" for line in found if line.key not in known]
        common = [line.key for line in wanted if line.key in by_key]
        if common != [line.key for line in found if line.key in known]:
            told.append(f"{name}: in another order")
    return told


def refused(rows: Iterable[Row], compared: Collection[str], until: Mapping[str, int]) -> list[str]:
    """Return what the ``compared`` asked for in vain: a rule took it, it was not lost on the way."""
    times = Counter(
        (row["deployment_id"], row["symbol"], row["rule"])
        for row in rows
        if row["verdict"] in {"rejected", "expired"} and row["deployment_id"] in compared
        and row["data_as_of"] <= until[row["symbol"]]
    )  # fmt: skip
    return [f"{name} {symbol}: {n} refused by {rule}" for (name, symbol, rule), n in sorted(times.items())]


def repeated(rows: Iterable[Row]) -> list[str]:
    """Return which keys were accepted more than once."""
    keys = Counter(row["idempotency_key"] for row in rows if row["verdict"] in PASSED)
    return [f"key {key[:16]} was accepted {times} times" for key, times in keys.items() if times > 1]


def overtaken(rows: Iterable[Row]) -> list[str]:
    """Return where an older instance was heard after a younger one: generations never go back."""
    told, newest = [], Counter[str]()
    for row in rows:
        name, generation = row["deployment_id"], row["generation"]
        if row["verdict"] in PASSED and generation is not None:
            if generation < newest[name]:
                told.append(f"{name}: generation {generation} after {newest[name]}, record {row['seq']}")
            newest[name] = max(newest[name], generation)
    return told


def unbalanced(rows: Iterable[Row], fills: Sequence[Fill], positions: Iterable[Position]) -> list[str]:
    """Return where orders, fills and positions do not agree: no fill twice, none without an order."""
    told = []
    accepted = {row["signal_id"]: row for row in rows if row["verdict"] in PASSED}
    times = Counter(fill.signal_id for fill in fills)
    told += [f"signal {one} was filled {n} times" for one, n in times.items() if n > 1]
    for fill in fills:
        row = accepted.get(fill.signal_id)
        if row is None:
            told.append(f"fill {fill.fill_id} of {fill.deployment_id} has no accepted signal")
        elif row["intent"].startswith("enter") and abs(row["quantity"] - fill.quantity) > CLOSE:
            told.append(f"{fill.deployment_id}: {row['quantity']:g} was asked for, {fill.quantity:g} filled")
    held: Counter[tuple[str, str]] = Counter()
    for fill in fills:
        held[fill.deployment_id, fill.symbol] += fill.quantity  # type: ignore[assignment]  # floats count too
    for position in positions:
        total = held.pop((position.deployment_id, position.symbol), 0)
        if abs(total - position.quantity) > CLOSE * max(1.0, abs(total)):
            told.append(
                f"{position.deployment_id} {position.symbol}: the fills make {total:g}, "
                f"the position is {position.quantity:g}"
            )
    told += [f"{name} {symbol}: fills and no position" for name, symbol in held]
    return told
