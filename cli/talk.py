"""What every command does with the daemon's answer: JSON as it came, or a view for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from cli.client import Client
from cli.errors import USAGE, CommandError, of_problem
from supervisor.client.calls import running

V = TypeVar("V")


def print_json(body: bytes) -> None:
    """Print one JSON document as the daemon wrote it: not decoded, so nothing can be lost or rounded."""
    sys.stdout.write(body.decode().rstrip("\n") + "\n")


def print_lines(
    lines: Iterable[bytes], as_json: bool, say: Callable[[bytes], str], nothing: str = ""
) -> None:
    """Print JSON Lines as they come, or each as ``say`` puts it; flushed, so that a pipe sees it at once.

    ``nothing`` is said where none came, to a person alone: a program at the other end of a pipe counts lines.
    """
    came = False
    for line in lines:
        came = True
        text = line.decode().rstrip("\n") if as_json else say(line)
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    if nothing and not (came or as_json) and sys.stdout.isatty():
        print(nothing)


def pairs(given: list[str] | None, option: str) -> dict[str, str]:
    """Return ``K=V`` options as a dict; a repeated or malformed one is a usage error."""
    out: dict[str, str] = {}
    for item in given or []:
        key, separator, value = item.partition("=")
        if not separator or not key:
            raise CommandError(USAGE, f"{option} {item!r}: must be NAME=VALUE")
        if key in out:
            raise CommandError(USAGE, f"{option} {key!r} is given twice: {out[key]!r} and {value!r}")
        out[key] = value
    return out


def act(verb: running.Verb, asked: Mapping[str, Any], past: str, state: str = "") -> None:
    """Carry out ``verb`` as ``asked`` and say what became of each deployment.

    Fails with the first failure's code. ``asked`` is what ``calls.running.act`` takes; ``state`` is the one
    that the verb leads to: another one is told.
    """
    # Plain JSON and no view of supervisor.schema: making those classes takes longer than the verb itself.
    outcomes = json.loads(Client().call(running.act, verb, **asked))["outcomes"]
    if not outcomes:
        print("no deployments")
    for outcome in outcomes:
        if outcome["problem"] is None:
            already = "" if outcome["changed"] else "already "
            otherwise = f" ({outcome['state']})" if state and outcome["state"] not in (None, state) else ""
            print(f"{outcome['id']}: {already}{past}{otherwise}")
    failures = [of_problem(outcome["problem"]) for outcome in outcomes if outcome["problem"] is not None]
    if failures:
        raise CommandError(failures[0].code, *(line for failure in failures for line in failure.lines))
