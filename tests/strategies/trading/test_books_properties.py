"""Any stream of fills: the books balance to the cent against an independent recomputation from the fills.

The recomputation is exact (fractions of the decimal numbers that the fills mean) and knows none of the
code's ways: cash paid and received for the total, a queue from the oldest lot for first in, first out.
"""

from collections import defaultdict, deque
from fractions import Fraction

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.messages import Fill
from strategies.trading import lots as fifo
from strategies.trading.books import Books
from strategies.trading.positions import unrealised

CENT = 0.01
DEPLOYMENTS, SYMBOLS = ("d", "e"), ("X", "Y", "Z")
ACCOUNT = {"d": "A", "e": "B"}
CURRENCY = {"X": "USD", "Y": "EUR", "Z": "USD"}
MULTIPLIER = {"X": 1, "Y": 50, "Z": 1}

# Hundredths of a unit, ten-thousandths of a price, cents of a fee: numbers that doubles cannot hold exactly.
TRADE = st.tuples(
    st.sampled_from(DEPLOYMENTS),
    st.sampled_from(SYMBOLS),
    st.one_of(st.integers(-500, 500), st.integers(-1_000_000, 1_000_000)).filter(bool),
    st.integers(-1_000, 10_000_000),
    st.integers(-100, 10_000),
)
TRADES = st.lists(TRADE, min_size=1, max_size=60)
PRICES = st.fixed_dictionaries({symbol: st.integers(-1_000, 10_000_000) for symbol in SYMBOLS})


def made(number, trade):
    owner, symbol, quantity, price, fee = trade
    return Fill(
        f"f{number}", "s", owner, ACCOUNT[owner], symbol, quantity / 100, price / 10_000, fee / 100, number,
        currency=CURRENCY[symbol],
    )  # fmt: skip


def kept(trades):
    """Enter ``trades``; return the books and the profit of every round trip that ended, by holding."""
    books, closed = Books(), defaultdict(list)
    for seq, trade in enumerate(trades, start=1):
        entry = books.apply(made(seq, trade), seq, float(MULTIPLIER[trade[1]]))
        if entry.closed is not None:
            closed[trade[:2]].append(entry.closed)
    return books, closed


class Recomputed:
    """One holding, exactly: a queue of lots, oldest first, and cash."""

    def __init__(self, multiplier):
        self.multiplier = multiplier
        self.queue = deque()
        self.cash = self.fees = self.first_out = Fraction(0)
        self.trips, self.since = [], Fraction(0)

    @property
    def held(self):
        return sum((quantity for quantity, _ in self.queue), Fraction(0))

    @property
    def average(self):
        """By the definition: what the present holding cost, a reduction taking an equal part of it all."""
        return self._cost / self.held if self.held else Fraction(0)

    def fill(self, quantity, price, fee):
        before = self.held
        self.cash -= quantity * price * self.multiplier + fee
        self.fees += fee
        self.first_out -= fee
        self._take(quantity, price)
        after = self.held
        if before and before * after <= 0:
            # Worth of what is held now, at its cost, is no profit yet; the rest of the cash is.
            total = self.cash + after * price * self.multiplier
            self.trips.append(total - self.since)
            self.since = total
        if before * after <= 0:
            self._cost = after * price
        elif abs(after) > abs(before):
            self._cost += quantity * price
        else:
            self._cost *= after / before

    def _take(self, quantity, price):
        while quantity and self.queue and (self.queue[0][0] > 0) != (quantity > 0):
            lot, paid = self.queue.popleft()
            closed = lot if abs(lot) <= abs(quantity) else -quantity
            self.first_out += closed * (price - paid) * self.multiplier
            quantity += closed
            if lot != closed:
                self.queue.appendleft((lot - closed, paid))
        if quantity:
            self.queue.append((quantity, price))


def recomputed(trades):
    found = {}
    for owner, symbol, quantity, price, fee in trades:
        holding = found.setdefault((owner, symbol), Recomputed(MULTIPLIER[symbol]))
        holding.fill(Fraction(quantity, 100), Fraction(price, 10_000), Fraction(fee, 100))
    return found


def to_the_cent(exact, amount):
    return abs(exact - Fraction(amount)) < CENT / 2


@settings(max_examples=150)
@given(TRADES, PRICES)
def test_books_balance_to_the_cent_against_a_recomputation_from_the_fills(trades, prices):
    books, closed = kept(trades)
    exact = recomputed(trades)
    assert sorted(exact) == [(one.deployment_id, one.symbol) for one in books.everything()]
    for (owner, symbol), holding in exact.items():
        position, last = books.position(owner, symbol), Fraction(prices[symbol], 10_000)
        mark = unrealised(position, float(last))
        assert to_the_cent(holding.cash + holding.held * last * holding.multiplier, position.realised + mark)
        assert to_the_cent(holding.first_out, position.fifo_realised)
        assert to_the_cent(holding.fees, position.fees)
        assert abs(holding.held - Fraction(position.quantity)) < Fraction(1, 10**8)
        assert (holding.held == 0) == (position.quantity == 0.0)
        assert abs(holding.average - Fraction(position.average_price)) < Fraction(1, 10**6)
        assert len(holding.trips) == len(closed[owner, symbol])
        assert all(map(to_the_cent, holding.trips, closed[owner, symbol]))


