"""Where an engine goes on after the one before it, which may have died at any instant.

::

    journal   what was decided                          (strategies/trading/, supervisor/store/journal.py)
    tape      what was published, and every few seconds a mark: where everything stood
    history   closed candles of longer ago, for warm-up

Rules of this file. Everything comes from the last mark and the frames behind it. What was decided and not
told any more is told; then the ticks that were published are seen again by the core: an order that waited is
filled by the tick that would have filled it. The symbols of a feed go on once it is opened.

The journal is what happened. If it is not the one that the tape tells of, or ends before it (a power cut, a
lost file, a mirror put back), the tape gets another identity: the market goes on from it, but no cell is told
again of verdicts and fills that are in no journal. Each begins at the present, with the journal's positions.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bus import topics
from bus.captured import MarketState
from bus.messages import (
    Acked,
    CellCommand,
    Filled,
    OrderChanged,
    OrderUpdate,
    Schedule,
    Tick,
    Ticks,
    TimerFired,
)
from strategies.trading.books import marked
from strategies.trading.dealing import order_update
from strategies.trading.exits import ENGINE
from strategies.trading.records import Closed, Executed, Judged, Placed
from strategies.trading.replies import signal_ack
from supervisor.engine.feeds import FeedKnown
from supervisor.engine.timers import TimerState
from supervisor.store.tape import Tape, TapeError

if TYPE_CHECKING:
    from supervisor.engine.loop import Engine
    from supervisor.store.journal import Journal

MARK = b"mark||"
TIMERS = b"timer|"
"""What begins a frame for the next engine alone, ``timer|ID|`` and a ``Schedule``: a timer that was set. With
nothing behind it: those of the deployment were forgotten."""
GONE = b"gone|"
"""What begins another, ``gone|ID|``: the deployment was removed. One of its name begins with 1 again."""
PIECE = 2**20
"""Bytes of tape that are read at once."""


class Mark(Struct, frozen=True, array_like=True):
    """Where everything stood, after what lies before it on the tape.

    What was decided up to record ``journal_seq`` had been told. ``numbers`` are those of the last command to
    each deployment, ``prices`` the last tick of each symbol, ``feeds`` by name.
    """

    journal_seq: int
    numbers: dict[str, int]
    market: MarketState
    feeds: dict[str, FeedKnown]
    timers: list[TimerState]
    prices: list[Tick]
    journal_seed: int = 0
    """Which journal, by its ``seed``; 0 is not known."""


class Told(Struct):
    """What cells were told behind the mark: ``ids`` of signals and fills, and the ``newest`` record."""

    ids: set[str] = set()
    newest: int = 0


class Kept(Struct, frozen=True):
    """What a tape holds of the last engine: its last mark, and what it published after that."""

    mark: Mark | None = None
    frames: list[bytes] = []


_encode = msgspec.msgpack.Encoder().encode
_decode_mark = msgspec.msgpack.Decoder(Mark).decode
_decode_ticks = msgspec.msgpack.Decoder(Ticks).decode
_decode_command = msgspec.msgpack.Decoder(CellCommand).decode
_decode_schedule = msgspec.msgpack.Decoder(Schedule).decode


def read(tape: Tape) -> Kept:
    """Read what is needed to go on. ``TapeError`` if there is something, and nobody can go on from it."""
    found = tape.last(MARK)
    if found is None:
        if tape.end:
            raise TapeError(
                f"the tape {tape.folder} has {tape.end - tape.begin} bytes, and no mark among them"
            )
        return Kept()
    at, frame = found
    try:
        mark = _decode_mark(frame.removeprefix(MARK))
    except msgspec.ValidationError as error:
        raise TapeError(f"the last mark on the tape {tape.folder} is not to be understood: {error}") from None
    frames: list[bytes] = []
    while at < tape.end:
        piece, at = tape.read(at, PIECE)
        frames += piece
    return Kept(mark, frames)


def mark(engine: Engine) -> bytes:
    """Write down where ``engine`` stands, between two turns of its loop."""
    return MARK + _encode(
        Mark(
            engine.journal.last_seq,
            engine.publication.numbers,
            engine.market.capture(),
            {name: feed.snapshot() for name, feed in engine.feeds.items()} | engine.orders.known,
            engine.timers.capture(),
            engine.core.last_ticks(),
            engine.journal.seed,
        )
    )


def resume(engine: Engine, kept: Kept) -> dict[str, FeedKnown]:
    """Go on; return what is known of the feeds, by name, for when they are opened."""
    if kept.mark is None:
        engine.publication.tape.append([mark(engine)])  # whatever is published has a mark before it
        return {}
    engine.market.restore(kept.mark.market, kept.frames)
    engine.timers.restore(kept.mark.timers)
    streams = engine.market.streams
    engine.core.recall(kept.mark.prices, ((symbol, one.tick_seq) for symbol, one in streams.items()))
    told = _heed_commands(engine, kept.mark, kept.frames)
    if why := _tells_otherwise(engine.journal, kept.mark, told):
        engine.publication.tape.renumber()
        engine.event(
            "tape_renumbered", f"{why}: what cells were told may not be in it; they begin at the present"
        )
    else:
        _tell(engine, kept.mark, told.ids)
    return _see_again(engine, kept.mark, kept.frames)


def _tells_otherwise(journal: Journal, mark: Mark, told: Told) -> str:
    """Say why the tape tells of another journal than this one, "" if it is this one."""
    if mark.journal_seed not in {0, journal.seed}:
        return "the journal is another than the one that the tape tells of"
    newest = max(mark.journal_seq, told.newest)
    if newest > journal.last_seq:
        return f"the journal ends at {journal.last_seq}, and the tape tells of records up to {newest}"
    return ""


def timer(deployment_id: str, schedule: Schedule) -> bytes:
    """Write down that a deployment has set a timer."""
    return TIMERS + deployment_id.encode() + b"|" + _encode(schedule)


def gone(deployment_id: str) -> bytes:
    """Write down that a deployment was removed."""
    return GONE + deployment_id.encode() + b"|"


def no_timers(deployment_id: str) -> bytes:
    """Write down that a deployment has no timer any more."""
    return TIMERS + deployment_id.encode() + b"|"


def _heed_commands(engine: Engine, mark: Mark, frames: list[bytes]) -> Told:
    """Take up numbers of commands, timers set and fired; return what signals and fills were told."""
    numbers, told = engine.publication.numbers, Told()
    numbers.update(mark.numbers)
    for frame in frames:
        topic = topics.of(frame)
        if topic.startswith(TIMERS):
            _heed_timer(engine, topic[len(TIMERS) : -1].decode(), frame.removeprefix(topic))
        if topic.startswith(GONE):
            engine.timers.drop(topic[len(GONE) : -1].decode())
            numbers.pop(topic[len(GONE) : -1].decode(), None)
        if not topic.startswith(topics.CELLS):
            continue
        owner = topic[len(topics.CELLS) : -1].decode()
        command = _decode_command(frame.removeprefix(topic))
        numbers[owner] = command.seq
        body = command.body
        if isinstance(body, TimerFired):
            engine.timers.fired(owner, body.name, body.ts)
        elif isinstance(body, Filled):
            told.ids.add(body.fill.fill_id)
            told.newest = max(told.newest, body.seq)
        elif isinstance(body, Acked | OrderChanged):  # of a signal that was approved there are two verdicts
            told.ids.add(f"{body.seq}")
            told.newest = max(told.newest, body.seq)
    return told


def _heed_timer(engine: Engine, owner: str, payload: bytes) -> None:
    if not payload:
        engine.timers.forget(owner)
        return
    asked = _decode_schedule(payload)
    engine.timers.set(owner, asked.name, asked.at, asked.every)


def _tell(engine: Engine, mark: Mark, told: set[str]) -> None:
    """Tell what was decided and is not on the tape: the engine died between its two writes."""
    for record in engine.journal.outcomes(mark.journal_seq):
        if isinstance(record, Judged):
            # What the engine asked for itself was no strategy's question.
            if f"{record.seq}" not in told and record.signal.timeframe != ENGINE:
                engine.command(record.deployment_id, record.generation, Acked(signal_ack(record), record.seq))
        elif isinstance(record, Closed):
            if f"{record.seq}" not in told:
                engine.command(record.deployment_id, 0, OrderChanged(_ended(record), record.seq))
        elif isinstance(record, Placed):
            if f"{record.seq}" not in told:
                engine.command(record.order.deployment_id, 0, OrderChanged(_placed(record), record.seq))
        elif record.fill.fill_id not in told:
            engine.command(record.fill.deployment_id, 0, _filled(record))


def _see_again(engine: Engine, mark: Mark, frames: list[bytes]) -> dict[str, FeedKnown]:
    """Hand the core the ticks behind the mark; return what the feeds knew after them."""
    delivered: dict[str, list[Tick]] = defaultdict(list)
    for record in engine.journal.outcomes(mark.journal_seq):
        if isinstance(record, Executed):
            engine.core.dealt(record.fill.deployment_id, record.fill.account_id, record.fill.at)
    for frame in frames:
        topic = topics.of(frame)
        if not topic.startswith(topics.TICKS):
            continue
        ticks = _decode_ticks(frame.removeprefix(topic))
        for number, tick in enumerate(ticks.ticks, ticks.seq):
            if (outcome := engine.core.see_again(tick, number, tick.ts)) is not None:
                engine.take(outcome)
        left = engine.market.streams[ticks.ticks[0].symbol].left
        if left is not None:
            delivered[left.feed] += ticks.ticks
    return {name: known.moved(delivered[name]) for name, known in mark.feeds.items()}


def _placed(placed: Placed) -> OrderUpdate:
    """The order may have changed since: when it was placed nothing of it was filled."""
    return order_update(replace(placed.order, filled=0.0), "working", "", placed.at)


def _filled(record: Executed) -> Filled:
    position, left = marked(record.position, record.fill.price), 0.0
    if record.order is None:
        return Filled(record.fill, position, record.seq, left, record.filled or record.fill.quantity)
    left, filled = record.order.left, record.order.filled
    return Filled(record.fill, position, record.seq, left, filled, "partially_filled")


def _ended(closed: Closed) -> OrderUpdate:
    status = closed.reason if closed.reason in {"rejected", "expired"} else "cancelled"
    return OrderUpdate(
        order_id=closed.order_id,
        signal_id=closed.signal_id,
        symbol=closed.symbol,
        status=status,  # type: ignore[arg-type]  # one of the three
        filled=closed.filled,
        detail=(closed.detail or closed.reason)[:256],
        at=closed.at,
    )
