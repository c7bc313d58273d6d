"""A replay: paced by the times of its messages, numbered, with heartbeats, and over real sockets whole."""

import json
import threading

import msgspec
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Bar, Heartbeat, Tick
from bus.pacing import MAX_SPEED, publish
from bus.recordings import Frames, RecordingError
from bus.replay import NoSubscriberError, ReplayOptions, parse_speed, run
from bus.synthetic import market
from tests.shared import SHARED, needs_shared
from tests.waiting import wait_until

SECOND = 1_000_000_000
START = 1_600_000_000 * SECOND
NOW = 1_800_000_000 * SECOND
TICK = msgspec.msgpack.Decoder(Tick).decode
BAR = msgspec.msgpack.Decoder(Bar).decode
BEAT = msgspec.msgpack.Decoder(Heartbeat).decode


class FakeClock:
    """Time passes only while somebody sleeps."""

    def __init__(self):
        self.now = 12_345
        self.sleeps = []

    def monotonic(self):
        return self.now

    def wall(self):
        return NOW + self.now - 12_345

    def sleep(self, seconds):
        assert seconds > 0
        self.sleeps.append(seconds)
        self.now += max(1, round(seconds * SECOND))


class FakeSender:
    """Keeps what was sent, and when."""

    def __init__(self, clock):
        self.clock = clock
        self.sent = []

    def send(self, topic, payload):
        self.sent.append((self.clock.now - 12_345, topic, payload))

    def send_frames(self, frames):
        self.sent.append((self.clock.now - 12_345, None, frames))

    def ticks(self):
        return [
            (at, TICK(payload)) for at, topic, payload in self.sent if topic and topic.startswith(b"tick.")
        ]

    def beats(self):
        return [(at, BEAT(payload)) for at, topic, payload in self.sent if topic == b"hb"]


def ticks(*seconds, symbol="A"):
    return [
        (START + round(at * SECOND), Tick(symbol, START + round(at * SECOND), last=1.5)) for at in seconds
    ]


def replayed(messages, **options):
    clock = FakeClock()
    sender = FakeSender(clock)
    return publish(messages, sender, clock=clock, **options), sender


@pytest.mark.parametrize("speed", [1.0, 10.0, 0.5])
def test_messages_leave_when_their_times_say(speed):
    result, sender = replayed(ticks(0, 0.25, 1.5, 7), speed=speed)
    assert [round(at * SECOND / speed) for at in (0, 0.25, 1.5, 7)] == [at for at, _ in sender.ticks()]
    assert [START, START + 7 * SECOND] == [result.first, result.last]
    assert 7 / speed == result.seconds


def test_at_full_speed_nothing_waits_and_times_stay():
    result, sender = replayed(ticks(0, 60, 3600), speed=MAX_SPEED)
    assert ([], [0, 0, 0]) == (sender.clock.sleeps, [at for at, _ in sender.ticks()])
    assert [START, START + 60 * SECOND, START + 3600 * SECOND] == [tick.ts for _, tick in sender.ticks()]
    assert 3 == result.sent


def test_ticks_are_numbered_per_symbol_whatever_number_they_had():
    mixed = [
        (ts, msgspec.structs.replace(tick, seq=900))
        for ts, tick in ticks(0, 1) + ticks(2, symbol="B") + ticks(3)
    ]
    result, sender = replayed(mixed)
    assert [("A", 1), ("A", 2), ("B", 1), ("A", 3)] == [(tick.symbol, tick.seq) for _, tick in sender.ticks()]
    assert {"A": 3, "B": 1} == result.symbols


def test_nothing_of_a_tick_is_lost():
    whole = Tick("A", START, 1.5, 2.0, 1.4, 1.6, 3.0, 4.0, 7, "id")
    _, sender = replayed([(START, whole)])
    assert msgspec.structs.replace(whole, seq=1) == sender.ticks()[0][1]


def test_a_heartbeat_leaves_every_second_with_the_last_numbers_though_nothing_trades():
    result, sender = replayed(ticks(0, 0.5, 4.2))
    beats = sender.beats()
    assert [SECOND, 2 * SECOND, 3 * SECOND, 4 * SECOND, round(4.2 * SECOND)] == [at for at, _ in beats]
    assert [{"A": 2}] * 4 + [{"A": 3}] == [beat.last_seq for _, beat in beats]
    assert [START + at for at, _ in beats] == [beat.ts for _, beat in beats]
    assert 5 == result.heartbeats


