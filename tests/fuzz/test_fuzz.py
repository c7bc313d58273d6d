"""A small run of the fuzzer; ``make fuzz`` is the long one. And: it finds what it is there to find."""

from __future__ import annotations

import pytest

from sandbox.relay import Relay
from sandbox.watchdog import Watchdog
from tests.fuzz import corpus, warden
from tests.fuzz.cell import Ear
from tests.fuzz.mutation import Mutator
from tests.fuzz.warden import TARGETS, Crash, protocol, run


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_that_is_said_raises_more_than_is_declared(name):
    result = run(name, 5_000, seed=20)
    assert result.inputs == 5_000
    assert 250 < result.taken < 4_500  # it is neither all noise nor all valid
    assert result.growth < 16 * 2**20


@pytest.mark.parametrize("word", corpus.WORDS, ids=lambda word: type(word).__name__)
def test_the_corpus_is_what_a_warden_takes(word):
    """Mutation starts from what is valid: else everything would be refused at the door."""
    ear = Ear()
    loading = isinstance(word, protocol.Initialised | protocol.Refused)
    assert ear.hear(protocol.encode(word), loading=loading)
    ear.close()


def test_the_same_seed_gives_the_same_inputs():
    encoded = [protocol.encode(word) for word in corpus.WORDS]
    first, again, other = (Mutator(encoded, seed) for seed in ("a", "a", "b"))
    drawn = [first.draw() for _ in range(200)]
    assert drawn == [again.draw() for _ in range(200)]
    assert drawn != [other.draw() for _ in range(200)]


def test_an_exception_that_is_not_declared_is_found_with_its_input(monkeypatch):
    def broken(self, part, now=None):
        raise KeyError("planted")

    monkeypatch.setattr(Relay, "_keep", broken)
    with pytest.raises(Crash, match=r"input \d+ of batch 'warden:20:0': KeyError\('planted'\) from "):
        run("warden", 5_000, seed=20)


def test_growth_is_found(monkeypatch):
    hoard = []
    monkeypatch.setattr(warden, "BATCH", 500)
    monkeypatch.setattr(Watchdog, "progress", lambda self, call, now: hoard.append(bytearray(2**20)))
    assert run("warden", 3_000, seed=20).growth > 16 * 2**20
