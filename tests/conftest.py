"""For every test: what it changes of this process it puts back, since any other test may be the next one."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says more of the host than of the code: a busy one is no failure. In CI examples
# are the same at each run, as in hypothesis' own profile for it: a change is judged by what it changes. New
# ones are looked for wherever else the tests run.
settings.register_profile(
    "stratd",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("stratd")

LONG = 200
"""Seconds that a test is allowed by a mark of its own, from which on it is a long one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long ones: begun last, one of a minute runs alone while the other workers wait."""

    def short(item: pytest.Item) -> bool:
        allowed = item.get_closest_marker("timeout")
        return allowed is None or allowed.args[0] < LONG

    items.sort(key=short)


PR_GET_CHILD_SUBREAPER = 37
HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE)


def _state() -> dict[str, object]:
    subreaper = ctypes.c_int()
    ctypes.CDLL(None).prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(subreaper), 0, 0, 0)
    (mask,) = (
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Umask")
    )
    return {
        "whose orphans it adopts (PR_SET_CHILD_SUBREAPER)": subreaper.value,
        "the working directory": Path.cwd(),
        "the umask": mask,
        "signal handlers": [signal.getsignal(number) for number in HANDLED],
        "the environment": {name: at for name, at in os.environ.items() if name != "PYTEST_CURRENT_TEST"},
    }


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    before = _state()
    yield
    after = _state()
    changed = [what for what, value in before.items() if after[what] != value]
    assert not changed, f"the test changed {' and '.join(changed)} for all that come after it"