def test_heartbeats_of_a_fast_replay_carry_event_time():
    _, sender = replayed(ticks(0, 25), speed=10)
    assert [START + 10 * SECOND, START + 20 * SECOND, START + 25 * SECOND] == [
        beat.ts for _, beat in sender.beats()
    ]


@given(
    st.lists(st.floats(0, 20), min_size=1, max_size=20),
    st.sampled_from([0.5, 1.0, 10.0, MAX_SPEED]),
    st.booleans(),
)
def test_a_heartbeat_never_runs_ahead_of_a_tick_that_is_still_to_come(times, speed, rebase):
    _, sender = replayed(ticks(*sorted(times)), speed=speed, rebase=rebase)
    following = None
    for _, topic, payload in reversed(sender.sent):
        if topic == b"hb":
            assert following is None or BEAT(payload).ts <= following
        else:
            following = TICK(payload).ts
    assert b"hb" == sender.sent[-1][1]  # so that a loss at the very end is told


def test_rebased_ticks_carry_the_time_at_which_they_are_sent():
    for speed in (1.0, 10.0):
        result, sender = replayed(ticks(0, 0.5, 3), speed=speed, rebase=True)
        assert [NOW + at for at, _ in sender.ticks()] == [tick.ts for _, tick in sender.ticks()]
        assert [NOW, NOW + round(3 * SECOND / speed)] == [result.first, result.last]
    _, sender = replayed(ticks(0, 0.5, 3), speed=MAX_SPEED, rebase=True)
    assert [NOW] * 3 == [tick.ts for _, tick in sender.ticks()]


def test_bars_leave_as_native_bars():
    bar = Bar("A", "1m", START, 1.0, 2.0, 1.0, 2.0, 5.0, closed=True)
    result, sender = replayed([(START + 60 * SECOND, bar)])
    assert (b"bar.A.1m", bar) == (sender.sent[0][1], BAR(sender.sent[0][2]))
    assert (1, {"A": 1}) == (result.bars, result.symbols)


def test_recorded_frames_leave_as_they_are_and_without_heartbeats():
    result, sender = replayed([(n * SECOND, Frames([b"a", b"%d" % n])) for n in range(5)])
    assert [(n * SECOND, None, [b"a", b"%d" % n]) for n in range(5)] == sender.sent
    assert (5, 0, 4.0, 0) == (result.frames, result.heartbeats, result.seconds, result.last)


def test_a_message_out_of_order_leaves_at_once():
    _, sender = replayed(ticks(0, 5, 3, 6))
    assert [0, 5 * SECOND, 5 * SECOND, 6 * SECOND] == [at for at, _ in sender.ticks()]


def test_progress_is_told_ten_times_a_second_and_at_the_end():
    seen = []
    replayed(ticks(0, 0.5, 1), on_progress=seen.append, fraction=lambda: 0.5)
    assert 12 == len(seen)
    assert (3, 0.5, START + SECOND, 1.0) == msgspec.structs.astuple(seen[-1])


def test_a_replay_can_be_stopped_between_two_messages():
    answers = iter([False] * 20 + [True])
    result, sender = replayed(ticks(0, 1, 3600), should_stop=lambda: next(answers))
    assert (True, 2) == (result.stopped, result.ticks)
    assert b"hb" == sender.sent[-1][1]


def test_nothing_to_publish_is_no_error():
    result, sender = replayed([])
    assert (0, 0, []) == (result.sent, result.heartbeats, sender.sent)


@pytest.mark.parametrize(("text", "speed"), [("1", 1.0), ("10", 10.0), ("0.5", 0.5), ("max", MAX_SPEED)])
def test_a_speed_is_a_factor_or_max(text, speed):
    assert speed == parse_speed(text)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "fast", ""])
def test_another_speed_is_refused_with_what_is_allowed(text):
    with pytest.raises(ValueError, match="is neither a positive number"):
        parse_speed(text)


# ---- over real sockets ----------------------------------------------------------------------------
@pytest.fixture
def subscriber():
    context = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.RCVHWM, 0)
    socket.subscribe(b"")
    yield socket
    socket.close(0)
    context.term()


