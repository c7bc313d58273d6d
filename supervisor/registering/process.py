"""The process that tries one submission (``python -P -m supervisor.registering.process``), a job on stdin.

It is short-lived and belongs to the daemon, which neither owns 0MQ sockets nor waits for a stranger's code.
It reads no user code either: a first cell does (``reader.py``), a second one runs it on a recording. Each
check is a line of JSON on stdout (``job.Step``), then come the lines that the code wrote.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from sandbox.confine.process import ParentGone, die_with_parent
from sandbox.nursery import NurseryError
from sandbox.spec import EXIT_CONFIG_ERROR, CellSpec
from strategies.plugins import CODE, Found, inspect
from supervisor.registering import smoke
from supervisor.registering.job import Job, Log, Step
from supervisor.trial import Lab, Outcome, specification

READER: Final = Path(__file__).with_name("reader.py")
SHOWN: Final = "/"
"""Where the code lies, as its own tracebacks say it: below this, under its own name."""
NICE: Final = 10
"""How far cells of a trial stand back for those that trade (nice(2))."""
MOST_SIGNALS: Final = 10_000
LINES: Final = 20
FAULTS: Final = ("error", "state_refused")
"""Warnings that are faults of the code; the others are about how fast it is told a recording."""
_PLACE: Final = re.compile(r'File "(?P<path>[^"\n]+)", line (?P<line>\d+)')
_AT: Final = re.compile(r"(?P<path>/[^:\n]+):(?P<line>\d+): ")


def check(job: Job, folder: Path) -> Iterator[Step | Log]:
    """Yield each check as it ends; the first that fails is the last. ``folder`` is for this alone."""
    plugin = inspect(job.path)
    if not isinstance(plugin, Found):
        yield Step(name="manifest", ok=False, detail="; ".join(map(str, plugin.errors)))
        return
    begun = time.monotonic()
    try:
        with Lab(folder, job.survey) as lab:
            yield Step(name="sandbox", ok=True, detail=f"setting {job.survey.setting}", ms=_since(begun))
            yield from tried(lab, job, plugin, folder)
    except NurseryError as error:
        yield Step(name="sandbox", ok=False, detail=f"no cell could be started: {error}")


def tried(lab: Lab, job: Job, plugin: Found, folder: Path) -> Iterator[Step | Log]:
    """Yield what cells of ``lab`` find. Raises ``NurseryError``."""
    if not job.opaque:
        found = list(_read(lab, job, plugin, folder))
        yield from found
        if not all(step.ok for step in found):
            return
    yield from _run(lab, job, plugin)


# ---- the reader -------------------------------------------------------------------------------------
def _read(lab: Lab, job: Job, plugin: Found, folder: Path) -> Iterator[Step]:
    place = folder / "reader"
    entry = _lay_out(Path(job.path), place)
    reader = replace(plugin, path=str(place), symbols=(), timeframes=(), name="reader")
    spec = specification(reader, {"entry": entry, "class": job.class_name}, trusted=job.trusted)
    begun = time.monotonic()
    outcome = lab.run(_humble(spec))
    took = _since(begun)
    reached = "decoding"
    for said in [json.loads(line) for stream, line in outcome.lines if stream == "out"]:
        if "at" in said:
            reached = said["at"]
        else:
            yield Step(
                name=said["step"],
                ok=said["ok"],
                detail=said["detail"],
                file=said.get("file", ""),
                line=said.get("line", 0),
                column=said.get("column", 0),
                ms=took,
            )
            if not said["ok"]:
                return
            took = 0.0  # all of them were one cell
    if not outcome.left:
        why = f"the interpreter could not read it: {outcome.died.cause}: {_first(outcome.died.detail)}"
        yield Step(name=reached, ok=False, detail=why, ms=took)


def _lay_out(source: Path, place: Path) -> str:
    """Make the folder of the reader's cell, with every module of ``source``; return the entry's name."""
    submitted = place / "submitted"
    submitted.mkdir(parents=True)
    for made in (place.parent, place, submitted):
        made.chmod(0o755)  # whatever the umask: a cell is another user
    shutil.copyfile(READER, place / CODE)
    (place / CODE).chmod(0o444)
    modules = [source] if source.is_file() else sorted(source.rglob("*.py"))
    for module in modules:
        target = submitted / (module.name if module == source else module.relative_to(source))
        for above in reversed(target.relative_to(submitted).parents[:-1]):
            (submitted / above).mkdir(exist_ok=True)
            (submitted / above).chmod(0o755)
        shutil.copyfile(module, target)
        target.chmod(0o444)
    return source.name if source.is_file() else CODE


# ---- the code itself --------------------------------------------------------------------------------
def _run(lab: Lab, job: Job, plugin: Found) -> Iterator[Step | Log]:
    name = Path(job.path).name
    spec = specification(
        plugin,
        job.values,
        trusted=job.trusted,
        packages=job.packages,
        stored=job.path,
        shown=SHOWN + name,
    )
    frames = smoke.recording(spec.symbols, spec.timeframes)
    begun = time.monotonic()
    outcome = lab.run(_humble(spec), frames)
    took = _since(begun)
    yield from _judged(outcome, spec, took, frames)
    if outcome.lines:
        yield Log([line[:500] for _, line in outcome.lines[-LINES:]])


def _judged(outcome: Outcome, spec: CellSpec, took: float, frames: Sequence[smoke.Frame]) -> Iterator[Step]:
    """Say how far a cell came: it was imported, initialised, and was told the recording."""
    died = outcome.died
    if outcome.ready is None:
        initialising = died.exit_code == EXIT_CONFIG_ERROR or died.last_event.startswith("init")
        if initialising:
            yield Step(name="import", ok=True)
        name = "initialize" if initialising else "import"
        why = died.detail if died.cause == "load_error" else f"{died.cause}: {died.detail}\n{died.stack}"
        yield _failed(name, why, spec, took)
        return
    yield Step(name="import", ok=True)
    yield Step(name="initialize", ok=True, ms=round(outcome.ready * 1e3, 1))
    faults = [text for text in outcome.warnings if text.partition(":")[0] in FAULTS]
    if faults:
        yield _failed("smoke run", faults[0].partition(": ")[2], spec, took)
    elif not (outcome.left and outcome.played):
        yield _failed("smoke run", f"{died.cause}: {died.detail}\n{died.stack}", spec, took)
    else:
        ticks = sum(topic.startswith(b"tick|") for topic, _ in frames)
        told = f"{ticks:,} ticks, {len(frames) - ticks:,} times a candle closed, {outcome.signals:,} signals"
        others = sorted({text.partition(":")[0] for text in outcome.warnings})
        yield Step(name="smoke run", ok=True, detail=" and ".join([told, *others]), ms=took)


def _failed(name: str, why: str, spec: CellSpec, took: float) -> Step:
    """Return a step that failed, with the last place in the code that its traceback names."""
    root = spec.code_path
    places = [
        found for found in (*_PLACE.finditer(why), *_AT.finditer(why)) if found["path"].startswith(root)
    ]
    file, line = "", 0
    if places:
        file = places[-1]["path"].removeprefix(root).lstrip("/") or root.removeprefix(SHOWN)
        line = int(places[-1]["line"])
    return Step(name=name, ok=False, detail=_first(why), file=file, line=line, ms=took)


def _humble(spec: CellSpec) -> CellSpec:
    """Let a cell stand back; its rate of signals is not judged, since a day is played in a moment."""
    return replace(spec, limits=replace(spec.limits, nice=NICE, signals_per_s=MOST_SIGNALS))


def _first(text: str) -> str:
    """Return the first line of a text that may hold a traceback."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:1000]


def _since(begun: float) -> float:
    return round((time.monotonic() - begun) * 1e3, 1)


def main(parent: int) -> None:
    """Read a job from stdin, write a line for each check; killed with the daemon, whose pid is ``parent``."""
    die_with_parent(parent)
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    with tempfile.TemporaryDirectory(prefix="stratd-") as folder:
        for found in check(job, Path(folder)):
            sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    with contextlib.suppress(ParentGone):  # nobody is there who could be told anything
        main(int(sys.argv[1]))
