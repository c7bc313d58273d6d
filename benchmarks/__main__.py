"""All benchmarks in turn, then one table of ratios with what is wanted of them.

    python -m benchmarks [--full] [--output FOLDER] [NAME ...]

Short by default: a look at every figure in about two minutes. ``--full`` measures, in about ten. Each
benchmark is a process of its own. A missed target is said and is no error: it may be the machine's. Exit
status 1 is for a benchmark that could not be run.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import zmq

from benchmarks.ratios import HEAD, Figure

ALL = (
    "roundtrip",
    "throughput",
    "start",
    "crowd",
    "memory",
    "hop",
    "idle",
    "quotas",
    "checkpoint",
    "steps",
    "gate",
    "supervision",
    "api",
)
HERE = Path(__file__).parent


def machine() -> str:
    """Say on what the figures were measured; they mean little anywhere else."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    libraries = f"pyzmq {zmq.__version__} with libzmq {zmq.zmq_version()}"
    kernel = f"{platform.system()} {platform.release()}"
    busy = "load " + " ".join(f"{load:.2f}" for load in os.getloadavg())
    return ", ".join((python, libraries, kernel, f"{os.cpu_count()} cores", busy))


def run(name: str, options: argparse.Namespace, kept: Path) -> list[Figure] | None:
    """Run one benchmark and return its figures, None if it failed."""
    figures = kept / f"{name}.json"
    command = [sys.executable, HERE / f"{name}.py", "--figures", figures]
    if not options.full:
        command.append("--quick")
    if options.output:
        command += ["--output", options.output / f"{name}.json"]
    # Its own table would only be printed twice.
    if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode != 0:
        return None
    return msgspec.json.decode(figures.read_bytes(), type=list[Figure])


def main() -> int:
    """Run what is asked for; return the exit status."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ALL)} (all)")
    parser.add_argument("--full", action="store_true", help="measure, instead of a look")
    parser.add_argument("--output", type=Path, help="a folder for the values, as pyperf JSON")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(ALL)):
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(ALL)}")
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
    print(machine(), "", HEAD, sep="\n", flush=True)
    figures: list[Figure] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as kept:
        for name in options.names or ALL:
            found = run(name, options, Path(kept))
            if found is None:
                failed.append(name)
                continue
            figures += found
            print(*found, "", sep="\n", flush=True)
    judged = [figure for figure in figures if figure.met is not None]
    missed = [figure.label for figure in judged if not figure.met]
    print(f"{len(judged) - len(missed)} of {len(judged)} targets met on this machine, in this run")
    if missed:
        print("missed:", *missed, sep="\n  ")
    if failed:
        print(f"could not be run: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
