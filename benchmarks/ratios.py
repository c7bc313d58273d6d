"""Interleaved rounds, medians, ratios: what every benchmark here prints and keeps.

A figure of one machine says little, so nothing here prints one without its yardstick from the same run.
Values are kept as ``pyperf`` benchmarks (``--output FILE``), for ``python -m pyperf stats|compare_to``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import pyperf


def arguments(description: str, rounds: int) -> argparse.Namespace:
    """Parse what every benchmark takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=rounds, help="interleaved rounds (%(default)s)")
    parser.add_argument("--output", type=Path, help="keep the values as pyperf JSON")
    return parser.parse_args()


def interleave(cases: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Run every case once a round, ``rounds`` times, so that a noisy minute hits all of them."""
    values: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds):
        for name, case in cases.items():
            values[name].append(case())
            print(name, number, f"{values[name][-1]:.6g}", file=sys.stderr)
            sys.stderr.flush()
    sys.stderr.write("\r" + " " * 60 + "\r")
    return values


def ratio_line(label: str, ours: Sequence[float], yardstick: Sequence[float], wanted: str) -> str:
    """Return one line: median of ours over median of the yardstick, with the spread over the rounds."""
    ratios = [a / b for a, b in zip(ours, yardstick, strict=True)]
    middle = median(ours) / median(yardstick)
    return f"{label:58} {middle:7.2f}x   ({min(ratios):.2f}-{max(ratios):.2f})   wanted {wanted}"


def keep(path: Path | None, values: dict[str, list[float]], unit: str) -> None:
    """Write the values as a pyperf suite, if asked."""
    if path is None:
        return
    suite = [
        pyperf.Benchmark(
            [
                pyperf.Run([value], metadata={"name": name, "unit": unit}, collect_metadata=False)
                for value in measured
            ]
        )
        for name, measured in values.items()
    ]
    pyperf.BenchmarkSuite(suite).dump(str(path), replace=True)
