"""``feeds`` and ``feed replay``: market data as the daemon sees it, and recorded data as a publisher."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.client import Client
from cli.commands.synthetic import Recovery, Stay, served, synthetic, tell_refused_questions
from cli.errors import FAILED, INTERRUPTED, USAGE, CommandError
from cli.interrupt import interruptible
from cli.options import Json
from cli.tables import on_terminal, show
from cli.talk import pairs, print_json
from supervisor.client.calls import daemon as calls

if TYPE_CHECKING:
    from bus.pacing import Progress, ReplayResult


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    app.command()(feeds)
    feed = typer.Typer(rich_markup_mode=None, help="Publish market data.")
    feed.command()(replay)
    feed.command()(synthetic)
    app.add_typer(feed, name="feed")


def feeds(as_json: Json = False) -> None:
    """Feeds: health, lag, gaps, late, rejected."""
    body = Client().call(calls.feeds)
    if as_json:
        print_json(body)
        return
    from cli import render
    from supervisor.schema import FeedView

    show(render.feeds([FeedView.model_validate(view) for view in json.loads(body)]))


def replay(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", show_default=False)],
    endpoint: Annotated[str, typer.Option(help="Where to publish.")] = "tcp://127.0.0.1:5555",
    mode: Annotated[
        Literal["bind", "connect"], typer.Option(help="The opposite of the feed's mode.")
    ] = "bind",
    speed: Annotated[str, typer.Option(metavar="1|10|max", help="A factor of real time, or max.")] = "1",
    rebase: Annotated[
        bool, typer.Option("--rebase", help="Shift times to now, so that a live engine takes them as live.")
    ] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds until a subscriber must be there.")] = 30.0,
    symbol: Annotated[str | None, typer.Option(help="For files that do not name it.")] = None,
    columns: Annotated[
        list[str] | None, typer.Option("--map", metavar="COL=ROLE", help="What a column is. Repeatable.")
    ] = None,
    timezone: Annotated[str | None, typer.Option(help="Of times that do not say, as Europe/Berlin.")] = None,
    date_format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="Of times, as strptime has it: %d.%m.%Y %H:%M.")
    ] = None,
    timeframe: Annotated[str | None, typer.Option(help="Of candles that do not say.")] = None,
    label: Annotated[
        Literal["open", "close"], typer.Option(help="Which end of a candle its time is.")
    ] = "open",
    price: Annotated[
        Literal["mid", "bid", "ask"], typer.Option(help="Which side of candles of quotes to take.")
    ] = "mid",
    recovery: Recovery = "auto",
    stay: Stay = 0.0,
    rate: Annotated[
        float, typer.Option(min=0.001, help="Messages a second of recorded wire streams.")
    ] = 1000.0,
) -> None:
    """Publish recorded data as a real publisher would.

    Files: LEAN zips, CSV (.csv .gz .txt) or Parquet with named columns, HistData, TrueFX, freqtrade trades,
    and recorded wire streams; several are merged by time. Ctrl-C ends it with the counts so far.
    """
    from bus.recordings import ReadOptions, RecordingError
    from bus.replay import NoSubscriberError, ReplayOptions, parse_speed, run

    try:
        options = ReplayOptions(
            paths=tuple(files),
            endpoint=endpoint,
            mode=mode,
            speed=parse_speed(speed),
            rebase=rebase,
            wait=wait,
            recovery=recovery,
            stay=stay,
            read=ReadOptions(
                symbol=symbol,
                columns=pairs(columns, "--map"),
                timezone=timezone,
                date_format=date_format,
                timeframe=timeframe,
                label=label,
                price=price,
                rate=rate,
            ),
        )
    except ValueError as error:
        raise CommandError(USAGE, str(error)) from None
    try:
        with interruptible() as asked, _bar() as on_progress:
            result = run(options, on_progress, should_stop=asked)
    except (RecordingError, NoSubscriberError, ValueError) as error:
        raise CommandError(FAILED, str(error)) from None
    except OSError as error:
        raise CommandError(FAILED, f"{error.filename or endpoint}: {error.strerror or error}") from None
    _tell(result)
    if result.stopped:
        raise typer.Exit(INTERRUPTED)


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[Progress], None] | None]:
    """A progress bar on stderr, if somebody looks; stdout stays for the counts."""
    if not (on_terminal() and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    from cli.words import count, instant

    parts = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*parts, console=Console(stderr=True, markup=False, highlight=False), transient=True) as bar:
        task = bar.add_task("waiting for a subscriber", total=None)

        def on_progress(progress: Progress) -> None:
            rate = progress.sent / progress.elapsed if progress.elapsed > 0 else 0.0
            text = f"{count(progress.sent)} sent  {rate:,.0f}/s  {instant(progress.event_time)}"
            total = None if progress.fraction is None else 1.0
            bar.update(task, description=text, completed=progress.fraction or 0.0, total=total)

        yield on_progress


def _tell(result: ReplayResult) -> None:
    print(
        f"{result.ticks} ticks, {result.bars} bars, {result.frames} frames, {result.heartbeats} heartbeats; "
        f"{len(result.symbols)} symbols; {result.seconds:.1f} s{served(result)}"
    )
    tell_refused_questions(result)
    for reason, number in sorted(result.refused.items()):
        print(f"stratd: {number} rows refused, {reason}: {result.examples.get(reason, '')}", file=sys.stderr)
