"""Kill everything, at any instant, and see whether anything was lost or done twice.

    python -m tests.chaos --seed N --minutes M [--deployments 10] [--keep] [--json]

Two runs over the same recorded ticks, each a daemon with everything real: one undisturbed, one under a
seeded plan of faults (``plan.py``). Then the journals are compared, signal for signal, and everything else is
looked at: who runs, what is left over, what grew. ``M`` minutes are the whole of it; half a minute and a
fifth of the rest go to the undisturbed run, the starts and the checks. Exit status 1 after a finding; then
the folder is kept. As root the state directory is a small disk that can be filled.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.chaos import accounts
from tests.chaos.deployed import deployments
from tests.chaos.market import FILES, played
from tests.chaos.plan import NAMES, Fault, plan
from tests.chaos.processes import adopt_orphans, below
from tests.chaos.run import Result, Run
from tests.chaos.world import World

OVERHEAD = 25.0
"""Seconds of starts, of waiting for quiet, of checks and stops, in both runs together."""
RATE = 40.0
"""Ticks a second of each feed while faults are done."""
FASTER = 4
"""How much faster the undisturbed run is played: nothing depends on it."""
ALONE = "STRATD_CHAOS_ALONE"
SHOWN = 20
FIRST = 3
"""Findings that are shown, and of one deployment."""


def say(line: str) -> None:
    """Say what is being done."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def live(
    options: argparse.Namespace, name: str, faults: Sequence[Fault], seconds: float, rate: float
) -> tuple[Result, Path]:
    """Live through one run in a world of its own; return what it came to, and its folder, which stays."""
    say(f"---- {name}")
    markets = {feed: played(feed, round(seconds * RATE)) for feed in FILES}
    world = World(markets, rate, disk=os.geteuid() == 0)
    try:
        return Run(world, deployments(options.deployments), faults, say).live(), world.base
    except BaseException:
        say(f"{name}: kept in {world.base}")
        raise
    finally:
        world.keep()
        world.close()


def alone() -> None:
    """As root, go on in a mount namespace of one's own: the small disk is gone with us, whatever happens."""
    tool = shutil.which("unshare")
    if os.geteuid() == 0 and tool and ALONE not in os.environ:
        command = [tool, "--mount", "--propagation", "private", sys.executable, "-m", "tests.chaos"]
        os.execve(  # noqa: S606 - in our place, not beside us
            tool, [*command, *sys.argv[1:]], {**os.environ, ALONE: "1"}
        )


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=1.0, help="of wall clock (%(default)s)")
    parser.add_argument("--deployments", type=int, default=10, help="besides two victims (%(default)s)")
    parser.add_argument(
        "--without", default="", help=f"kinds of faults to leave out, by commas: {', '.join(NAMES)}"
    )
    parser.add_argument("--only", default="", help="kinds of faults to do and no others")
    parser.add_argument("--keep", action="store_true", help="keep the folders")
    parser.add_argument("--json", action="store_true", help="the result as one document on stdout")
    options = parser.parse_args()
    alone()
    adopt_orphans()
    seconds = max(10.0, (60 * options.minutes - OVERHEAD) / (1 + 1 / FASTER))
    without = set(filter(None, options.without.split(",")))
    if options.only:
        without |= set(NAMES) - set(options.only.split(","))
    faults = plan(options.seed, seconds, without=without)
    say(f"seed {options.seed}: {len(faults)} faults in {seconds:.0f} s")
    if os.geteuid() != 0:
        say("the disk is not filled: only root can mount a small one")
    began = time.monotonic()
    undisturbed, first = live(options, "undisturbed", [], seconds, RATE * FASTER)
    disturbed, second = live(options, "disturbed", faults, seconds, RATE)
    findings = judged(undisturbed, disturbed)
    table(undisturbed, disturbed, findings, time.monotonic() - began)
    for name, folder in (("undisturbed", first), ("disturbed", second)):
        if findings or options.keep:
            say(f"{name}: kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        sys.stdout.write(json.dumps(document(options, undisturbed, disturbed, findings)) + "\n")
    return 1 if findings else 0


def judged(undisturbed: Result, disturbed: Result) -> list[str]:
    """Return everything that is wrong, of either run and between them."""
    told = [f"undisturbed: {one}" for one in undisturbed.findings]
    told += disturbed.findings
    if not undisturbed.story:
        told.append("the undisturbed run has no signal: nothing is proved")
    told += accounts.differences(undisturbed.story, disturbed.story)
    if undisturbed.census and disturbed.census:
        told += disturbed.census.growth(undisturbed.census)
    told += [f"process {one.pid} ({one.name}) is left over" for one in below(os.getpid())]
    return told


def table(undisturbed: Result, disturbed: Result, findings: list[str], seconds: float) -> None:
    """Say what was done, what came of it, and the first differences."""
    say("---- done")
    for what, times in sorted((disturbed.done + disturbed.deaths).items()):
        kind = "died: " if what in disturbed.deaths else ""
        say(f"{kind + what:32} {times:5}")
    say("---- accepted signals, undisturbed and disturbed")
    for who in sorted(undisturbed.story | disturbed.story):
        counts = [len(one.story.get(who, [])) for one in (undisturbed, disturbed)]
        same = "same" if undisturbed.story.get(who) == disturbed.story.get(who) else "DIFFERENT"
        say(f"{' '.join(who):32} {counts[0]:5} {counts[1]:5}  {same}")
    for name, value in disturbed.notes.items():
        say(f"{name:32} {value:8.2f}")
    say(f"---- {len(findings)} findings in {seconds:.0f} s")
    shown: Counter[str] = Counter()
    for one in findings:
        about = one.partition(":")[0]
        # The first of each deployment: what is different once is so for good.
        if shown[about] < FIRST and shown.total() < SHOWN:
            shown[about] += 1
            say(one)
    if len(findings) > shown.total():
        say(f"and {len(findings) - shown.total()} more; --json has them all")


def document(
    options: argparse.Namespace, undisturbed: Result, disturbed: Result, findings: list[str]
) -> dict[str, object]:
    """Return the result as plain data."""
    return {
        "seed": options.seed,
        "minutes": options.minutes,
        "done": dict(disturbed.done),
        "deaths": dict(disturbed.deaths),
        "signals": {
            " ".join(who): {"undisturbed": len(undisturbed.story.get(who, ())), "disturbed": len(found)}
            for who, found in disturbed.story.items()
        },
        "notes": disturbed.notes,
        "findings": findings,
    }


if __name__ == "__main__":
    sys.exit(main())
