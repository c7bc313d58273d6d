from pathlib import Path

import msgspec
import pytest

from bus import topics
from bus.messages import (
    Acked,
    CellCommand,
    Replayed,
    SignalAck,
    Stop,
    TakeCheckpoint,
    Tick,
    Ticks,
    TimerFired,
    encode,
)
from supervisor.engine import publication as module
from supervisor.engine.publication import Publication
from supervisor.store.tape import Tape, TapeError, TapeGone

ACK = Acked(SignalAck("k", "accepted"))
MOST = 2**20


@pytest.fixture
def tape(tmp_path):
    with Tape.open(tmp_path / "tape") as opened:
        yield opened


@pytest.fixture
def sent():
    return []


@pytest.fixture
def publication(tape, sent):
    return Publication(tape, sent.append)


def frame(symbol: str, number: int) -> bytes:
    return topics.tick(symbol) + encode(Ticks(1, number, [Tick(symbol, number, 1.0)]))


def everything(_topic: bytes) -> bool:
    return True


def whole(publication: Publication, at: int = 0, wanted=everything) -> list[bytes]:
    """Ask as a cell does until there is no more."""
    frames: list[bytes] = []
    while True:
        answer: Replayed = publication.since(at, wanted, MOST)
        frames, at = frames + answer.frames, answer.at
        if answer.done:
            return frames


def test_a_frame_is_sent_only_when_it_is_on_the_tape(publication, tape, sent, monkeypatch):
    publication.publish(frame("X", 1))
    assert (sent, tape.end) == ([], 0)

    def full(_frames: list[bytes]) -> int:
        raise TapeError("No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(tape, "append", full)
        with pytest.raises(TapeError):
            publication.flush()
    assert sent == []
    publication.flush()
    assert sent == whole(publication) == [frame("X", 1)]


def test_commands_that_must_not_be_missed_are_numbered_and_on_the_tape_and_others_are_not(publication, sent):
    for body in (ACK, Stop("enough"), TimerFired("t", 1), TakeCheckpoint()):
        publication.command("one", 3, body)
    publication.command("two", 1, ACK)
    publication.flush()
    decode = msgspec.msgpack.Decoder(CellCommand).decode

    def told(frames: list[bytes]) -> list[tuple[bytes, int, type]]:
        found = []
        for each in frames:
            topic = topics.of(each)
            command = decode(each.removeprefix(topic))
            found.append((topic, command.seq, type(command.body)))
        return found

    one, two = topics.cell("one"), topics.cell("two")
    assert told(sent) == [
        (one, 1, Acked), (one, 0, Stop), (one, 2, TimerFired), (one, 0, TakeCheckpoint), (two, 1, Acked),
    ]  # fmt: skip
    assert told(whole(publication)) == [(one, 1, Acked), (one, 2, TimerFired), (two, 1, Acked)]


def test_what_is_only_of_the_moment_never_overtakes_what_was_published_before_it(publication, sent):
    publication.publish(frame("X", 1))
    publication.command("one", 1, Stop("enough"))
    assert [topics.of(each) for each in sent] == [topics.tick("X"), topics.cell("one")]


def test_who_missed_something_is_told_the_topics_it_reads_in_their_order(publication):
    frames = [frame("XYZ"[n % 3], n) for n in range(1, 100)]
    for each in frames:
        publication.publish(each)
    wanted = {topics.tick("X"), topics.tick("Z")}
    assert whole(publication, wanted=wanted.__contains__) == [f for f in frames if topics.of(f) in wanted]


def test_it_is_told_in_pieces_that_are_bounded_and_miss_nothing(publication, monkeypatch):
    monkeypatch.setattr(module, "PIECE", 2000)
    frames = [frame("X", n) for n in range(1, 1000)]
    for each in frames:
        publication.publish(each)
    pieces, at = [], 0
    while not pieces or not pieces[-1].done:
        pieces.append(publication.since(at, everything, 4000))
        at = pieces[-1].at
    assert [each for piece in pieces for each in piece.frames] == frames
    assert max(sum(map(len, piece.frames)) for piece in pieces) <= 2 * 2000
    # Where nothing is wanted the answers still come, and each says how far it looked.
    assert publication.since(0, lambda _: False, 4000).at <= 4000


def test_the_answer_is_done_only_where_the_tape_ends(publication):
    publication.publish(frame("X", 1))
    first = publication.since(0, everything, MOST)
    assert (first.done, first.frames) == (True, [frame("X", 1)])
    assert publication.since(first.at, everything, MOST) == Replayed([], first.at, True, first.at)
    publication.publish(frame("X", 2))
    assert publication.since(first.at, everything, MOST).frames == [frame("X", 2)]


def test_what_is_no_longer_on_the_tape_is_said_to_be_gone(tmp_path: Path, sent):
    with Tape.open(tmp_path / "short", limit=4096, segment=1024) as short:
        publication = Publication(short, sent.append)
        for number in range(1, 1000):
            publication.publish(frame("X", number))
            publication.flush()
        assert short.begin > 0
        with pytest.raises(TapeGone):
            publication.since(0, everything, MOST)
        with pytest.raises(TapeError):
            publication.since(short.end + 1, everything, MOST)
