"""Interleaved rounds, medians, ratios: what every benchmark here prints and keeps.

A figure of one machine says little, so nothing here prints one without its yardstick from the same run.
Values are kept as ``pyperf`` benchmarks (``--output FILE``), for ``python -m pyperf stats|compare_to``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median

import msgspec
import pyperf


class Figure(msgspec.Struct, frozen=True):
    """One line of the table: a median with the spread of its rounds, and what is wanted of it.

    ``unit`` is ``x`` for a ratio. ``wanted`` is a relation and a limit (``>= 15``), "" where the figure is
    for information.
    """

    label: str
    value: float
    low: float
    high: float
    unit: str = "x"
    wanted: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median is as wanted; None where nothing is wanted."""
        relation, _, limit = self.wanted.partition(" ")
        return {
            ">=": lambda: self.value >= float(limit),
            "<=": lambda: self.value <= float(limit),
            "<": lambda: self.value < float(limit),
            "": lambda: None,
        }[relation]()

    def __str__(self) -> str:
        spread = f"({_digits(self.low)}-{_digits(self.high)})"
        said = {None: "", True: "met", False: "MISSED"}[self.met]
        return f"{self.label:60} {_digits(self.value):>8} {self.unit:4} {spread:17} {self.wanted:8} {said}"


HEAD = f"{'':60} {'median':>8} {'':4} {'(spread)':17} {'wanted':8}"


def _digits(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}" if value < 10 else f"{value:.1f}"


def ratio(label: str, ours: Sequence[float], yardstick: Sequence[float], wanted: str = "") -> Figure:
    """Return the median of ours over the median of the yardstick, with the spread over the rounds."""
    ratios = [a / b for a, b in zip(ours, yardstick, strict=True)]
    return Figure(label, median(ours) / median(yardstick), min(ratios), max(ratios), "x", wanted)


def amount(label: str, values: Sequence[float], unit: str, wanted: str = "") -> Figure:
    """Return a figure that has its yardstick in its unit: a share of a core, bytes against a limit."""
    return Figure(label, median(values), min(values), max(values), unit, wanted)


def arguments(description: str, rounds: int, quick: int) -> argparse.Namespace:
    """Parse what every benchmark takes: ``rounds`` by default, ``quick`` of them with ``--quick``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, help=f"interleaved rounds ({rounds}, {quick} if quick)")
    parser.add_argument("--quick", action="store_true", help="less of everything: a look, no measurement")
    parser.add_argument("--output", type=Path, help="keep the values as pyperf JSON")
    parser.add_argument("--figures", type=Path, help="keep the figures as JSON")
    options = parser.parse_args()
    options.rounds = options.rounds or (quick if options.quick else rounds)
    return options


def interleave(cases: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Run every case once a round, ``rounds`` times, so that a noisy minute hits all of them."""
    values: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds):
        for name, case in cases.items():
            say(f"round {number + 1} of {rounds}: {name}")
            values[name].append(case())
    say("")
    return values


def say(doing: str) -> None:
    """Show what is being done, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{doing}")
        sys.stderr.flush()


def report(
    options: argparse.Namespace, figures: Iterable[Figure], values: dict[str, list[float]], unit: str
) -> None:
    """Print the figures; keep them, and the values behind them, if asked. ``unit`` is one of pyperf's."""
    figures = list(figures)
    print(HEAD, *figures, sep="\n", flush=True)
    if options.figures:
        options.figures.write_bytes(msgspec.json.encode(figures))
    if options.output:
        suite = [
            pyperf.Benchmark(
                [
                    pyperf.Run([value], metadata={"name": name, "unit": unit}, collect_metadata=False)
                    for value in measured
                ]
            )
            for name, measured in values.items()
        ]
        pyperf.BenchmarkSuite(suite).dump(str(options.output), replace=True)
