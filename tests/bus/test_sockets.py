"""The sockets, as real sockets: identity is the connection, one slow reader costs only itself."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus import topics
from bus.sockets import (
    CellLink,
    FeedSocket,
    Gatekeeper,
    Hub,
    MarketSocket,
    OutSocket,
    Publisher,
    ReplaySocket,
    ReportSocket,
    split,
)
from tests.waiting import wait_until

pytestmark = pytest.mark.system


class Engine:
    """The sockets of an engine that admits wardens by password, driven by hand."""

    def __init__(self, folder: Path) -> None:
        self.hub = Hub()
        self.admitted = {"one:1": "secret-1", "two:1": "secret-2"}
        self.gate = Gatekeeper(self.hub, lambda user, password: self.admitted.get(user) == password)
        self.market = MarketSocket(self.hub, f"ipc://{folder}/market")
        self.reports = ReportSocket(self.hub, f"ipc://{folder}/reports")
        self.received: list[tuple[str, bytes]] = []
        self.hub.watch(self.gate, self.gate.answer)
        self.hub.watch(self.reports, lambda: self.received.extend(self.reports.drain()))

    def turn(self) -> bool:
        self.hub.wait(0.001)
        return True

    def close(self) -> None:
        for owned in (self.gate, self.market, self.reports):
            owned.close()
        self.hub.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path)
    yield made
    made.close()


def link(engine: Engine, user: str, password: str, *subscribed: bytes) -> CellLink:
    return CellLink(engine.market.endpoint, engine.reports.endpoint, user, password, subscribed)


def test_a_report_carries_the_user_id_of_its_connection(engine: Engine) -> None:
    with_one, with_two = link(engine, "one:1", "secret-1"), link(engine, "two:1", "secret-2")
    wait_until(lambda: engine.turn() and with_one.send(b"hello from one"), what="pipe one")
    wait_until(lambda: engine.turn() and with_two.send(b"I am one:1"), what="pipe two")
    wait_until(lambda: engine.turn() and len(engine.received) == 2, what="both reports")
    assert {("one:1", b"hello from one"), ("two:1", b"I am one:1")} == set(engine.received)
    with_one.close()
    with_two.close()


def test_a_wrong_password_gets_no_pipe_and_no_data(engine: Engine) -> None:
    wrong = link(engine, "one:1", "guessed", b"")
    right = link(engine, "two:1", "secret-2", b"pulse||")
    wait_until(
        lambda: engine.turn() and (engine.market.send(b"pulse||x") or right.receive(0)), what="the right one"
    )
    assert not wrong.send(b"let me in")
    assert wrong.receive(0.05) == []
    wrong.close()
    right.close()


def test_no_topic_is_a_prefix_of_another_symbols_topic(engine: Engine) -> None:
    cell = link(engine, "one:1", "secret-1", topics.tick("EURUSD"), topics.PULSE)

    def sent() -> list[tuple[bytes, bytes]]:
        engine.market.send(topics.tick("EURUSDm") + b"other")
        engine.market.send(topics.tick("EURUSD") + b"mine|with a bar")
        return cell.receive(0.01) if engine.turn() else []

    first = wait_until(sent, what="a tick")
    assert {(b"tick|EURUSD|", b"mine|with a bar")} == set(first)
    cell.close()


def test_split_takes_a_payload_that_holds_the_separator() -> None:
    assert split(b"to|a.b-c|||payload|") == (b"to|a.b-c|", b"||payload|")


@pytest.mark.parametrize(("feed_mode", "publisher_mode"), [("connect", "bind"), ("bind", "connect")])
def test_a_feed_arrives_whole_whichever_side_binds(
    tmp_path: Path, feed_mode: str, publisher_mode: str
) -> None:
    hub, endpoint = Hub(), f"ipc://{tmp_path}/feed"
    publisher = Publisher(endpoint, publisher_mode) if publisher_mode == "bind" else None
    with FeedSocket(hub, endpoint, feed_mode) as feed:
        publisher = publisher or Publisher(endpoint, publisher_mode)
        # A SUB that bound sends its subscriptions only when its own thread looks at it.
        wait_until(
            lambda: not list(feed.drain()) and publisher.wait_for_subscriber(0.01), what="a subscriber"
        )
        for number in range(1000):
            publisher.send(b"tick.X", str(number).encode())
        publisher.send_frames([b"one frame only"])
        publisher.send_frames([b"a", b"b", b"c"])
        received: list[list[bytes]] = []
        wait_until(lambda: received.extend(feed.drain()) or len(received) == 1002, what="1,002 messages")
        assert [[b"tick.X", str(n).encode()] for n in range(1000)] == received[:1000]
        assert received[1000:] == [[b"one frame only"], [b"a", b"b", b"c"]]
        publisher.close()
    hub.close()


def test_a_handler_may_end_a_source_that_was_ready_in_the_same_turn() -> None:
    hub = Hub()
    pairs = [socket.socketpair() for _ in range(2)]
    (first, _), (second, _) = pairs
    called: list[str] = []
    hub.watch(first.fileno(), lambda: (called.append("first"), hub.unwatch(second.fileno())))
    hub.watch(second.fileno(), lambda: called.append("second"))
    for _, far in pairs:
        far.send(b"x")
    hub.wait(10)
    assert ["first"] == called
    hub.close()
    for ends in pairs:
        for end in ends:
            end.close()


@pytest.mark.parametrize(("feed_mode", "publisher_mode"), [("connect", "bind"), ("bind", "connect")])
def test_the_monitor_of_a_feed_tells_of_publishers_that_come_and_go(
    tmp_path: Path, feed_mode: str, publisher_mode: str
) -> None:
    hub, endpoint = Hub(), f"ipc://{tmp_path}/feed"
    events: list[str] = []

    def heard(*wanted: str) -> None:
        wait_until(lambda: events.extend(feed.monitor.events()) or events == [*wanted], what=str(wanted))

    with FeedSocket(hub, endpoint, feed_mode) as feed:
        hub.watch(feed.monitor, lambda: events.extend(feed.monitor.events()))
        for times in (1, 2):
            publisher = Publisher(endpoint, publisher_mode)
            heard(*["joined", "left"] * (times - 1), "joined")
            publisher.close(0)
            heard(*["joined", "left"] * times)
        hub.unwatch(feed.monitor)
    feed.close()
    hub.close()


def test_who_connects_and_is_no_zmq_peer_is_refused_before_it_leaves(tmp_path: Path) -> None:
    hub = Hub()
    events: list[str] = []
    with FeedSocket(hub, f"ipc://{tmp_path}/feed", "bind") as feed:
        with socket.socket(socket.AF_UNIX) as scanner:
            scanner.connect(str(tmp_path / "feed"))
            scanner.sendall(b"GET / HTTP/1.1\r\n\r\n")
        wait_until(lambda: events.extend(feed.monitor.events()) or "left" in events, what="its end")
        assert {"refused"} == set(events[:-1])
    hub.close()


def test_a_feed_that_is_not_idle_has_something_to_drain(tmp_path: Path) -> None:
    hub, endpoint = Hub(), f"ipc://{tmp_path}/feed"
    with Publisher(endpoint) as publisher, FeedSocket(hub, endpoint, "connect") as feed:
        assert publisher.wait_for_subscriber(10)
        assert feed.idle
        publisher.send(b"tick.X", b"1")
        wait_until(lambda: not feed.idle, what="a message")
        assert [[b"tick.X", b"1"]] == list(feed.drain())
        assert feed.idle
    hub.close()


def test_a_feed_that_cannot_be_bound_leaves_no_monitor_behind() -> None:
    hub = Hub()
    with pytest.raises(OSError, match=r"cannot bind ipc:///nowhere/at/all"):
        FeedSocket(hub, "ipc:///nowhere/at/all", "bind")
    hub.close()


def test_an_endpoint_that_cannot_be_bound_is_named(tmp_path: Path) -> None:
    hub = Hub()
    with pytest.raises(OSError, match=r"cannot bind ipc:///nowhere/at/all"):
        OutSocket(hub, "ipc:///nowhere/at/all")
    hub.close()


@pytest.mark.parametrize("endpoint", ["nowhere", "http://127.0.0.1:1", "tcp://127.0.0.1"])
def test_what_is_no_endpoint_is_told_what_one_looks_like(endpoint: str) -> None:
    hub = Hub()
    with pytest.raises(OSError, match=f"cannot bind {endpoint}: it must be tcp://HOST:PORT or ipc:///PATH"):
        OutSocket(hub, endpoint)
    hub.close()


def test_the_way_out_knows_whether_anybody_listens(tmp_path: Path) -> None:
    import zmq

    hub = Hub()
    out = OutSocket(hub, f"ipc://{tmp_path}/out")
    hub.watch(out, out.listen)

    def listening(expected: bool) -> bool:
        hub.wait(0.01)
        return out.heard is expected

    assert not out.heard
    with zmq.Context() as context, context.socket(zmq.SUB) as reader:
        reader.setsockopt(zmq.RCVTIMEO, 5000)
        reader.connect(f"ipc://{tmp_path}/out")
        reader.subscribe(b"signal.one")
        wait_until(lambda: listening(True), what="the listener")
        out.send(b"signal.two", b"not for it")
        out.send(b"signal.one", b"for it")
        assert [b"signal.one", b"for it"] == reader.recv_multipart()
        reader.unsubscribe(b"signal.one")
        wait_until(lambda: listening(False), what="the end of the listener")
    out.close()
    hub.close()


def test_what_a_handler_leaves_is_looked_at_again_without_waiting(engine: Engine) -> None:
    one = link(engine, "one:1", "secret-1")
    taken: list[bytes] = []
    engine.hub.unwatch(engine.reports)
    engine.hub.watch(engine.reports, lambda: taken.extend(p for _, p in engine.reports.drain(limit=2)))
    wait_until(lambda: engine.turn() and one.send(b"0"), what="a pipe")
    for number in range(1, 7):
        assert one.send(str(number).encode())
    wait_until(lambda: engine.turn() and len(taken) == 7, what="seven reports")
    assert [b"0", b"1", b"2", b"3", b"4", b"5", b"6"] == taken
    one.close()


def test_the_replay_socket_answers_through_the_envelope_it_was_asked_with(tmp_path: Path) -> None:
    hub = Hub()
    replay = ReplaySocket(hub, f"ipc://{tmp_path}/replay")
    # A hub of its own stands for the consumer: any DEALER or REQ does.
    import zmq

    with zmq.Context() as context, context.socket(zmq.REQ) as asker:
        asker.setsockopt(zmq.LINGER, 0)
        asker.setsockopt(zmq.RCVTIMEO, 5000)
        asker.connect(f"ipc://{tmp_path}/replay")
        asker.send(b"from 7")
        questions = wait_until(lambda: list(replay.questions()), what="the question")
        assert [question for _, question in questions] == [b"from 7"]
        replay.answer(questions[0][0], b"signal 7")
        assert asker.recv() == b"signal 7"
    replay.close()
    hub.close()
