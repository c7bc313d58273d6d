"""Which events of its socket leave a feed without a publisher."""

from __future__ import annotations

import pytest

from bus.feeds.peers import Peers


@pytest.mark.parametrize(
    ("events", "count", "gone"),
    [
        ([], 0, []),
        (["joined"], 1, []),
        (["joined", "left"], 0, [1]),
        (["joined", "joined", "left"], 1, []),
        (["joined", "joined", "left", "left"], 0, [3]),
        (["joined", "left", "joined", "left"], 0, [1, 3]),
        (["joined", "refused", "left"], 1, []),
        (["joined", "refused", "refused", "left"], 1, []),
        (["joined", "refused", "left", "left"], 0, [3]),
        (["refused", "left"], 0, []),
        (["left"], 0, []),
        (["left", "joined", "left"], 0, [2]),
    ],
)
def test_only_the_end_of_the_last_connection_that_had_shaken_hands_counts(events, count, gone):
    peers = Peers()
    assert [at for at, event in enumerate(events) if peers.step(event)] == gone
    assert peers.count == count
