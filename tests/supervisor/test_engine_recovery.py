"""What a feed has missed comes back in its place: the port of the engine, without a network."""

from __future__ import annotations

import itertools
import time
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.feeds import catchup
from bus.feeds.recovery import Answer, decode_question
from bus.feeds.shelf import Shelf
from bus.messages import Heartbeat, Tick, encode
from bus.sessions import always
from supervisor.control import FeedSpec
from supervisor.engine import feeds, recovery
from supervisor.engine.feeds import FeedPort

S = 1_000_000_000
T0 = 1_700_000_000 * S


class Wire:
    """A publisher with a shelf, a live path that may lose, and the links that asked."""

    def __init__(self, monkeypatch, known=None, shelf=None, **settings):
        self.shelf = Shelf() if shelf is None else shelf
        self.seqs, self.published, self.live = {}, [], []
        self.links, self.told, self.statuses = [], [], []
        self.answering = True
        self.again = False
        self.ts = T0
        self.clock = itertools.count(T0 + 10**6 * S)  # none of it is ahead
        monkeypatch.setattr(feeds, "FeedSocket", lambda *_: self._socket())
        monkeypatch.setattr(recovery, "RecoveryLink", self._link)
        hub = SimpleNamespace(watch=self._watch, unwatch=lambda _: None, look_again=self._look_again)
        spec = FeedSpec(name="main", endpoint="tcp://127.0.0.1:5555", **settings)
        self.port = FeedPort(hub, spec, always(), "deliver", tell=lambda *e: self.told.append(e), known=known)

    def _socket(self):
        def drain(limit=512):
            for _ in range(min(limit, len(self.live))):
                yield self.live.pop(0)

        class Socket(SimpleNamespace):
            idle = property(lambda _: not self.live)

        monitor = SimpleNamespace(events=list, close=lambda: None)
        return Socket(drain=drain, monitor=monitor, close=lambda: None, drained=True)

    def _link(self, _hub, endpoint, _key):
        link = SimpleNamespace(endpoint=endpoint, questions=[], waiting=[], closed=False)
        link.ask = link.questions.append
        link.close = lambda: setattr(link, "closed", True)
        link.answers = lambda: iter([link.waiting.pop(0) for _ in link.waiting[:1]])
        self.links.append(link)
        return link

    def _watch(self, link, handler):
        link.handler = handler

    def _look_again(self, _socket):
        self.again = True

    # ---- the publisher ----
    def tick(self, symbol="X", lost=False, seq=None):
        self.ts += S // 10
        self.seqs[symbol] = seq or self.seqs.get(symbol, 0) + 1
        payload = encode(Tick(symbol, self.ts, last=100.0, size=1.0, seq=self.seqs[symbol]))
        frames = [b"tick." + symbol.encode(), payload]
        self.shelf.put(*frames, symbol, self.seqs[symbol])
        self.published.append(f"{symbol}{self.seqs[symbol]}")
        if not lost:
            self.live.append(frames)

    def beat(self, recovery="tcp://127.0.0.1:5556"):
        self.live.append([b"hb", encode(Heartbeat(self.ts, dict(self.seqs), recovery))])

    def reply(self, answer=None):
        """Answer the question that waits, if any."""
        for link in self.links:
            while link.questions and not link.closed:
                question = link.questions.pop(0)
                made = self.shelf.answer(decode_question(question)) if answer is None else answer
                link.waiting.append([made if isinstance(made, bytes) else encode(made)])
                link.handler()

    # ---- the engine ----
    def turn(self):
        self.again = False
        now, publish = next(self.clock), self.statuses.append
        return [f"{one.symbol}{one.seq}" for items in self.port.items(now, publish) for one in items]

    def turns(self):
        """Turns until nothing is left to do."""
        found = self.turn()
        for _ in range(100_000):
            if self.answering:
                self.reply()
            if not self.again and (not self.live or not self.answering):
                return found
            found += self.turn()
        raise AssertionError("it does not end")

    def start(self):
        """A feed that is healthy, and says where it serves."""
        self.tick()
        self.beat()
        assert self.turns() == ["X1"]
        self.pulse()
        self.statuses.clear()

    def pulse(self):
        self.port.check(next(self.clock), self.statuses.append)

    def gone(self):
        """The publisher has gone, and the pulse of the engine has taken note of it."""
        self.port.intake.disconnected("gone", next(self.clock))
        self.pulse()

    def states(self):
        return [(status.state, status.symbols) for status in self.statuses]

    def events(self):
        return [kind for kind, _ in self.told]


@pytest.fixture
def wire(monkeypatch):
    made = Wire(monkeypatch)
    made.start()
    return made


