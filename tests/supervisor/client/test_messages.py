"""Server-sent events, read from pieces of any size; and where a follower goes on."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.client.answers import Answer
from supervisor.client.errors import Garbled, NotFound, OtherVersion, Unreachable
from supervisor.client.following import Following, began
from supervisor.client.messages import MOST, Message, Messages

plain = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=12)
messages = st.builds(
    Message,
    plain,
    plain.filter(bool),
    st.dictionaries(plain, st.integers() | st.text(max_size=5), max_size=3),
)


def written(message: Message, end: str) -> bytes:
    lines = [f"id: {message.id}", f"event: {message.topic}", f"data: {json.dumps(message.data)}", "", ""]
    return end.join(lines).encode()


@given(st.lists(messages, max_size=5), st.data(), st.sampled_from(["\n", "\r\n"]))
def test_however_the_bytes_are_cut_the_messages_are_the_same(sent, data, end):
    stream = b": hello\n\n" + b"".join(written(message, end) + b": beat\n\n" for message in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader, came = Messages(), []
    for begin, after in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        came += reader.feed(stream[begin:after])
    assert came == sent


@given(st.binary(max_size=200))
def test_what_is_no_stream_is_no_other_error(noise):
    with contextlib.suppress(Garbled):
        assert all(isinstance(message.data, dict) for message in Messages().feed(noise))


def test_data_of_several_lines_is_joined_and_an_id_holds_until_the_next():
    came = Messages().feed(b'id: 7\ndata: {"a":\ndata: 1}\n\ndata: {}\n\n')
    assert came == [Message("7", "message", {"a": 1}), Message("7", "message", {})]


def test_a_message_without_an_end_is_given_up():
    reader = Messages()
    reader.feed(b"x" * MOST)
    with pytest.raises(Garbled):
        reader.feed(b"x")


# ---- going on --------------------------------------------------------------------------------------
GONE = Unreachable("gone")


def headers(following: Following) -> dict[str, str]:
    return dict(following.call().headers)


def test_the_next_connection_begins_behind_the_last_message():
    following = Following(["signals", "orders"], "a b", None, 60.0)
    assert following.call().target == "/api/v1/events?topics=signals%2Corders&deployment_id=a+b"
    assert headers(following) == {"Accept": "text/event-stream"}
    following.took(Message("s5", "signals", {}))
    following.took(Message("", "metrics", {}))
    assert headers(following)["Last-Event-ID"] == "s5"


def test_a_daemon_may_be_away_for_so_long_counted_from_when_it_went():
    following = Following(None, None, "x", 10.0)
    following.pause(GONE, 100.0, 0.5)
    following.pause(GONE, 109.9, 0.5)
    with pytest.raises(Unreachable):
        following.pause(GONE, 110.0, 0.5)
    following.took(Message("y", "events", {}))
    following.pause(GONE, 200.0, 0.5)


def test_the_pauses_grow_while_nobody_is_there():
    following = Following(None, None, None, 1e9)
    pauses = [following.pause(GONE, float(turn), 1.0) for turn in range(20)]
    assert (pauses[0], pauses[1], pauses[-1]) == (0.2, 0.4, 10.0)
    assert pauses == sorted(pauses)


def test_an_answer_that_is_no_stream_is_another_version():
    began(Answer(200, {"content-type": "text/event-stream; charset=utf-8"}, b""))
    with pytest.raises(OtherVersion):
        began(Answer(200, {"content-type": "application/x-ndjson"}, b""))
    with pytest.raises(NotFound):
        began(Answer(404, {}, b'{"type": "urn:stratd:not-found", "title": "no deployment"}'))
