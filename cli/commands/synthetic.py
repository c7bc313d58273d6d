"""``feed synthetic``: a made-up market, for whoever has no feed at hand."""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.errors import FAILED, INTERRUPTED, USAGE, CommandError
from cli.interrupt import interruptible

if TYPE_CHECKING:
    from bus.pacing import ReplayResult

SECOND = 1_000_000_000

Recovery = Annotated[
    str,
    typer.Option(
        metavar="ENDPOINT|auto|off", help="Where subscribers ask for what they missed; auto is beside it."
    ),
]
Stay = Annotated[
    float, typer.Option(min=0, metavar="SECONDS", help="How long to serve that after the last message.")
]


def synthetic(
    symbol: Annotated[
        list[str] | None,
        typer.Option(metavar="S", help="Repeatable. EURUSD, BTC-USD, RELIANCE, SPY if none."),
    ] = None,
    endpoint: Annotated[str, typer.Option(help="Where to publish.")] = "tcp://127.0.0.1:5555",
    mode: Annotated[
        Literal["bind", "connect"], typer.Option(help="The opposite of the feed's mode.")
    ] = "bind",
    rate: Annotated[float, typer.Option(min=0.01, max=100_000, help="Ticks a second of each symbol.")] = 20.0,
    speed: Annotated[
        float, typer.Option(min=0.01, max=3600, help="Market seconds in one of the wall clock.")
    ] = 1.0,
    seconds: Annotated[float | None, typer.Option(min=0, help="How long; for ever if not given.")] = None,
    seed: Annotated[int, typer.Option(help="Another number is another market.")] = 1,
    wait: Annotated[float, typer.Option(min=0, help="Seconds until a subscriber must be there.")] = 30.0,
    recovery: Recovery = "auto",
    stay: Stay = 0.0,
) -> None:
    """Publish a made-up market, for ever or for a time; Ctrl-C ends it with the counts so far.

    Faster than its own time it can only be a recording: it then begins a day ago.
    """
    from bus.pacing import publish
    from bus.replay import NoSubscriberError, wait_for_subscriber, with_served
    from bus.serving import open_serving
    from bus.sockets import Publisher
    from bus.synthetic import DEFAULT_INSTRUMENTS, market

    start = time.time_ns() - (24 * 3600 * SECOND if speed != 1 else 0)
    try:
        ticks = market(seed=seed, start=start, rate=rate / speed, instruments=symbol or DEFAULT_INSTRUMENTS)
    except ValueError as error:
        raise CommandError(USAGE, str(error)) from None
    if seconds is not None:
        end = start + round(seconds * speed * SECOND)
        ticks = itertools.takewhile(lambda tick: tick.ts < end, ticks)
    try:
        with interruptible() as asked, contextlib.ExitStack() as opened:
            publisher = opened.enter_context(Publisher(endpoint, mode))
            keeper = open_serving(publisher.endpoint, mode, recovery)
            if keeper is not None:
                opened.enter_context(keeper)
            wait_for_subscriber(publisher, endpoint, wait, asked)
            timed = ((tick.ts, tick) for tick in ticks)
            result = publish(timed, publisher, speed=speed, should_stop=asked, keeper=keeper, stay=stay)
            result = with_served(result, keeper)
    except NoSubscriberError as error:
        raise CommandError(FAILED, str(error)) from None
    except OSError as error:
        raise CommandError(FAILED, error.strerror or str(error)) from None
    typer.echo(f"{result.ticks} ticks, {len(result.symbols)} symbols, {result.seconds:.1f} s{served(result)}")
    tell_refused_questions(result)
    if result.stopped:
        raise typer.Exit(INTERRUPTED)


def served(result: ReplayResult) -> str:
    """Say what was given to subscribers that had missed something."""
    return f"; {result.recovered} recovered" if result.recovered else ""


def tell_refused_questions(result: ReplayResult) -> None:
    """Say what was asked and could not be answered."""
    for reason, number in sorted(result.questions_refused.items()):
        print(f"stratd: {number} questions at {result.recovery} refused, {reason}", file=sys.stderr)
