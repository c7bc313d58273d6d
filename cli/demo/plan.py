"""What the demo runs: five strategies that behave, four that do not, and what is expected of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Part:
    """One deployment of the demo. ``causes`` are the deaths that count as caught; none means it behaves.

    ``memory`` and ``cpu`` are its quota, as ``stratd start`` takes them.
    """

    id: str
    strategy: str
    symbols: tuple[str, ...]
    timeframes: tuple[str, ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    causes: tuple[str, ...] = ()
    memory: str = "128M"
    cpu: float = 0.5

    @property
    def behaves(self) -> bool:
        """Whether it is one of those that nothing may happen to."""
        return not self.causes


CROSS = "moving_average_crossover"
FAST = {"fast_period": 5, "slow_period": 10, "ma_type": "EMA"}


def parts(symbols: tuple[str, ...], unit: str) -> tuple[Part, ...]:
    """Return the demo's deployments over ``symbols``; ``unit`` is "s" or "m", the timeframes' scale.

    The symbols are used in turn, so that one is enough and four are all used.
    """
    one, two, three, four = (symbols[i % len(symbols)] for i in range(4))
    both = (one,) if one == two else (one, two)
    return (
        Part("cross-fast", CROSS, (one,), (f"1{unit}",), FAST),
        Part("cross-sma", CROSS, (two,), (f"1{unit}", f"2{unit}"), {**FAST, "ma_type": "SMA"}),
        Part("breakout", "donchian_breakout", (three,), (f"1{unit}", f"5{unit}"), {"lookback": 3}),
        Part("reversion", "band_reversion", (four,), (f"1{unit}",), {"lookback": 6}),
        Part("pair", "donchian_breakout", both, (f"2{unit}",), {"lookback": 3, "quantity": 10}),
        Part("bad-raises", "raises", (one,), (f"1{unit}",), causes=("error",)),
        Part("bad-memory", "eats_memory", (two,), (f"1{unit}",), causes=("oom", "memory_quota")),
        # A tenth of a core: on a busy host it may not get the half that would be over the others' quota.
        Part("bad-spins", "spins", (three,), (f"1{unit}",), causes=("cpu_quota",), cpu=0.1),
        Part("bad-hangs", "hangs", (four,), (f"1{unit}",), causes=("hang",)),
    )
