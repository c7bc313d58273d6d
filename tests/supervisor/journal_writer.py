"""A process that writes groups into a journal until it is killed, telling each commit on stdout."""

from __future__ import annotations

import sys
from pathlib import Path

from strategies.trading.accounts import AccountTerms
from strategies.trading.setup import Setup
from supervisor.store.journal import Journal
from tests.strategies.trading.trading_world import T0, grant, running_core, signal, tick


def main() -> None:
    journal = Journal.open(Path(sys.argv[1]))
    unlimited = Setup(accounts={"A": AccountTerms(name="A", signals_per_s=10**9)})
    core = running_core(grant(signals_per_s=10**9), setup=unlimited)
    core.restore(journal.recover())
    core.attach(grant(signals_per_s=10**9))
    core.running("d", 1)
    start = journal.last_seq
    for turn in range(10**9):
        # A group of several records: an entry and its order, an exit and its order, two fills.
        asked = [signal(key=start + 2 * turn), signal("exit_long", key=start + 2 * turn + 1, leg="x")]
        journal.append(core.on_signals("d", 1, asked, T0).records)
        filled = core.on_tick(tick(), T0)
        journal.append(filled.records if filled else [])
        journal.commit()
        sys.stdout.write(f"{journal.last_seq}\n")
        sys.stdout.flush()


main()