def received(socket, count):
    messages = []

    def enough():
        while len(messages) < count and socket.poll(0):
            messages.append(socket.recv_multipart())
        return len(messages) >= count

    wait_until(enough, timeout=60, what=f"{count} messages")
    return messages


class Replaying(threading.Thread):
    """``run`` beside the test; joined for its result."""

    def __init__(self, options):
        super().__init__(daemon=True)
        self.options = options
        self.result = None
        self.start()

    def run(self):
        self.result = run(self.options)

    def wait(self):
        self.join(60)
        assert self.result is not None
        return self.result


@pytest.mark.system
@pytest.mark.parametrize("mode", ["bind", "connect"])
def test_every_tick_of_a_file_arrives_once_and_in_order(tmp_path, subscriber, mode):
    path = tmp_path / "ABC.csv"
    rows = [f"{1_700_000_000 + n},{100 + n % 7},{n}" for n in range(20_000)]
    path.write_text("\n".join(["time,price,size", *rows, "bad,1,1"]))
    endpoint = f"ipc://{tmp_path}/feed"
    (subscriber.connect if mode == "bind" else subscriber.bind)(endpoint)
    replay = Replaying(ReplayOptions(paths=(path,), endpoint=endpoint, mode=mode, speed=MAX_SPEED))
    messages = received(subscriber, 20_001)
    while messages[-1][0] != b"hb" or BEAT(messages[-1][1]).last_seq != {"ABC": 20_000}:
        messages += received(subscriber, 1)  # on a busy host it takes over a second, and beats meanwhile
    result = replay.wait()
    arrived = [TICK(payload) for topic, payload in messages if topic == b"tick.ABC"]
    assert list(range(1, 20_001)) == [tick.seq for tick in arrived]
    assert list(range(20_000)) == [tick.size for tick in arrived]
    assert (20_000, {"bad time": 1}) == (result.ticks, dict(result.refused))


@pytest.mark.system
@needs_shared("wire")
def test_a_recorded_stream_arrives_frame_by_frame(tmp_path, subscriber):
    path = SHARED / "wire" / "samples" / "cryptofeed_playback_BITFINEX.jsonl"
    endpoint = f"ipc://{tmp_path}/feed"
    subscriber.connect(endpoint)
    replay = Replaying(ReplayOptions(paths=(path,), endpoint=endpoint, speed=MAX_SPEED))
    expected = [json.loads(line)["frames"] for line in path.read_text().splitlines()]
    arrived = [[frame.decode() for frame in frames] for frames in received(subscriber, len(expected))]
    assert expected == arrived
    assert 231 == replay.wait().frames


@pytest.mark.system
def test_nobody_listening_is_told_and_nothing_is_sent(tmp_path):
    path = tmp_path / "ABC.csv"
    path.write_text("time,price\n1700000000,1\n")
    options = ReplayOptions(paths=(path,), endpoint=f"ipc://{tmp_path}/feed", wait=0.01)
    with pytest.raises(NoSubscriberError, match=r"nobody subscribed within 0.01 s"):
        run(options)


@pytest.mark.system
def test_an_endpoint_that_is_taken_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "ABC.csv"
    path.write_text("time,price\n1700000000,1\n")
    with pytest.raises(OSError, match="cannot bind ipc:///nowhere/at/all"):
        run(ReplayOptions(paths=(path,), endpoint="ipc:///nowhere/at/all"))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "ABC.csv",
            "time,open,high,low,close\n1700000000,1,1,1,1\n1700000060,1,1,1,1\n",
            "bars stand on their own",
        ),
        ("ABC.jsonl", '{"enc": "utf-8", "frames": ["a"]}\n', "recorded frames are sent as they are"),
    ],
)
def test_only_ticks_are_rebased(tmp_path, name, text, expected):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(RecordingError, match=expected):
        run(ReplayOptions(paths=(path,), endpoint=f"ipc://{tmp_path}/feed", rebase=True))


def test_a_synthetic_market_is_published_the_same_way():
    messages = ((tick.ts, tick) for tick in market(seed=1, start=START, rate=5))
    result, sender = replayed(messages, rebase=True, should_stop=iter([False] * 100 + [True]).__next__)
    assert result.stopped
    assert [tick.ts for _, tick in sender.ticks()] == sorted(tick.ts for _, tick in sender.ticks())
    assert result.ticks == sum(result.symbols.values())
