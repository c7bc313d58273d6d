"""What ``topics.cell`` rests on: the order in which libzmq subscribes when a connection is made."""

import random

import pytest
import zmq

from bus import topics

pytestmark = pytest.mark.system
WANTED = [
    topics.cell("one"), topics.PULSE, topics.FEEDS, topics.tick("EURUSD"), topics.candle("EURUSD"),
    topics.tick("^GSPC"), topics.candle("zzz"), topics.tick("zzz"),
]  # fmt: skip


def heard(publisher: zmq.Socket, count: int) -> list[bytes]:
    found = []
    while len(found) < count:
        assert publisher.poll(10_000), f"{len(found)} subscriptions of {count}"
        notice = publisher.recv()
        if notice[:1] == b"\x01":
            found.append(notice[1:])
    return found


def test_a_cells_own_topic_is_subscribed_behind_all_its_others(tmp_path):
    endpoint = f"ipc://{tmp_path}/market"
    with zmq.Context() as context:
        for seed in range(5):
            order = WANTED.copy()
            random.Random(seed).shuffle(order)
            subscriber = context.socket(zmq.SUB)
            for topic in order:
                subscriber.subscribe(topic)
            subscriber.connect(endpoint)
            publisher = context.socket(zmq.XPUB)
            publisher.bind(endpoint)
            assert sorted(WANTED) == heard(publisher, len(WANTED))
            publisher.unbind(endpoint)
            for socket in (publisher, subscriber):
                socket.close(0)
    assert topics.cell("one") == max(WANTED)
