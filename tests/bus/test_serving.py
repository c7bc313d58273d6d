"""A publisher that serves what was missed: real sockets, and the pacing of a replay around it."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest
import zmq

from bus.feeds.recovery import Answer, Question, decode_answer
from bus.messages import Heartbeat, Tick, encode
from bus.pacing import MAX_SPEED, publish
from bus.serving import Serving, open_serving, places
from bus.sockets import Hub, Publisher, RecoveryLink
from tests.waiting import wait_until

S = 1_000_000_000
T0 = 1_600_000_000 * S


@pytest.fixture
def serving(tmp_path: Path):
    with Serving(f"ipc://{tmp_path}/feed.recovery") as made:
        yield made


def keep(serving: Serving, *seqs: int) -> None:
    for seq in seqs:
        serving.keep(b"tick.X", b"%d" % seq, "X", seq)


class Peer:
    """A REQ or a DEALER, as any language would have it."""

    def __init__(self, endpoint: str, kind: int = zmq.REQ) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(kind)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(endpoint)

    def ask(self, serving: Serving, *payload: bytes) -> Answer:
        self.socket.send_multipart(payload)
        answers: list[bytes] = []

        def heard() -> bool:
            serving.serve(0.001)
            if self.socket.poll(1):
                answers.append(self.socket.recv())
            return bool(answers)

        wait_until(heard, what="an answer")
        return msgspec.msgpack.decode(answers[0], type=Answer)

    def close(self) -> None:
        self.context.destroy(linger=0)


@pytest.mark.parametrize("kind", [zmq.REQ, zmq.DEALER])
def test_who_asks_gets_what_it_has_not(serving, kind):
    keep(serving, 1, 2, 3)
    peer = Peer(serving.endpoint, kind)
    answer = peer.ask(serving, encode([{"X": 1}]))
    assert (answer.messages, answer.more) == ([(b"tick.X", b"2"), (b"tick.X", b"3")], False)
    assert serving.given == 2
    peer.close()


def test_a_question_that_cannot_be_used_is_counted_by_name_and_answered_with_the_reason(serving):
    peer = Peer(serving.endpoint)
    assert peer.ask(serving, b"\xc1").refused.startswith("no question")
    assert peer.ask(serving, encode([{"X": -1}])).refused
    assert serving.refused == {"malformed": 2}
    keep(serving, 1)
    assert len(peer.ask(serving, encode([{}])).messages) == 1
    peer.close()


def test_the_link_of_the_engine_asks_in_pieces(serving):
    keep(serving, *range(1, 8))
    hub, found, have = Hub(), [], {"X": 1}
    link = RecoveryLink(hub, serving.endpoint)
    cursor, more = 0, True
    while more:
        link.ask(encode(Question(have, 2, cursor)))

        def answered():
            serving.serve(0.001)
            return list(link.answers())

        ((payload,),) = wait_until(answered, what="an answer")
        answer = decode_answer(payload)
        found += [int(one) for _, one in answer.messages]
        have, cursor, more = {"X": found[-1]}, answer.cursor, answer.more
    assert found == [2, 3, 4, 5, 6, 7]
    link.close()
    hub.close()


def test_a_link_with_a_curve_key_asks_who_has_it_and_nobody_else(tmp_path):
    hub, context = Hub(), zmq.Context()
    public, secret = zmq.curve_keypair()
    router = context.socket(zmq.ROUTER)
    router.curve_server, router.curve_secretkey = True, secret
    endpoint = f"ipc://{tmp_path}/curve"
    router.bind(endpoint)
    stranger = RecoveryLink(hub, endpoint, zmq.curve_keypair()[0].decode())
    stranger.ask(b"stranger")
    link = RecoveryLink(hub, endpoint, public.decode())
    link.ask(b"friend")
    assert router.poll(10_000)
    assert router.recv_multipart()[1:] == [b"friend"]
    for each in (stranger, link):
        each.close()
    hub.close()
    context.destroy(linger=0)


def test_a_link_to_an_endpoint_that_is_none_says_so():
    hub = Hub()
    with pytest.raises(OSError, match="cannot connect tcp://nowhere"):
        RecoveryLink(hub, "tcp://nowhere")
    hub.close()


# ---- where it serves --------------------------------------------------------------------------------
def test_beside_the_feed_is_where_its_subscribers_believe_it():
    assert places("ipc:///run/feed", "bind", 7) == ["ipc:///run/feed.recovery"]
    assert places("ipc:///run/feed", "connect", 7) == ["ipc:///run/feed.7.recovery"]
    assert places("tcp://127.0.0.1:65534", "bind", 7) == ["tcp://127.0.0.1:65535"]
    assert places("tcp://0.0.0.0:5555", "bind", 7)[:2] == ["tcp://0.0.0.0:5556", "tcp://0.0.0.0:5557"]
    assert places("tcp://127.0.0.1:5555", "connect", 7) == ["tcp://127.0.0.1:*"]
    assert places("tcp://10.0.0.7:5555", "connect", 7) == []


def test_a_port_that_is_taken_is_passed_over():
    with Publisher("tcp://127.0.0.1:*") as feed:
        port = int(feed.endpoint.rpartition(":")[2])
        first = open_serving(feed.endpoint, "bind", "auto")
        second = open_serving(feed.endpoint, "bind", "auto")
        assert first is not None
        assert second is not None
        assert port < int(first.endpoint.rpartition(":")[2]) < int(second.endpoint.rpartition(":")[2])
        first.close()
        second.close()
        assert open_serving(feed.endpoint, "bind", "off") is None
        with pytest.raises(OSError, match="cannot bind ipc:///nowhere/at/all"):
            open_serving(feed.endpoint, "bind", "ipc:///nowhere/at/all")


# ---- in the pacing ----------------------------------------------------------------------------------
class Recorder:
    """Time passes only while somebody is served."""

    endpoint = "ipc:///run/feed.recovery"

    def __init__(self):
        self.now, self.kept, self.sent, self.served = 12_345, [], [], 0

    def monotonic(self):
        return self.now

    def wall(self):
        return T0 + self.now

    def sleep(self, seconds):
        raise AssertionError("it serves instead")

    def serve(self, seconds):
        self.served += 1
        self.now += round(seconds * S)

    def keep(self, topic, payload, symbol, seq):
        assert (topic, payload) not in self.sent, "kept after it was sent"
        self.kept.append((topic, payload, symbol, seq))

    def send(self, topic, payload):
        self.sent.append((topic, payload))

    def beats(self):
        return [
            msgspec.msgpack.decode(payload, type=Heartbeat) for topic, payload in self.sent if topic == b"hb"
        ]


def ticks(*seconds):
    return [(T0 + at * S, Tick("X", T0 + at * S, last=1.0)) for at in seconds]


@pytest.mark.parametrize("speed", [1.0, MAX_SPEED])
def test_everything_published_is_kept_and_served_while_it_waits(speed):
    one = Recorder()
    publish(ticks(*range(300)), one, clock=one, keeper=one, speed=speed)
    assert [(topic, payload) for topic, payload, *_ in one.kept] == [m for m in one.sent if m[0] != b"hb"]
    assert [seq for *_, seq in one.kept] == list(range(1, 301))
    assert one.served >= 2
    assert {beat.recovery for beat in one.beats()} == {one.endpoint}


def test_the_same_recording_has_the_same_numbers_each_time():
    first, second = Recorder(), Recorder()
    for one in (first, second):
        publish(ticks(0, 1, 1, 5), one, clock=one, keeper=one)
    assert first.kept == second.kept


def test_after_the_last_message_it_stays_with_heartbeats_and_answers():
    one = Recorder()
    result = publish(ticks(0, 2), one, clock=one, keeper=one, stay=5)
    assert one.now == 12_345 + 7 * S
    # Two while it waited, one at the end, then one a second; the market's time stands where it ended.
    assert [(beat.ts - T0) // S for beat in one.beats()] == [1, 2, 2, 2, 2, 2, 2]
    assert {beat.last_seq["X"] for beat in one.beats()[2:]} == {2}
    assert (result.stopped, result.seconds) == (False, 2.0)


def test_whoever_is_told_to_stop_does_not_stay():
    one = Recorder()
    result = publish(ticks(0, 100), one, clock=one, keeper=one, stay=50, should_stop=lambda: one.now > 5 * S)
    assert (result.stopped, one.now < 7 * S) == (True, True)


@pytest.mark.system
def test_a_flood_of_questions_does_not_keep_a_publisher_from_its_next_message(serving):
    keep(serving, *range(1, 2001))
    done, asked = threading.Event(), [0]

    def flood():
        peer = Peer(serving.endpoint, zmq.DEALER)
        peer.socket.setsockopt(zmq.SNDTIMEO, 100)
        while not done.is_set():
            try:
                peer.socket.send(encode([{}]))
                asked[0] += 1
            except zmq.Again:
                continue
        peer.close()

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        wait_until(lambda: serving.serve(0.0) or serving.given > 5000, what="answers")
        before = serving.given
        serving.serve(0.0)
        assert serving.given - before <= 1000, "without waiting, one question"
    finally:
        done.set()
        thread.join()