@pytest.fixture
def overdue(monkeypatch):
    """Let whatever was asked be overdue."""
    return lambda: monkeypatch.setattr(catchup, "PATIENCE", 0)


# ---- what was missed comes back ---------------------------------------------------------------------
def test_what_was_missed_is_delivered_before_what_revealed_it(wire):
    for lost in (False, True, True, False, False):
        wire.tick(lost=lost)
    assert wire.turns() == ["X2", "X3", "X4", "X5", "X6"]
    assert (wire.port.intake.gaps, wire.port.intake.duplicates) == (0, 0)
    wire.pulse()
    assert wire.states() == []
    assert wire.events() == ["feed_recovered"]
    assert wire.links[0].closed
    assert wire.port.row().recovered == 4, "up to the moment of the answer"


def test_a_heartbeat_reveals_what_was_lost_before_a_silence(wire):
    wire.tick(lost=True)
    wire.beat()
    assert wire.turns() == ["X2"]
    assert (wire.port.intake.gaps, wire.port.intake.heartbeats) == (0, 2)


def test_a_batch_with_a_hole_before_it_or_in_it_is_held(wire):
    wire.tick(lost=True)
    wire.tick(lost=True)
    batch = [msgspec.msgpack.decode(k.payload) for k in wire.shelf._kept[-2:]]
    wire.live.append([b"ticks.X", encode([batch[1]])])
    assert wire.turns() == ["X2", "X3"]
    for _ in range(3):
        wire.tick(lost=True)
    batch = [msgspec.msgpack.decode(k.payload) for k in wire.shelf._kept[-3:]]
    wire.live.append([b"ticks.X", encode([batch[0], batch[2]])])
    assert wire.turns() == ["X4", "X5", "X6"]


def test_what_comes_while_it_is_asked_is_held_and_comes_once(wire):
    wire.answering = False
    wire.tick(lost=True)
    wire.tick()
    assert wire.turns() == []
    for symbol in "YXY":
        wire.tick(symbol)
    wire.beat()
    assert wire.turns() == []
    wire.answering = True
    assert wire.turns() == ["X2", "X3", "Y1", "X4", "Y2"]
    assert wire.port.intake.ignored == {"repeated": 5 - 1}
    assert wire.port.clock.held is False


def test_the_clock_of_a_feed_that_asks_stands_still(wire):
    wire.answering = False
    wire.tick(lost=True)
    wire.tick()
    wire.turns()
    assert wire.port.clock.held
    assert wire.port.clock.now(2**62) == wire.port.clock.watermark


def test_many_pieces_come_one_after_the_other(wire, monkeypatch):
    monkeypatch.setattr(catchup, "LIMIT", 7)
    for symbol, _ in zip(itertools.cycle("XYZ"), range(100), strict=False):
        wire.tick(symbol, lost=True)
    wire.tick()
    assert wire.turns() == wire.published[1:]
    assert len(wire.links) == 1


def test_what_is_lost_while_it_is_asked_is_asked_about_again(wire):
    wire.answering = False
    wire.tick(lost=True)
    wire.tick()
    wire.turns()
    wire.reply()
    wire.tick(lost=True)
    wire.tick()
    wire.answering = True
    assert wire.turns() == ["X2", "X3", "X4", "X5"]
    assert (len(wire.links), wire.port.intake.gaps) == (2, 0)


def test_what_the_publisher_no_longer_has_is_a_gap_and_is_asked_about_once(monkeypatch):
    wire = Wire(monkeypatch, shelf=Shelf(1))
    wire.start()
    for lost in (True, True, False):
        wire.tick(lost=lost)
    assert wire.turns() == ["X4"]
    assert (len(wire.links), wire.port.intake.gaps) == (1, 1)
    assert ("gap", ["X"]) in wire.states()
    wire.pulse()
    assert "X: not all of it is held any more" in wire.told[-1][1]


# ---- giving up --------------------------------------------------------------------------------------
def test_without_an_answer_in_time_it_goes_on_with_a_gap_as_ever(wire, overdue):
    wire.answering = False
    wire.tick(lost=True)
    wire.tick()
    wire.tick("Y")
    assert wire.turns() == []
    wire.pulse()
    assert wire.events() == []
    overdue()
    wire.pulse()
    assert wire.turns() == ["X3", "Y1"]
    assert (wire.events(), wire.port.intake.gaps) == (["feed_recovery_failed"], 1)
    assert ("gap", ["X"]) in wire.states()
    assert wire.port.row().rejected == {"recovery_silent": 1}


