"""What the sandbox gets on this host, found once by trying it, and which layers hold everywhere."""

from __future__ import annotations

import os
from collections.abc import Callable

from msgspec.structs import replace

from sandbox.confine import attempt, probe
from sandbox.confine.cgroup import discover
from sandbox.confine.survey import Layer, Survey

_UNIT = "run it under its unit (stratd systemd show), to which systemd delegates a group, or as root"


def take(setting: str = "auto") -> Survey:
    """Try every layer of ``setting`` (``[sandbox] setting``); blocks for some 100 ms, never raises."""
    found = attempt.survey(setting)
    tried = {layer.name for layer in found.layers}
    return replace(
        found, layers=[*(layer for layer in _everywhere() if layer.name not in tried), *found.layers]
    )


def with_groups(survey: Survey, *, held: bool, detail: str) -> Survey:
    """Add the layer ``cgroup``, which the supervisor makes and a cell only joins."""
    return replace(survey, layers=[*survey.layers, Layer("cgroup", held, detail, "" if held else _UNIT)])


def examine_host(setting: str = "auto") -> Survey:
    """Return what a daemon would find that was started as this process was; leaves nothing behind."""
    tree, detail = discover(f"doctor-{os.getpid()}")
    if tree is not None:
        tree.close()
    # A host may have the other controllers alone (a Raspberry Pi boots without memory's); psutil does their
    # work as well, but nothing else holds every kind of memory.
    held = tree is not None and tree.holds("memory")
    return with_groups(take(setting), held=held, detail=detail)


def _everywhere() -> list[Layer]:
    """Return the layers that need no privilege, and on no kernel of today fail."""
    return [
        _layer(
            "own process",
            probe.pidfd,
            "a cell each, own session, SIGKILL with its warden",
            "Linux 5.3 or newer",
        ),
        _layer(
            "descriptors",
            probe.close_range,
            "the strategy holds 0, 1, 2 and one socket to its warden",
            "Linux 5.9 or newer",
        ),
        Layer("environment", active=True, detail="a literal list of names, nothing of the daemon's"),
        Layer(
            "limits", active=True, detail="RLIMIT_DATA, NOFILE, NPROC, FSIZE, CORE and others, soft and hard"
        ),
    ]


def _layer(name: str, ask: Callable[[], probe.Finding], detail: str, command: str) -> Layer:
    found = ask()
    return Layer(name, found.found, detail if found.found else found.detail, "" if found.found else command)
