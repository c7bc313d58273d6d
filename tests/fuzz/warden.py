"""Fuzz what hears a strategy, and what hears its warden: ``python -m tests.fuzz.warden --inputs N --seed S``.

Structured mutation of valid datagrams (``mutation``), in batches that repeat from their seed alone; who hears
them is the same from the first to the last. What is checked: no exception but the declared one, and no
growth. ``--atheris`` drives the warden's side by coverage
instead, where atheris is installed (it is no dependency of this project).
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from bus import messages
from sandbox import births, channel, protocol, spec
from sandbox.handle import CellHandle
from tests.fuzz import corpus
from tests.fuzz.cell import Ear
from tests.fuzz.mutation import Mutator

BATCH = 10_000
"""Inputs from one seed; memory is looked at after each."""

Hear = Callable[[bytes], bool]


class Crash(Exception):
    """An input raised what is not declared; the text repeats it."""


class Result(NamedTuple):
    """``taken`` of ``inputs`` were valid; ``growth`` bytes resident between the first batch and the last."""

    inputs: int
    taken: int
    growth: int
    seconds: float


# ---- who hears ------------------------------------------------------------------------------------
def warden() -> Iterator[Hear]:
    """A warden, of its strategy: seven turns in eight, else loading."""
    ear = Ear()
    heard = 0

    def hear(data: bytes) -> bool:
        nonlocal heard
        heard += 1
        return ear.hear(data, loading=heard % 8 == 0)

    try:
        yield hear
    finally:
        ear.close()


def supervisor() -> Iterator[Hear]:
    """The supervisor, of a warden: what is no report ends the cell, and nothing else."""
    granted = _granted()

    def hear(data: bytes) -> bool:
        ours, theirs = channel.pair()
        ours.setblocking(False)
        handle = CellHandle(granted, ours, 0, own_tasks=False)
        try:
            theirs.send(data or b"\x00")
            (report,) = handle.receive()
            assert isinstance(report, spec.WardenReport)
            return not handle.gone
        finally:
            theirs.close()
            handle.close()

    yield hear


def engine() -> Iterator[Hear]:
    """The engine, of a warden: ``supervisor.engine.loop`` tells of one of ``DECODE_ERRORS`` and drops it."""
    yield _decoder(msgspec.msgpack.Decoder(messages.CellReport).decode)


def zygote() -> Iterator[Hear]:
    """The supervisor, of the zygote."""
    yield _decoder(births.decode_report)


def _decoder(decode: Callable[[bytes], object]) -> Hear:
    def hear(data: bytes) -> bool:
        try:
            decode(data)
        except messages.DECODE_ERRORS:
            return False
        return True

    return hear


class Target(NamedTuple):
    """``make`` yields who hears, ``corpus`` is what it may be told, ``share`` of the inputs go there."""

    make: Callable[[], Iterator[Hear]]
    corpus: Sequence[msgspec.Struct]
    share: float


TARGETS = {
    "warden": Target(warden, corpus.WORDS, 0.7),
    "supervisor": Target(supervisor, corpus.WARDEN_REPORTS, 0.1),
    "engine": Target(engine, corpus.CELL_REPORTS, 0.15),
    "zygote": Target(zygote, corpus.ZYGOTE_REPORTS, 0.05),
}


# ---- running --------------------------------------------------------------------------------------
def run(name: str, inputs: int, seed: int) -> Result:
    """Feed ``inputs`` mutated messages to a target. ``Crash`` at the first that raises what it may not."""
    target = TARGETS[name]
    encoded = [protocol.encode(message) for message in target.corpus]
    making = target.make()
    try:
        return _run(next(making), encoded, inputs, f"{name}:{seed}")
    finally:
        making.close()  # type: ignore[attr-defined] # a generator


def _run(hear: Hear, encoded: list[bytes], inputs: int, seed: str) -> Result:
    began, done, taken, first = time.monotonic(), 0, 0, None
    while done < inputs:
        batch = f"{seed}:{done // BATCH}"
        count = min(BATCH, inputs - done)
        taken += _run_batch(hear, Mutator(encoded, batch), batch, count)
        done += count
        first = first or resident()
    return Result(done, taken, resident() - (first or 0), time.monotonic() - began)


def _run_batch(hear: Hear, mutator: Mutator, batch: str, count: int) -> int:
    taken = 0
    for number in range(count):
        data = mutator.draw()
        try:
            taken += hear(data)
        except Exception as error:
            where = f"input {number} of batch {batch!r}"
            raise Crash(f"{where}: {error!r} from {data[:4096].hex()}") from error
    return taken


def resident() -> int:
    """Return the resident memory of this process in bytes (proc(5), statm).

    What is free already is given back first, or the mutator's own large inputs would look like growth.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def _granted() -> spec.CellSpec:
    return spec.CellSpec(
        deployment_id="a", generation=1, strategy="s", version="1", code_path="/c", account_id="acc",
        trading_mode="paper", symbols=[], timeframes=[], parameters={}, market_endpoint="ipc://m",
        report_endpoint="ipc://r", token="hush",
    )  # fmt: skip


def by_coverage(arguments: list[str]) -> None:
    """Drive the warden's side with atheris, until its own ``-runs`` or ``-max_total_time`` end it."""
    import atheris  # not installed but where this is wanted

    atheris.instrument_all()
    ear = Ear()
    atheris.Setup([sys.argv[0], *arguments], lambda data: ear.hear(data) and None)
    atheris.Fuzz()


def main() -> int:
    """Run from the command line; exit status 1 after a crash or a growth of over 16 MiB."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.warden", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="over all targets (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=[*TARGETS, "all"], default="all")
    parser.add_argument("--atheris", nargs=argparse.REMAINDER, help="use atheris; the rest is for libFuzzer")
    options = parser.parse_args()
    if options.atheris is not None:
        by_coverage(options.atheris)
    names = list(TARGETS) if options.target == "all" else [options.target]
    failed = False
    for name in names:
        share = TARGETS[name].share if options.target == "all" else 1.0
        try:
            result = run(name, round(options.inputs * share), options.seed)
        except Crash as crash:
            print(f"{name}: {crash}")  # noqa: T201
            return 1
        grown = result.growth / 2**20
        print(  # noqa: T201
            f"{name}: {result.inputs:,} inputs in {result.seconds:.1f} s, {result.taken:,} taken, "
            f"no exception but the declared one, {grown:+.1f} MiB after the first {BATCH:,}"
        )
        failed = failed or result.growth > 16 * 2**20
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
