"""A terminal that is given back as it was, however the command ends.

Signals are not handled where they happen to come: they are blocked, and waited for between two drawings
(sigtimedwait(2)). So nothing ends in the middle of an escape sequence, and each way out leads through the
same door: the cursor shown, the screen that was there before. SIGKILL alone has none.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Collection
from typing import Any, Final

from rich.console import Console
from rich.live import Live

ENDING: Final = frozenset((signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT))
WAITED_FOR: Final = frozenset((*ENDING, signal.SIGINT, signal.SIGTSTP, signal.SIGWINCH))


def draw(frame: Callable[[int], Any], interval: float) -> None:
    """Draw ``frame`` of the terminal's width every ``interval`` seconds until a signal ends it.

    Raises ``KeyboardInterrupt`` for Ctrl-C. Of another signal that ends a process this one dies, as it would
    have without a screen.
    """
    # What somebody has ignored stays so (nohup(1)); blocked, it would be waited for like the rest.
    waited_for = {one for one in WAITED_FOR if signal.getsignal(one) != signal.SIG_IGN}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
    try:
        ended = _draw(frame, interval, waited_for)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if ended == signal.SIGINT:
        raise KeyboardInterrupt
    signal.signal(ended, signal.SIG_DFL)
    os.kill(os.getpid(), ended)


def _draw(
    frame: Callable[[int], Any], interval: float, waited_for: Collection[signal.Signals]
) -> signal.Signals:
    """Draw until a signal ends it, and return that one."""
    console = Console(markup=False, highlight=False, emoji=False)
    while True:
        came = signal.SIGHUP
        # A terminal that hung up takes nothing any more: then that is what ended it.
        with contextlib.suppress(OSError), Live(console=console, screen=True, auto_refresh=False) as live:
            came = _until_signal(live, lambda: frame(console.width), interval, waited_for)
        if came != signal.SIGTSTP:
            return came
        os.kill(os.getpid(), signal.SIGSTOP)  # here it stands, until somebody lets it go on


def _until_signal(
    live: Live, frame: Callable[[], Any], interval: float, waited_for: Collection[signal.Signals]
) -> signal.Signals:
    while True:
        live.update(frame(), refresh=True)
        came = signal.sigtimedwait(waited_for, interval)
        if came is not None and came.si_signo != signal.SIGWINCH:
            return signal.Signals(came.si_signo)
