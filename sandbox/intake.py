"""From what the engine publishes to turns for one strategy: sequences, replay, pause, welcome. Pure.

Rules. Ticks, candles and numbered commands keep the order in which the engine published them. What has been
had is dropped. What has arrived and what was handed out are two positions: what waits is had by us and not
by the strategy, so a question to the engine goes by the one, a checkpoint by the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import msgspec

from bus import topics
from bus.messages import (
    Candles,
    CellCommand,
    Commanded,
    Inspect,
    Pause,
    Replayed,
    Resume,
    Stop,
    TakeCheckpoint,
    Welcome,
)
from bus.messages import encode as encode_message
from sandbox.backlog import Item, Standing
from sandbox.catching_up import News, Stage
from sandbox.handout import moment
from sandbox.pending import Pending
from sandbox.reception import Reception

SAVE_AFTER = 2**14
SAVE_SHARE = 4
"""While a cell catches up its state is saved after so many bytes of the tape, some 200 ticks, and after no
less than so many times its own size: the engine's journal takes a quarter of what it gives."""

_OURS = topics.CELLS + b"|"
"""Topic of a command that the warden gives."""
_command = msgspec.msgpack.Decoder(CellCommand).decode


class Intake(Reception):
    """Takes messages as they come (``add``), hands out turns (``next_turn``).

    ``watched`` are the topics that the cell subscribes to, ``generation`` is the instance's.
    """

    def __init__(
        self,
        *,
        generation: int,
        backlog: int,
        conflate: bool,
        timeframes: Iterable[str],
        watched: Iterable[bytes] = (),
    ) -> None:
        super().__init__(backlog=backlog, conflate=conflate, timeframes=timeframes, watched=watched)
        self.pending = Pending()
        """What another run of the engine has to be told again."""
        self.began: dict[str, int] = {}
        """Where live data begins: the position of the welcome that was taken."""
        self.welcomed_again = False
        """Another run of the engine has welcomed a cell that is warm: tell it that we run."""
        self.state_bytes = 0
        """Size of the last checkpoint."""
        self.unasked: list[int] = []
        """Questions that were not passed on, since what was missed comes first; whoever reads clears them."""
        self._generation = generation
        self._unsaved = 0  # bytes of the tape since a checkpoint was last asked for on the way
        self._inherits = False  # the state goes on where an older generation's was

    @property
    def unsettled(self) -> bool:
        """Whether the warden has something to say to the engine of where we stand."""
        return self.welcomed_again or self.pending.withholds or self.stage is not Stage.LIVE

    def question(self, now: float) -> int | None:
        """Return the offset to ask for now, None while there is nothing to ask."""
        backlog, progress = self.backlog, self._progress
        hurries = backlog.conflates and not backlog.crowded
        if self.stopping or not progress.may_ask(now, room=backlog.room, conflates=hurries):
            return None
        progress.ask(self._arrived.at, now)
        return self._arrived.at

    # ---- in ---------------------------------------------------------------------------------------
    def add(self, messages: Iterable[tuple[bytes, bytes]], now: float) -> None:
        """Take messages in the order of their arrival at ``now``."""
        for topic, payload in messages:
            kind = topic[:2]
            if kind == b"ti" or kind == b"ca":  # noqa: PLR1714 - twice as fast as a set, on the hot path
                self._add_market(topic, payload, now)
            elif kind == b"to":
                self._add_command(topic, payload, now)
            elif kind == b"pu":
                self._add_pulse(topic, payload, now)
            elif self._warm and not self.stopping and (self.live or not self.tape):
                self._add_status(topic, payload, now)
            if self.backlog.full:
                self._go_back(now, "more waits than the backlog holds")
        if self.backlog.lost > self._lost:
            lost, self._lost = self.backlog.lost - self._lost, self.backlog.lost
            self.notes.append(("gap", f"{lost} messages too many waited: the oldest were dropped"))

    # ---- commands ---------------------------------------------------------------------------------
    def _add_command(self, topic: bytes, payload: bytes, now: float) -> None:
        command = _command(payload)
        body = command.body
        if command.seq and self.tape:
            if self.live and not self.stopping:
                self._add_numbered(topic, payload, command, now)
            elif self.stopping and command.generation == self._generation:
                self.pending.heard(body)
            return
        if command.generation != self._generation:
            return
        self.pending.heard(body)
        if self.stopping:
            return
        if isinstance(body, Stop):
            self.stop(topic, payload, now)
        elif isinstance(body, Welcome):
            self._welcome(topic, payload, body, now)
        elif isinstance(body, Replayed):
            self._take_piece(body, now)
        elif isinstance(body, Inspect) and self.tape and not self.live:
            self.unasked.append(body.request)
        elif self._warm:
            self._push_command(Item(topic, payload, now), command)

    def _add_numbered(
        self, topic: bytes, payload: bytes, command: CellCommand, now: float, *, replayed: bool = False
    ) -> bool:
        """Take a command that is on the tape; False if we have gone back to an earlier place on it."""
        if not self._follows(topic, command.seq, command.seq, now, replayed=replayed):
            return True
        if isinstance(command.body, Resume) and self.backlog.spilled:
            self._go_back(now, "more candles closed in the pause than could wait", draining=True)
            return False
        self._arrived.last[topic] = command.seq
        if command.generation != self._generation and not (replayed and self._inherits):
            self.backlog.pass_over({topic: command.seq})  # to another instance: it is not our signal
            return True
        self.pending.heard(command.body)
        item = Item(topic, payload, now, last=command.seq, taped=True, replayed=replayed)
        self._push_command(item, command)
        return True

    def _push_command(self, item: Item, command: CellCommand) -> None:
        body = command.body
        if isinstance(body, Resume):
            self.backlog.resume()
            item = item._replace(pauses=False)
        elif isinstance(body, Pause):
            self.backlog.paused = True
            item = item._replace(pauses=True)
        elif isinstance(body, TakeCheckpoint):
            item = item._replace(ends="checkpoint", request=body.request)
        elif isinstance(body, Commanded | Inspect):
            item = item._replace(ends="question", request=body.request)
        self.backlog.push(item)
        if isinstance(body, Pause) and not item.replayed:
            self._save(item.at)

    def stop(self, topic: bytes, payload: bytes, now: float) -> None:
        """Queue a ``Stop``, the engine's or the supervisor's; nothing is taken after it."""
        self.stopping = True
        self.backlog.push(Item(topic, payload, now, ends="stop"))

    # ---- welcome ----------------------------------------------------------------------------------
    def _welcome(self, topic: bytes, payload: bytes, welcome: Welcome, now: float) -> None:
        new_run = welcome.epoch != self.epoch
        if self.welcomed and not new_run:
            asked = self.stage is Stage.CATCHING_UP and self._progress.asked is not None
            if welcome.resumes or not asked:
                return  # the answer to a Hello that we repeated
        self._hears(welcome.epoch, now)
        resumes = welcome.resumes and welcome.tape != 0 and (not self._warm or welcome.tape == self.tape)
        self.epoch = welcome.epoch
        if not self._warm:
            self._begin(welcome)
            self._inherits = resumes
            self.backlog.push(
                Item(topic, payload, now, len(welcome.warmup) + 2 + welcome.paused, ends="welcome")
            )
        else:
            self.welcomed_again = new_run
            if not resumes:
                self._begin_anew(topic, welcome, now)
        self._progress.hear(News.RESUMES if resumes else News.FRESH, now)

    def _begin(self, welcome: Welcome) -> None:
        self._warm = True
        position = self._stand(welcome)
        self.handed.stand(position, welcome.at, welcome.tape)
        self.handed.note_closed(welcome.warmup)
        self.backlog.paused = self.handed.paused = welcome.paused

    def _stand(self, welcome: Welcome) -> dict[bytes, int]:
        position = {name.encode(): last for name, last in welcome.position.items()}
        self._arrived.stand(position, welcome.at)
        self._arrived.expected.clear()
        self._arrived.taped = self.backlog.taped = welcome.tape != 0
        self.tape = welcome.tape
        self.began = welcome.position
        return position

    def _begin_anew(self, topic: bytes, welcome: Welcome, now: float) -> None:
        """Go on at the present: what was published meanwhile is on no tape, but for what the warm-up has."""
        if self.tape:
            why = (
                "the tape does not reach back so far" if welcome.tape == self.tape else "the tape is another"
            )
            self._miss(1, f"{why}; candles are made up from the warm-up")
        position = self._stand(welcome)
        self.backlog.disown()
        # Fills that the old run did not tell any more, or that this one made before we were back.
        again = CellCommand(self._generation, msgspec.structs.replace(welcome, warmup=[], state=b""))
        self.backlog.push(Item(topic, encode_message(again), now))
        for (close_time, symbol), group in groupby(self.handed.unknown(welcome.warmup), key=moment):
            candles = list(group)
            payload = encode_message(Candles(welcome.epoch, 0, close_time, candles))
            self.backlog.push(Item(topics.candle(symbol), payload, now, len(candles) + 1, "candles"))
        self.backlog.stand(Standing(position, welcome.at, welcome.tape, whole=True))

    def running(self, now: float) -> None:
        """Take note that the engine was told that the strategy runs."""
        self._as_of = now
        self._progress.hear(News.RUNNING, now)

    # ---- the tape ---------------------------------------------------------------------------------
    def _go_back(self, now: float, why: str, *, draining: bool = False) -> None:
        """Have again from the tape what was not handed out yet."""
        stands = self.backlog.go_back(paused=self.handed.paused, draining=draining)
        if stands is None:
            stands = Standing(self.handed.position, self.handed.at)
        self._arrived.stand(stands.position, stands.at)
        self._catch_up(now, why)

    def _take_piece(self, piece: Replayed, now: float) -> None:
        """Take what we missed, as far as there is room: the same is asked for again then."""
        if not self._progress.answered(piece):
            return
        for frame in piece.frames:
            topic = topics.of(frame)
            if not self._take_again(topic, frame[len(topic) :], now):
                return
            self._save_on_the_way(len(frame), now)
        self._arrived.at = piece.at
        self.backlog.pass_over({}, piece.at)
        if piece.done:
            for topic, known, last in self._arrived.settle():
                self._miss(last - known, f"{topic.decode()} from {known + 1}, and the tape does not have it")
                self.backlog.pass_over({topic: last})
            self.notes.append(("caught_up", f"after {self._progress.lasts(now):.3f} s"))
            self._progress.hear(News.DONE, now)

    def _save_on_the_way(self, size: int, now: float) -> None:
        """Have the state saved now and then: else who dies of what it is told again never comes further."""
        self._unsaved += size
        if self._unsaved >= max(SAVE_AFTER, SAVE_SHARE * self.state_bytes):
            self._unsaved = 0
            self._save(now)

    def _save(self, now: float) -> None:
        save = encode_message(CellCommand(self._generation, TakeCheckpoint()))
        self.backlog.push(Item(_OURS, save, now, ends="checkpoint"))

    def _take_again(self, topic: bytes, payload: bytes, now: float) -> bool:
        """Take one message of the tape; False if it has to be asked for once more."""
        kind = topic[:2]
        if kind == b"to":
            return self._add_numbered(topic, payload, _command(payload), now, replayed=True)
        if kind == b"pu":
            self._add_pulse(topic, payload, now, replayed=True)
        elif kind == b"fe":
            self._add_status(topic, payload, now, replayed=True)
        else:
            return self._add_market(topic, payload, now, replayed=True)
        return True
