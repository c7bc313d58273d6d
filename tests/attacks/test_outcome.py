"""The words in which outcomes are told: from what an act wrote, or from how its process ended."""

from __future__ import annotations

import pytest

from sandbox.spec import Died
from tests.attacks.outcome import outcome


@pytest.mark.parametrize(
    ("lines", "died", "expected"),
    [
        ([], None, None),
        (["@outcome returned:'contained'"], None, "returned:'contained'"),
        (["x", "@outcome denied:EPERM", "@outcome later"], Died("signal", signal=9), "denied:EPERM"),
        ([], Died("hang", "on_tick ran longer", signal=6), "timeout"),
        ([], Died("signal", signal=11), "killed:SIGSEGV signal"),
        ([], Died("protocol", "a datagram", signal=9), "killed:SIGKILL protocol"),
        (
            [],
            Died("oom", "on_tick was refused memory", exit_code=1),
            "raised:MemoryError on_tick was refused memory",
        ),
        ([], Died("error", "on_tick raised KeyError", exit_code=1), "raised:on_tick raised KeyError"),
        ([], Died("exit", "exit code 3", exit_code=3), "exit:3 exit"),
    ],
)
def test_what_came_of_an_act(lines: list[str], died: Died | None, expected: str | None):
    assert expected == outcome(lines, died)
