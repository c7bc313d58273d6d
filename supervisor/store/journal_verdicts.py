"""How many verdicts there are of each kind: counted by the database, from where it was counted last."""

from __future__ import annotations

from typing import Final

from supervisor.store.journal_rows import Execute

Kinds = dict[tuple[str, str, str], int]
"""Signals by (deployment, verdict, rule)."""
_QUERY: Final = (
    "SELECT deployment_id, decision, rule, sum(count), max(seq) FROM signals WHERE counted AND seq > ? "
    "GROUP BY deployment_id, decision, rule"
)


def verdicts_after(execute: Execute, after: int) -> tuple[int, Kinds]:
    """Return the signals of records above ``after`` by kind, and the number of the last record."""
    last, found = after, {}
    for deployment_id, decision, rule, count, seq in execute(_QUERY, (after,)):
        found[deployment_id, decision, rule] = int(count)
        last = max(last, seq)
    return last, found
