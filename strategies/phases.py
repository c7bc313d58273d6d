"""The life of a strategy inside its host: which event may come when, and what follows. Whole, on a screen."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeAlias

from bus.messages import (
    Acked,
    Candles,
    Commanded,
    FeedStatus,
    Filled,
    Inspect,
    OrderChanged,
    Parameters,
    Pause,
    Pulse,
    Resume,
    Stop,
    TakeCheckpoint,
    Ticks,
    TimerFired,
    Welcome,
)

Event: TypeAlias = (
    Ticks | Candles | FeedStatus | Pulse
    | Welcome | Pause | Resume | Stop | Parameters | TakeCheckpoint | Acked | Filled | OrderChanged
    | TimerFired | Commanded | Inspect
)  # fmt: skip


class Phase(StrEnum):
    """Where a strategy is in its life."""

    CREATED = "created"
    READY = "ready"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


_DATA: Final = (
    Ticks, Candles, FeedStatus, Pulse, TimerFired, Acked, Filled, OrderChanged, Parameters,
    TakeCheckpoint, Commanded, Inspect,
)  # fmt: skip
NEXT: Final[Mapping[Phase, Mapping[type, Phase]]] = {
    Phase.CREATED: {Stop: Phase.STOPPED},
    Phase.READY: {Welcome: Phase.RUNNING, Stop: Phase.STOPPED},
    Phase.RUNNING: {
        **dict.fromkeys(_DATA, Phase.RUNNING),
        Welcome: Phase.RUNNING,  # of another run of the engine
        Pause: Phase.PAUSED,
        Resume: Phase.RUNNING,
        Stop: Phase.STOPPED,
    },
    Phase.PAUSED: {
        **dict.fromkeys(_DATA, Phase.PAUSED),
        Welcome: Phase.PAUSED,
        Pause: Phase.PAUSED,
        Resume: Phase.RUNNING,
        Stop: Phase.STOPPED,
    },
    Phase.STOPPED: {},
}
"""What may happen when, and what follows; anything else is the caller's fault and changes nothing."""