@settings(max_examples=100)
@given(TRADES, PRICES)
def test_average_cost_and_first_in_first_out_have_the_same_total_to_the_cent(trades, prices):
    books, _ = kept(trades)
    for position in books.everything():
        price, mine = prices[position.symbol] / 10_000, books.lots(position.deployment_id, position.symbol)
        by_average = position.realised + unrealised(position, price)
        first_out = position.fifo_realised + fifo.profit(mine, price) * position.multiplier
        assert abs(by_average - first_out) < CENT / 2


@settings(max_examples=100)
@given(TRADES)
def test_lots_are_those_of_the_queue_and_round_trips_add_up_to_what_was_realised(trades):
    books, closed = kept(trades)
    for (owner, symbol), holding in recomputed(trades).items():
        lots, position = books.lots(owner, symbol), books.position(owner, symbol)
        assert len(holding.queue) == len(lots)
        for (quantity, price), lot in zip(holding.queue, lots, strict=True):
            assert abs(quantity - Fraction(lot.quantity)) < Fraction(1, 10**8)
            assert float(price) == lot.price
        assert abs(sum(closed[owner, symbol]) + position.trip - position.realised) < CENT / 2


def state(books):
    return msgspec.msgpack.encode((list(books.everything()), books.rings(), books.settled()))


@settings(max_examples=100)
@given(TRADES, st.integers(0, 60))
def test_posting_what_was_written_down_gives_the_same_books_byte_for_byte(trades, cut):
    lived, replayed, written = Books(), Books(), []
    for seq, trade in enumerate(trades, start=1):
        fill = made(seq, trade)
        entry = lived.apply(fill, seq, float(MULTIPLIER[trade[1]]))
        written.append((msgspec.msgpack.encode((entry.position, entry.lots)), seq, fill.price))
    for row, seq, price in written:
        if seq == cut:  # a snapshot anywhere in between stands for everything before it
            rings = {(ring.deployment_id, ring.symbol): ring.lots for ring in replayed.rings()}
            positions, replayed = list(replayed.everything()), Books()
            for one in positions:
                replayed.put(one, rings.get((one.deployment_id, one.symbol), ()))
        position, move = msgspec.msgpack.decode(row, type=WRITTEN)
        replayed.post(position, move, seq, price)
    assert state(lived) == state(replayed)


WRITTEN = tuple[
    type(Books().entry(made(1, ("d", "X", 1, 1, 1)), 1).position),
    type(Books().entry(made(1, ("d", "X", 1, 1, 1)), 1).lots),
]


@settings(max_examples=100)
@given(TRADES, st.randoms(use_true_random=False))
def test_books_do_not_depend_on_how_the_fills_of_different_holdings_are_mixed(trades, random):
    numbered = list(enumerate(trades, start=1))
    queues = defaultdict(deque)
    for seq, trade in numbered:
        queues[trade[:2]].append((seq, trade))
    mixed = []
    while queues:
        key = random.choice(sorted(queues))
        mixed.append(queues[key].popleft())
        if not queues[key]:
            del queues[key]
    one, other = Books(), Books()
    for books, order in ((one, numbered), (other, mixed)):
        for seq, trade in order:
            books.apply(made(seq, trade), seq, float(MULTIPLIER[trade[1]]))
    assert state(one) == state(other)
    assert [one.ledger(account) for account in "AB"] == [other.ledger(account) for account in "AB"]


@settings(max_examples=100)
@given(st.lists(st.one_of(TRADE, st.sampled_from(DEPLOYMENTS)), min_size=1, max_size=60))
def test_the_money_of_an_account_is_that_of_its_fills_whatever_is_dropped(steps):
    """A deployment that is dropped takes no money along: its account has what all of its fills made."""
    books, alive, parts = Books(), {}, []
    for seq, step in enumerate(steps, start=1):
        if isinstance(step, str):
            books.drop_flat(step)
            flat = [key for key, one in alive.items() if key[0] == step and not one.held]
            parts += [(key, alive.pop(key)) for key in flat]
        else:
            books.apply(made(seq, step), seq, float(MULTIPLIER[step[1]]))
            owner, symbol, quantity, price, fee = step
            holding = alive.setdefault((owner, symbol), Recomputed(MULTIPLIER[symbol]))
            holding.fill(Fraction(quantity, 100), Fraction(price, 10_000), Fraction(fee, 100))
    assert sorted(alive) == [(one.deployment_id, one.symbol) for one in books.everything()]
    for owner, account in ACCOUNT.items():
        ledger, mine = books.ledger(account), [*parts, *alive.items()]
        for currency in ("USD", "EUR"):
            own = [one for key, one in mine if key[0] == owner and CURRENCY[key[1]] == currency]
            at_cost = sum((one.cash + one.held * one.average * one.multiplier for one in own), Fraction(0))
            assert to_the_cent(at_cost, ledger.realised.get(currency, 0.0))
            assert to_the_cent(sum((one.fees for one in own), Fraction(0)), ledger.fees.get(currency, 0.0))
