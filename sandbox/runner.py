"""The strategy process: settles into its confinement, loads user code, answers its warden's turns.

Rules of this file. Nothing of the user's is compiled before ``settle`` is over. It holds one socket, to
its warden, and knows neither endpoint nor token. Whatever user code does here (hang, exit, crash, raise)
the warden outside notices; nothing here is trusted to report it.
"""

from __future__ import annotations

import json
import os
import random
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Literal

import msgspec
import numpy as np

from bus.messages import Candles, CellCommand, FeedStatus, Pulse, Signal, Stop, Ticks
from sandbox import loader, protocol
from sandbox.fork import exit_status
from sandbox.settling import WARDEN, Birth, Settled, settle
from sandbox.spec import EXIT_CONFIG_ERROR, EXIT_LOAD_ERROR
from sandbox.speech import CallClock, Speech
from strategies.api import find_strategy_class
from strategies.config import RiskConfig, StrategyConfig
from strategies.errors import NoStrategyClass, StateIncompatible, TooManyErrors
from strategies.host import Host
from strategies.outputs import Answered, Fault, Saved, Update
from strategies.phases import Event

EXIT_GAVE_UP = 1
DECODERS: dict[bytes, Callable[[bytes], Event]] = {
    b"ti": msgspec.msgpack.Decoder(Ticks).decode,
    b"ca": msgspec.msgpack.Decoder(Candles).decode,
    b"fe": msgspec.msgpack.Decoder(FeedStatus).decode,
    b"pu": msgspec.msgpack.Decoder(Pulse).decode,
}
"""First two letters of a topic (``bus.topics``) -> decoder of its payload."""
_command = msgspec.msgpack.Decoder(CellCommand).decode


class Runner:
    """One strategy's life: ``start``, then ``serve`` until a ``Stop`` was handled."""

    def __init__(self, speech: Speech, setup: protocol.Setup, code: str) -> None:
        self._speech = speech
        self._setup = setup
        self._code = code
        self._clock = CallClock(speech, setup.budgets)
        self._signals: list[Signal] = []
        self._saved: Saved | None = None
        self._parts: list[bytes] = []
        self._host: Host
        # Given back on a MemoryError, so that there is room to say so; untouched, it takes up no memory.
        self._reserve = np.empty(2**20, np.uint8)

    # ---- start ------------------------------------------------------------------------------------
    def start(self) -> None:
        """Load and initialise. What is wrong is said first; then ``SystemExit`` with its exit code."""
        random.seed(self._setup.seed)
        np.random.seed(self._setup.seed & 0xFFFFFFFF)  # noqa: NPY002 - user code may use the global one
        self._speech.say(protocol.Progress("load"))
        try:
            module = loader.load(self._code, shown=self._setup.code_path)
            kind = find_strategy_class(module, _class_name(self._code))
        except (loader.LoadError, NoStrategyClass) as error:
            self._refuse("load", str(error), EXIT_LOAD_ERROR)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - the wall around user code, at import
            self._refuse("load", _told(error), EXIT_LOAD_ERROR)
        try:
            self._host = self._make_host(kind)
            self._host.initialize()
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - the wall around user code, at initialize
            self._refuse("config", _told(error), EXIT_CONFIG_ERROR)
        self._speech.say(protocol.Initialised())

    def _make_host(self, kind: type) -> Host:
        setup = self._setup
        config = StrategyConfig(
            strategy_id=setup.deployment_id,
            account_id=setup.account_id,
            trading_mode=setup.trading_mode,
            symbols=tuple(setup.symbols),
            timeframes=tuple(setup.timeframes),
            parameters=setup.parameters,
            risk_management=RiskConfig.from_mapping(setup.risk) if setup.risk else RiskConfig(),
        )
        return Host(
            kind(),
            config,
            seed=setup.seed,
            update=self._take,
            more_time=self._ask_time,
            on_call=self._clock.enter,
            errors_in_a_row=setup.budgets.errors_in_a_row,
            errors_per_minute=setup.budgets.errors_per_minute,
            checkpoint_bytes=setup.checkpoint_bytes,
            updatable=frozenset(setup.updatable),
        )

    def _refuse(self, what: str, reason: str, code: int) -> None:
        if len(reason) > 4096:
            reason = f"{reason[:2000]}\n...\n{reason[-2000:]}"
        self._speech.say(protocol.Refused(what, reason))  # type: ignore[arg-type] # one of the two above
        raise SystemExit(code)

    def _take(self, update: Update) -> None:
        if isinstance(update, Saved):
            self._saved = update  # covers the signals of the event in hand: sent after them
        elif isinstance(update, Answered):
            self._flush()  # what came before the question leaves before its answer
            self._speech.say_answer(update)
        else:
            self._speech.say_update(update)

    def _ask_time(self, seconds: float) -> bool:
        granted = self._speech.ask_time(seconds)
        if granted:
            self._clock.extend(seconds)
        return granted

    # ---- turns ------------------------------------------------------------------------------------
    def serve(self) -> None:
        """Answer turns until the strategy has stopped, gives up, or the warden goes."""
        while not self.serve_one():
            pass

    def serve_one(self) -> bool:
        """Take one order; True once the strategy has stopped."""
        order = self._speech.hear()
        if isinstance(order, protocol.Turn):
            return self._answer(order)
        if isinstance(order, protocol.Part):
            self._parts.append(order.data)
        return False

    def _answer(self, turn: protocol.Turn) -> bool:
        clock, final = self._clock, False
        clock.begin_turn()
        for topic, payload in turn.events:
            if self._parts:
                payload, self._parts = b"".join(self._parts), []  # noqa: PLW2901 - the first one's pieces
            event = _decode(topic, payload)
            signals = self._host.handle(event)  # which may flush: so not within the next line
            self._signals += signals
            took = clock.leave()
            # Early, when others may be waiting for them; before the checkpoint that covers them, always.
            if self._saved is not None or (self._signals and took > protocol.SAY_EARLY_AFTER):
                self._flush()
            final = isinstance(event, Stop)
        self._finish(turn.number, final=final)
        return final

    def _flush(self) -> None:
        """Send the signals so far, then the checkpoint that covers them."""
        signals, self._signals = self._signals, []
        for signal_ in self._speech.say_signals(signals):
            self._speech.say_update(Fault(self._clock.call, _too_large(signal_), "", signal_.generated_at))
        if self._saved is not None:
            saved, self._saved = self._saved, None
            self._speech.say_state(saved)

    def _finish(self, number: int, *, final: bool) -> None:
        clock = self._clock
        if len(self._signals) > 32:
            self._flush()
        signals, self._signals = self._signals, []
        done = protocol.Done(number, signals, clock.slow, clock.slow_calls, int(clock.longest * 1e9), final)
        datagram = protocol.encode(done)
        if len(datagram) > protocol.DATAGRAM:
            self._signals = signals
            self._flush()
            datagram = protocol.encode(msgspec.structs.replace(done, signals=[]))
        self._speech.say_encoded(datagram)

    def last_words(self, error: BaseException) -> int:
        """Tell the warden why the process ends by itself; return the exit status."""
        if isinstance(error, SystemExit):
            return exit_status(error)
        if isinstance(error, MemoryError):
            del self._reserve
            self._speech.say(protocol.OutOfMemory(self._clock.call))
        elif isinstance(error, TooManyErrors | StateIncompatible):
            self._flush()
            what: Literal["errors", "state"] = "state" if isinstance(error, StateIncompatible) else "errors"
            self._speech.say(protocol.GaveUp(str(error)[:4096], what))
        else:
            self._speech.say(protocol.GaveUp(f"{self._clock.call} raised {_told(error)}"[:4096]))
        return EXIT_GAVE_UP


