"""Names of signals, those without one included: a process may be ended by any number. Pure."""

from __future__ import annotations

import signal


def signal_name(number: int) -> str:
    """Return ``SIGKILL`` for 9, and ``signal 40`` where Python knows no name (real-time signals)."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