def test_the_next_gap_is_asked_about_again(wire, overdue):
    wire.answering = False
    wire.tick(lost=True)
    wire.tick()
    wire.turns()
    overdue()
    wire.pulse()
    wire.turns()
    wire.answering = True
    wire.tick(lost=True)
    wire.tick()
    assert wire.turns() == ["X4", "X5"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"\xc1", "malformed"),
        (encode([True]), "no_progress"),
        (encode([False, [[b"t" * 257, b""]]]), "malformed"),
        (encode([False, 5]), "malformed"),
        (encode(Answer(False, refused="no")), "refused"),
        (b"\x00" * (4 * 2**20 + 1), "too_large"),
    ],
)
def test_an_answer_that_cannot_be_used_is_counted_by_reason_and_given_up(wire, answer, reason):
    wire.answering = False
    wire.tick(lost=True)
    wire.tick()
    wire.turns()
    wire.reply(answer)
    assert wire.turns() == ["X3"]
    assert wire.port.row().rejected == {f"recovery_{reason}": 1}


def test_rubbish_among_what_is_recovered_is_refused_like_rubbish_on_the_feed(wire):
    wire.answering = False
    wire.tick(lost=True)
    wire.tick()
    wire.turns()
    wire.reply(Answer(False, [(b"tick.X", b"\xc1"), (b"nonsense", b"")], ["X"]))
    assert wire.turns() == ["X3"]
    assert wire.port.intake.rejected == {"malformed": 1, "topic": 1}


def test_what_is_held_is_bounded_and_the_rest_waits_in_the_socket(wire):
    wire.answering = False
    wire.port.recovery._machine._most = 5
    wire.tick(lost=True)
    for _ in range(20):
        wire.tick()
    wire.turn()
    assert wire.port.recovery._machine.held == 5
    assert len(wire.live) == 15
    wire.turn()
    assert len(wire.live) == 15
    wire.answering = True
    assert wire.turns() == wire.published[1:]


def test_large_messages_are_held_up_to_so_many_bytes(wire):
    wire.answering = False
    wire.port.recovery._machine._most_bytes = 1
    wire.tick(lost=True)
    for _ in range(20):
        wire.tick()
    wire.turns()
    assert wire.port.recovery._machine.held < 20
    assert len(wire.live) > 0
    wire.answering = True
    assert wire.turns() == wire.published[1:]
    assert wire.port.recovery._machine._bytes == 0


def test_what_was_held_is_delivered_a_part_a_turn(wire, monkeypatch):
    monkeypatch.setattr(recovery, "MOST_A_TURN", 3)
    wire.answering = False
    wire.tick(lost=True)
    for _ in range(9):
        wire.tick()
    wire.turns()
    wire.reply()
    wire.turn()
    wire.tick()
    assert wire.port.recovery._machine.held == 6
    assert wire.turns() == ["X12"]


# ---- whom it asks -----------------------------------------------------------------------------------
def test_a_publisher_elsewhere_is_not_asked_and_that_is_told_once(monkeypatch):
    wire = Wire(monkeypatch)
    wire.tick()
    for _ in range(3):
        wire.beat("tcp://10.1.2.3:5556")
        wire.turns()
    wire.tick(lost=True)
    wire.tick()
    assert wire.turns() == ["X3"]
    assert (wire.links, wire.events()) == ([], ["feed_recovery_ignored"])
    assert 'name an endpoint or "off" as recovery in [feeds.main]' in wire.told[0][1]


def test_an_endpoint_that_is_configured_is_asked_whatever_is_announced(monkeypatch):
    wire = Wire(monkeypatch, recovery="tcp://10.1.2.3:7")
    wire.start()
    wire.tick(lost=True)
    wire.tick()
    assert wire.turns() == ["X2", "X3"]
    assert [link.endpoint for link in wire.links] == ["tcp://10.1.2.3:7"]


def test_off_asks_nobody(monkeypatch):
    wire = Wire(monkeypatch, recovery="off")
    wire.start()
    wire.tick(lost=True)
    wire.tick()
    assert wire.turns() == ["X3"]
    assert wire.port.intake.gaps == 1


def test_a_publisher_that_comes_back_elsewhere_is_asked_there(wire):
    wire.gone()
    wire.answering = False
    wire.tick(lost=True)
    wire.tick()
    wire.turns()
    wire.beat("tcp://127.0.0.1:7777")
    wire.turns()
    assert [(link.endpoint, link.closed) for link in wire.links] == [
        ("tcp://127.0.0.1:5556", True),
        ("tcp://127.0.0.1:7777", False),
    ]
    wire.answering = True
    assert wire.turns() == ["X2", "X3"]


