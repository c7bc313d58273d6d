"""What the daemon makes of a death that a warden, or nobody, explains."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sandbox.spec import Died
from supervisor.cells import _unexplained
from supervisor.instance import ended, unaccounted, unobserved
from supervisor.life import Life, State, Wanted


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (40, "signal 40"), (64, "SIGRTMAX")])
def test_a_death_by_any_signal_is_told(number: int, name: str) -> None:
    """Python names few real-time signals; one without a name must not keep a deployment running for ever."""
    assert f"its warden was ended by {name}" == _unexplained(-number).detail
    assert name == ended(1, Died("signal", signal=number), 0.5).detail


def test_an_instance_without_a_death_on_record_is_accounted_for() -> None:
    life = Life(state=State.STOPPED, wanted=Wanted.RUNNING, generation=3)
    crashed = unobserved("a", life, ["last words"], rebooted=False, at=7)
    assert unaccounted(life, [])
    assert unaccounted(life, [replace(crashed, generation=2)])
    assert not unaccounted(life, [crashed, replace(crashed, generation=2)])
    assert not unaccounted(Life(), []), "it was never started"
    assert (crashed.cause, crashed.generation, crashed.at, crashed.log_tail) == (
        "unknown",
        3,
        7,
        ["last words"],
    )
    assert unobserved("a", life, [], rebooted=True, at=7).cause == "shutdown"
