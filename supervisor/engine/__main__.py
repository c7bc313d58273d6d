"""Entry of the engine process: descriptor, folders and nothing else come from the command line."""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import signal
import sys
import time
from pathlib import Path

from sandbox.confine.process import ParentGone, die_with_parent
from strategies.trading.errors import LedgerError
from supervisor.control import EngineEvent
from supervisor.engine.channel import Channel, SupervisorGone
from supervisor.engine.loop import Engine
from supervisor.engine.resume import Kept, read
from supervisor.store.checkpointer import Checkpointer
from supervisor.store.history import History
from supervisor.store.journal import Journal
from supervisor.store.journal_file import JournalCorrupt, JournalError
from supervisor.store.tape import Tape, TapeError
from supervisor.store.tape_folder import set_aside


def main() -> int:
    """Recover, serve, close. 0 when told to end, 1 with one line on stderr otherwise."""
    parser = argparse.ArgumentParser(prog="stratd-engine")
    parser.add_argument("--control-fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--runtime", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    options = parser.parse_args()
    try:
        die_with_parent(options.parent)
    except ParentGone:
        return 0  # nobody is there who could be told anything
    # The supervisor decides when the engine ends; a Ctrl-C in its terminal goes to the whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    channel = Channel(options.control_fd)
    try:
        journal = _open(options.state / "journal.db", channel)
        journal.prune()
        tape, kept = _open_tape(options.state / "tape", channel)
        history = History.open(options.state / "history.db", lambda why: _tell(channel, "history", why))
        engine = Engine(options.runtime, journal, tape, history, channel, epoch=time.time_ns())
        engine.go_on(kept)
    except (JournalError, LedgerError, TapeError, OSError) as error:  # rather than trade on wrong books
        return _give_up(channel, error)
    checkpointer = Checkpointer(journal.path, tape)
    checkpointer.start()
    _settle_garbage()
    try:
        engine.run()
    except SupervisorGone:
        return 0
    except (JournalError, LedgerError, TapeError) as error:
        return _give_up(channel, error)
    finally:
        checkpointer.close()
        engine.close()
    return 0


def _give_up(channel: Channel, error: Exception) -> int:
    """Tell the supervisor and stderr why nothing can trade; the exit code."""
    sys.stderr.write(f"engine: {error}\n")
    with contextlib.suppress(SupervisorGone):
        channel.tell(EngineEvent("engine_failed", str(error)))
    return 1


def _settle_garbage() -> None:
    """Keep the collector off what lives for ever, and from looking after every few hundred ticks.

    The loop makes no cycles: what it allocates is freed by its reference count. The collector stays on
    for what libraries may leave.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _open(path: Path, channel: Channel) -> Journal:
    """Open the journal. A damaged one has been moved aside, which is said, and ends this engine.

    The supervisor fills a new one from the mirror, if it has one, before it starts the next.
    """
    try:
        return Journal.open(path)
    except JournalCorrupt as error:
        channel.tell(EngineEvent("journal_quarantined", str(error)))
        raise


def _open_tape(folder: Path, channel: Channel) -> tuple[Tape, Kept]:
    """Open the tape and read where to go on; one that nobody can go on from is moved aside, and that told."""
    tape = Tape.open(folder)
    if tape.damage:
        _tell(channel, "tape_quarantined", tape.damage)
    if tape.torn:
        _tell(channel, "tape_torn", f"{tape.torn} bytes of a write that did not end were cut off {folder}")
    try:
        return tape, read(tape)
    except TapeError as error:
        tape.close()
        _tell(
            channel, "tape_quarantined", f"{error}; it was moved to {set_aside(folder)}, and a new one begun"
        )
        return Tape.open(folder), Kept()


def _tell(channel: Channel, kind: str, detail: str) -> None:
    channel.tell(EngineEvent(kind, detail))


if __name__ == "__main__":
    sys.exit(main())