def _decode(topic: bytes, payload: bytes) -> Event:
    decoder = DECODERS.get(topic[:2])
    if decoder is not None:
        return decoder(payload)
    event: Event = _command(payload).body  # type: ignore[assignment] # a Replayed ends in the warden
    return event


def _class_name(code_path: str) -> str | None:
    """Return ``class`` of the strategy's ``config.json``, None where there is neither."""
    config = f"{code_path}/config.json"
    if not os.path.isfile(config):  # noqa: PTH113 - as in the loader: no Path in every cell
        return None
    try:
        with open(config, "rb") as file:  # noqa: PTH123
            given = json.loads(file.read()).get("class")
    except (ValueError, AttributeError) as error:
        raise loader.LoadError(f"{config}: {error}") from None
    return given if isinstance(given, str) else None


def _too_large(one: Signal) -> str:
    size = len(protocol.encode(one))
    return f"a signal of {size} bytes for {one.symbol}; at most {protocol.PIECE} are allowed: fewer tags"


def _told(error: BaseException) -> str:
    """The error in one line, then the author's own frames."""
    line = "".join(traceback.format_exception_only(error)).strip()
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(_OURS):
        trace = trace.tb_next
    return f"{line}\n{''.join(traceback.format_tb(trace))}".strip() if trace else line


_OURS = ("sandbox.", "strategies.host", "importlib", "_frozen_importlib")


def main(birth: Birth) -> int:
    """Be the strategy process. Return the exit status."""
    settled = settle(birth)
    channel = Speech(socket.socket(fileno=WARDEN))
    setup = channel.hear()
    if not isinstance(setup, protocol.Setup):
        raise TypeError(f"the first order is a {type(setup).__name__}")
    return _live(Runner(channel, setup, settled.code), settled)


def _live(runner: Runner, settled: Settled) -> int:
    if settled.packages:
        sys.path.append(settled.packages)  # last: nobody takes the place of what a cell is made of
    try:
        runner.start()
        runner.serve()
    except BaseException as error:  # noqa: BLE001 - the outermost wall of user code
        return runner.last_words(error)
    return 0