def test_of_two_publishers_the_one_that_is_behind_is_not_believed_to_have_all(monkeypatch):
    """It answers with what it has published so far; what the other one sent shows that this is not all."""
    wire, behind = Wire(monkeypatch), Shelf()
    wire.start()
    wire.answering = False
    for _ in range(4):
        wire.tick(lost=True)
    wire.tick()
    assert wire.turns() == []
    ahead, wire.shelf = wire.shelf, behind
    for seq in (2, 3):
        behind.put(b"tick.X", encode(Tick("X", T0 + seq * S // 10, last=100.0, size=1.0, seq=seq)), "X", seq)
    wire.reply()
    assert wire.turns() == ["X2", "X3"]
    assert wire.port.intake.gaps == 0
    wire.shelf = ahead
    wire.beat("tcp://127.0.0.1:7777")
    wire.answering = True
    assert wire.turns() == ["X4", "X5", "X6"]
    assert [link.endpoint[-4:] for link in wire.links] == ["5556", "7777"]
    assert (wire.port.intake.gaps, wire.events()) == (0, [])


def test_who_is_behind_is_asked_again_for_as_long_as_an_answer_may_take(wire, monkeypatch):
    """No other is heard of: it may come further; and if it does not, the gap is told as ever."""
    at = time.monotonic_ns()
    monkeypatch.setattr(recovery.time, "monotonic_ns", lambda: at)
    wire.tick(lost=True)
    wire.tick()
    wire.shelf = Shelf()
    assert wire.turns() == []
    asked = len(wire.links)
    wire.pulse()
    assert wire.turns() == []
    assert len(wire.links) == asked + 1
    at += catchup.PATIENCE
    wire.pulse()
    assert wire.turns() == ["X3"]
    assert (wire.port.intake.gaps, wire.events()) == (1, [])


# ---- outages ----------------------------------------------------------------------------------------
def test_an_outage_that_is_recovered_is_none_for_the_candles(wire):
    wire.gone()
    assert wire.states() == [("disconnected", [])]
    assert wire.port.clock.held
    assert wire.port.clock.healthy
    for symbol in "XYX":
        wire.tick(symbol, lost=True)
    wire.tick("Y")
    wire.statuses.clear()
    assert wire.turns() == ["X2", "Y1", "X3", "Y2"]
    assert (wire.port.clock.held, wire.port.clock.healthy) == (False, True)
    assert wire.states() == [("healthy", [])]


def test_an_outage_about_which_nobody_answers_is_one(wire, overdue):
    seen = []
    turned = wire.port._turn
    wire.port._turn = lambda *, healthy: (seen.append(healthy), turned(healthy=healthy))
    wire.gone()
    wire.answering = False
    wire.tick(lost=True)
    wire.tick()
    wire.turns()
    overdue()
    wire.pulse()
    assert wire.turns() == ["X3"]
    assert seen == [False, True]
    assert (wire.port.clock.held, wire.port.clock.healthy) == (False, True)


def test_a_feed_that_does_not_come_back_is_unhealthy_in_the_end_and_still_asked_when_it_does(wire):
    wire.gone()
    wire.port.inflow.patience = 0
    wire.pulse()
    assert (wire.port.clock.held, wire.port.clock.healthy) == (False, False)
    wire.tick(lost=True)
    wire.tick()
    assert wire.turns() == ["X2", "X3"]
    assert wire.port.clock.healthy


def test_a_publisher_that_counts_from_one_again_is_told_as_ever(wire):
    for _ in range(5):
        wire.tick()
    wire.turns()
    wire.gone()
    wire.shelf, wire.seqs = Shelf(), {}
    wire.tick()
    wire.tick()
    assert wire.turns() == ["X1", "X2"]
    assert wire.port.intake.gaps == 1
    assert any("began to count again" in status.detail for status in wire.statuses)


# ---- an engine after another ------------------------------------------------------------------------
def test_an_engine_goes_on_where_the_one_before_it_ended(wire, monkeypatch):
    known = msgspec.msgpack.decode(encode(wire.port.snapshot()), type=feeds.FeedKnown)
    for symbol in "XYXZ":
        wire.tick(symbol, lost=True)
    after = Wire(monkeypatch, known=known, shelf=wire.shelf)
    after.seqs, after.ts = wire.seqs, wire.ts
    assert after.port.clock.held
    assert after.port.clock.now(2**62) == known.watermark
    after.pulse()
    assert after.port.clock.healthy
    after.tick("Z")
    assert after.turns() == ["X2", "Y1", "X3", "Z1", "Z2"]
    assert (after.port.intake.gaps, after.port.clock.held) == (0, False)


def test_a_heartbeat_that_comes_first_says_whom_to_ask(wire, monkeypatch):
    known = msgspec.structs.replace(wire.port.snapshot(), recovery="")
    for symbol in "XY":
        wire.tick(symbol, lost=True)
    after = Wire(monkeypatch, known=known, shelf=wire.shelf)
    after.seqs, after.ts = wire.seqs, wire.ts
    after.beat()
    assert after.turns() == ["X2", "Y1"]
    assert (after.port.intake.gaps, after.port.clock.healthy) == (0, True)


def test_what_an_engine_delivered_after_its_last_mark_is_known_too(wire):
    mark = wire.port.snapshot()
    for _ in range(3):
        wire.tick()
    ticks = []
    wire.reply()
    for items in wire.port.items(next(wire.clock), wire.statuses.append):
        ticks += items
    assert mark.moved(ticks) == wire.port.snapshot()
    assert feeds.FeedKnown().moved(ticks[:1]).symbols["X"].next_seq == 3


def test_a_duplicate_for_the_engine_before_is_one_for_the_next(wire, monkeypatch):
    first = wire.shelf._kept[0]
    after = Wire(monkeypatch, known=wire.port.snapshot(), recovery="off")
    after.live.append([first.topic, first.payload])
    assert after.turns() == []
    assert after.port.intake.duplicates == 1


def test_without_anybody_to_ask_a_heartbeat_shows_that_nothing_is_missing(wire, monkeypatch):
    after = Wire(monkeypatch, known=wire.port.snapshot(), recovery="off")
    after.seqs, after.ts = wire.seqs, wire.ts
    after.pulse()
    assert (after.port.clock.held, after.port.clock.healthy) == (True, True)
    after.beat()
    after.tick()
    assert after.turns() == ["X2"]
    assert (after.port.clock.held, after.port.clock.healthy, after.port.intake.gaps) == (False, True, 0)


def test_without_anybody_to_ask_and_without_a_heartbeat_it_was_an_outage(wire, monkeypatch):
    after = Wire(monkeypatch, known=wire.port.snapshot(), recovery="off")
    after.seqs, after.ts = wire.seqs, wire.ts
    seen = []
    turned = after.port._turn
    after.port._turn = lambda *, healthy: (seen.append(healthy), turned(healthy=healthy))
    after.tick()
    assert after.turns() == ["X2"]
    assert seen[0] is False
    assert seen[-1] is True


# ---- the whole --------------------------------------------------------------------------------------
steps = st.lists(
    st.tuples(st.sampled_from(["X", "Y", "Z", "hb", "turn", "reply"]), st.booleans()), max_size=80
)


@given(steps, st.integers(1, 9), st.integers(1, 9))
def test_whatever_the_live_path_loses_every_symbol_is_delivered_as_it_was_published(steps, limit, held):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catchup, "LIMIT", limit)
        patch.setattr(recovery, "MOST_A_TURN", 2)
        wire = Wire(patch)
        wire.port.recovery._machine._most = held
        for symbol in "XYZ":
            wire.tick(symbol)
        wire.beat()
        found = wire.turns()
        wire.answering = False
        for what, lost in steps:
            if what == "turn":
                found += wire.turn()
            elif what == "reply":
                wire.reply()
            elif what == "hb":
                wire.beat()
            else:
                wire.tick(what, lost)
        wire.answering = True
        wire.beat()
        found += wire.turns()
        for symbol in "XYZ":
            assert [one for one in found if one[0] == symbol] == [o for o in wire.published if o[0] == symbol]
        wire.pulse()
        assert (wire.port.intake.gaps, wire.port.intake.duplicates) == (0, 0)
        assert (wire.port.clock.held, wire.port.intake.repeating) == (False, False)


@given(
    st.lists(st.sampled_from("XYZ"), min_size=1, max_size=60),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(1, 9),
)
def test_after_a_loss_of_everything_for_a_time_even_the_order_over_symbols_is_the_publisher_s(
    order, a, b, limit
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catchup, "LIMIT", limit)
        wire = Wire(patch)
        for symbol in "XYZ":
            wire.tick(symbol)
        wire.beat()
        found = wire.turns()
        for number, symbol in enumerate(order):
            wire.tick(symbol, lost=min(a, b) <= number < max(a, b))
            if number == max(a, b):
                wire.beat()
        wire.beat()
        found += wire.turns()
        lost = order[min(a, b) : max(a, b)]
        quiet = len(order) > max(a, b) and order[max(a, b)] not in lost
        if not quiet:
            assert found == wire.published
        assert sorted(found) == sorted(wire.published)
