"""Words of any size over the control channel, whatever the kernel takes as one datagram."""

from __future__ import annotations

import socket

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.control import EngineEvent, EngineNews
from supervisor.engine.channel import Channel
from supervisor.pieces import PIECE, Joiner, pieces

_decode = msgspec.msgpack.Decoder(EngineNews).decode


@given(st.lists(st.integers(0, 3 * PIECE + 1), max_size=5))
def test_words_come_out_as_they_went_in_and_in_order(sizes: list[int]) -> None:
    words = [b"\x93" + bytes(size) for size in sizes]
    joiner = Joiner()
    sent = [datagram for word in words for datagram in pieces(word)]
    assert all(len(datagram) <= PIECE + 2 for datagram in sent)
    heard = [bytes(word) for datagram in sent if (word := joiner.feed(datagram)) is not None]
    assert words == heard


@pytest.mark.system
def test_the_engine_can_say_more_than_a_datagram_holds() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        channel = Channel(theirs.detach())
        # What an ordinary user gets on most hosts: net.core.wmem_max is 212,992.
        channel._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 212_992)
        word, joiner, heard = EngineEvent("large", "x" * 3_000_000), Joiner(), None
        channel.tell(word)
        while heard is None:
            heard = joiner.feed(ours.recv(2 * PIECE))
            channel.flush()
        assert word == _decode(heard)
        channel.close()
