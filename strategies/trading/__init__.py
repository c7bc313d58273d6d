"""The deterministic trading core: (state, input, now) -> outputs, with no IO and no clock of its own.

The engine drives it live, a backtest with history: one and the same code. Who needs whom, lowest first::

    identity     idempotency keys and ids that a replay reproduces
    instruments  what is traded: price grid, lots, multiplier, currency, names at venues
    terms        what trading costs on paper: commission, slippage, latency, volume
    levels, protection, watch, guards   the exits that the engine owns: where, what, when, and all of them
    orders       what an order is; sizing: from what a signal asks for to a signed quantity
    limits, latches, figures, risk      what binds, what bars, what is counted, when a limit is passed
    lots, positions, money, accounts    first in, first out; one position; rates; whose money it is
    records      what is journalled: every output that must outlive the process
    books        every position and its lots, from fills and from nothing else
    commission, slippage, execution, matching, waiting, broker   what fills at what price, on paper
    desk         one deployment as the gate sees it: generation, standing, rates, counts
    view         what the gate looks at, and what it answers
    rules, ttl   the id, the step and the meaning of every refusal; how old data may be
    gate         judge(signal, view, now) -> Verdict; instructions, brackets, ordering and caps are its steps
    state        everything that is known, changed by records only; following: what moves figures
    setup, prices, hours, world         what is configured, what the market does, and all of it together
    turn         the consequences of one input, each a record first
    dealing      orders placed, filled, ended; the engine's own exits
    oversight    loss, drawdown, latches, as prices move
    viewing, recent                     the view of one signal, and what was accepted lately
    routing      what routes say of live orders
    replies      what the world reads of a signal
    core         the one door: signals, ticks and commands in; records, answers and orders out
"""
