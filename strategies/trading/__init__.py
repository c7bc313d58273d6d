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
    instruments  what is traded: price grid, lots, multiplier, currency, names at venues
    terms      what trading costs on paper: commission, slippage, latency, volume
    commission, slippage  what a fill costs, and how far from the market's price it is
    execution  from the price at which an order trades to what becomes of it
    matching   which tick or bar fills which order, and where the market stands then
    waiting    the orders of one symbol, and the prices between which all of them sleep
    broker     the paper broker: what orders have to do with each other
    replies    what the world reads of a signal
    state      everything that is known, changed by records only
    turn       the consequences of one input, each a record first
    core       the one door: signals, ticks and commands in; records, answers and orders out
"""
