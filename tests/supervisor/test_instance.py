"""What the daemon makes of a death that a warden, or nobody, explains."""

from __future__ import annotations

import pytest

from sandbox.spec import Died
from supervisor.cells import _unexplained
from supervisor.instance import ended


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (40, "signal 40"), (64, "SIGRTMAX")])
def test_a_death_by_any_signal_is_told(number: int, name: str) -> None:
    """Python names few real-time signals; one without a name must not keep a deployment running for ever."""
    assert f"its warden was ended by {name}" == _unexplained(-number).detail
    assert name == ended(1, Died("signal", signal=number), 0.5).detail
