"""One run of all acts for each setting and test session, however many processes pytest has for it."""

from __future__ import annotations

import fcntl
import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from tests.attacks.results import Registered, Run
from tests.attacks.stage import ROOT

T = TypeVar("T")
PATIENCE = 270
"""Seconds for one setting, on a host that does much else; alone on two cores it takes some 12."""


@pytest.fixture(scope="session")
def run_in(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Return what gives the run of a setting, and words as of ``run``: all others wait for who asks first."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # the session's; each worker has its own in there
    return functools.cache(lambda setting, *words: shared_run(folder, setting, *words))


@pytest.fixture(scope="session")
def registered_in(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Registered]:
    """Return what gives the run over HTTP of a setting; EVERY_ATTACK=1: of every act in each, both ways."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    words = ["over-http", *(["every"] if os.environ.get("EVERY_ATTACK") else [])]
    return functools.cache(lambda setting: told_by(Registered, folder, setting, *words))


def shared_run(folder: Path, setting: str, *words: str) -> Run:
    return told_by(Run, folder, setting, *words)


def told_by(kind: type[T], folder: Path, setting: str, *words: str) -> T:
    if missing := why_impossible(setting):
        assert os.environ.get("CI") != "true", f"CI must allow the setting {setting}: {missing}"
        pytest.skip(f"the setting {setting} is impossible here: {missing}")
    told = folder / f"attacks-{'-'.join([setting, *words])}.json"
    failed = told.with_suffix(".txt")
    with told.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists() and not failed.exists():
            command = [sys.executable, "-B", "-m", "tests.attacks.stage", setting, *words]
            done = subprocess.run(
                command,
                cwd=ROOT,
                capture_output=True,
                timeout=PATIENCE * (20 if "every" in words else 4),
                check=False,
            )
            (failed if done.returncode else told).write_bytes(done.stderr if done.returncode else done.stdout)
    assert not failed.exists(), f"the run came to no end: {failed.read_text(errors='replace')[-8000:]}"
    return msgspec.json.decode(told.read_bytes(), type=kind)


@functools.cache
def why_impossible(setting: str) -> str:
    """Say why this host does not allow a setting, "" if it does, by entering it."""
    if setting == "root" and os.geteuid() != 0:
        return "the tests do not run as root"
    code = f"from tests.attacks.stage import enter; enter({setting!r})"
    tried = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    return tried.stderr.strip().rpartition("\n")[2] if tried.returncode else ""
