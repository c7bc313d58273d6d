"""Replays recorded files (``stratd feed replay``): opens them, waits for a subscriber, publishes, counts.

Another publisher of the same kind is ``bus.pacing.publish`` with any iterator of messages, such as the
synthetic market of the demo.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from bus.pacing import MAX_SPEED, Progress, ReplayResult, publish
from bus.recordings import ReadOptions, RecordingError, open_recordings
from bus.serving import Serving, open_serving
from bus.sockets import Publisher

_LOOK = 0.1
"""Seconds between two looks at ``should_stop`` while nobody subscribes."""


class ReplayOptions(Struct, frozen=True, kw_only=True):
    """What to replay, where to, and how fast.

    ``speed`` is a factor of real time, ``MAX_SPEED`` for no waiting at all. ``rebase`` stamps every tick
    with the time at which it is sent, so that a live engine takes it as live. ``wait`` is how many
    seconds a subscriber may take to appear. ``recovery`` is where subscribers are served what they missed:
    an endpoint, ``auto`` (bus/serving.py) or ``off``; ``stay`` how many seconds after the last message.
    """

    paths: tuple[Path, ...]
    endpoint: str = "tcp://127.0.0.1:5555"
    mode: Literal["bind", "connect"] = "bind"
    speed: float = 1.0
    rebase: bool = False
    wait: float = 30.0
    recovery: str = "auto"
    stay: float = 0.0
    read: ReadOptions = ReadOptions()


class NoSubscriberError(RuntimeError):
    """Nobody subscribed in time: nothing was sent."""


def parse_speed(text: str) -> float:
    """Return the factor that ``--speed`` names: a positive number or ``max``."""
    if text == "max":
        return MAX_SPEED
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0 < speed < math.inf:
        raise ValueError(
            f"--speed: {text!r} is neither a positive number (1 is real time, 10 ten times) nor max"
        )
    return speed


def wait_for_subscriber(
    publisher: Publisher, endpoint: str, seconds: float, should_stop: Callable[[], bool]
) -> None:
    """Return when somebody has subscribed, or ``should_stop``; ``NoSubscriberError`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not should_stop():
        left = deadline - time.monotonic()
        if publisher.wait_for_subscriber(max(0.0, min(left, _LOOK))):
            return
        if left <= 0:
            raise NoSubscriberError(
                f"{endpoint}: nobody subscribed within {seconds:g} s; "
                "is the daemon up, and is its feed in the opposite mode (--mode)?"
            )


def run(
    options: ReplayOptions,
    on_progress: Callable[[Progress], None] | None = None,
    *,
    should_stop: Callable[[], bool] = lambda: False,
) -> ReplayResult:
    """Replay files and return the counts.

    ``RecordingError`` before anything is sent if a file is not understood, ``OSError`` if the endpoint
    cannot be had, ``NoSubscriberError`` if nobody subscribes within ``options.wait`` seconds.
    ``should_stop`` is asked ten times a second; what was sent until then is counted.
    """
    with open_recordings(options.paths, options.read) as recording:
        if options.rebase and not recording.ticks_only:
            what = (
                "recorded frames are sent as they are"
                if recording.frames
                else "bars stand on their own times"
            )
            raise RecordingError(options.paths[0], f"{what}: --rebase is for ticks")
        if recording.frames and options.recovery not in {"auto", "off"}:
            raise RecordingError(
                options.paths[0], "recorded frames are sent as they are: no --recovery for them"
            )
        with contextlib.ExitStack() as opened:
            publisher = opened.enter_context(Publisher(options.endpoint, options.mode))
            # Recorded frames carry heartbeats of their own, which name no place of ours.
            wanted = "off" if recording.frames else options.recovery
            serving = open_serving(publisher.endpoint, options.mode, wanted)
            if serving is not None:
                opened.enter_context(serving)
            wait_for_subscriber(publisher, options.endpoint, options.wait, should_stop)
            result = publish(
                recording,
                publisher,
                speed=options.speed,
                rebase=options.rebase,
                on_progress=on_progress,
                fraction=lambda: recording.fraction,
                should_stop=should_stop,
                keeper=serving,
                stay=options.stay,
            )
        tally = recording.tally
        return msgspec.structs.replace(
            with_served(result, serving), refused=dict(tally.refused), examples=dict(tally.examples)
        )


def with_served(result: ReplayResult, serving: Serving | None) -> ReplayResult:
    """Add to the counts what was served beside what was published."""
    if serving is None:
        return result
    return msgspec.structs.replace(
        result, recovery=serving.endpoint, recovered=serving.given, questions_refused=dict(serving.refused)
    )
