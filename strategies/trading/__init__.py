"""The deterministic trading core: (state, input, now) -> outputs, with no IO and no clock of its own.

The engine drives it live, a backtest with history: one and the same code. Who needs whom, lowest first::

    identity   idempotency keys and ids that a replay reproduces
    orders     what an order is; from a signal's size to a signed order quantity
    limits     the risk configuration as the gate holds it
    rules      the id, the step and the meaning of every refusal
    ttl        how old the data of a signal may be
    records    what is journalled: every output that must outlive the process
    lots       which of what was bought is still held, first in, first out
    positions  one position: what a fill makes of it, and what it is worth
    money      rates of exchange from the prices of instruments
    accounts   whose money it is, what it comes to, and its trading days
    books      every position and its lots, from fills and from nothing else
    desk       one deployment as the gate sees it: generation, standing, rates, counts
    view       what the gate looks at, and what it answers
    gate       judge(signal, view, now) -> Verdict
    broker     the paper broker: which order a tick fills, and at what price
    replies    what the world reads of a signal
    state      everything that is known, changed by records only
    turn       the consequences of one input, each a record first
    core       the one door: signals, ticks and commands in; records, answers and orders out
"""
